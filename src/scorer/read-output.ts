import type ort from 'onnxruntime-node';
import { JobError } from '../job/failure.js';
import type { ImageOutput, ModelCard } from '../job/model-card.js';
import { classify } from './classes.js';
import { detect } from './detections.js';
import type { FrameOutput } from './engine-protocol.js';
import { cropOf, type InputPlan } from './geometry.js';
import { toNpy } from './npy.js';
import type { Picture, Size } from './picture.js';
import { outputSize, valuesOf } from './tensor.js';
import { addColours, refuseNotFinite, unpackPicture } from './unpack.js';

export type Outputs = Record<string, ort.Tensor>;

export interface FrameFacts {
  /** As the model got it, without padding. */
  frame: Picture;
  /** Before scaling. */
  original: Size;
  plan: InputPlan;
  /** Pictures the model takes at a time. */
  batch: number;
}

/** Names of the tensors that the card's output is read from. */
export function outputNames({ output }: ModelCard): string[] {
  return output.kind === 'detections' ? [output.name, output.boxes] : [output.name];
}

/** @throws JobError `item`: the model gave nothing usable; says what. */
export function readOutput(outputs: Outputs, { output: card }: ModelCard, facts: FrameFacts): FrameOutput {
  const tensor = pick(outputs, card.name);
  switch (card.kind) {
    case undefined:
    case 'image':
      return { kind: 'picture', picture: toPicture(tensor, card, facts) };
    case 'classes': {
      const values = valuesOf(tensor);
      refuseNotFinite(values);
      return { kind: 'record', record: { classes: classify(values.subarray(0, values.length / facts.batch), card) } };
    }
    case 'detections': {
      const [scores, boxes] = [valuesOf(tensor), valuesOf(pick(outputs, card.boxes))];
      refuseNotFinite(scores);
      refuseNotFinite(boxes);
      return { kind: 'record', record: { detections: detect(scores, tensor.dims, boxes, card, facts) } };
    }
    case 'tensor':
      break;
  }
  return { kind: 'array', bytes: toNpy(tensor) };
}

function toPicture(tensor: ort.Tensor, card: ImageOutput, { frame, plan, batch }: FrameFacts): Picture {
  const size = outputSize(tensor.dims, card, batch);
  const picture = unpackPicture(valuesOf(tensor), card, size, cropOf(size, plan, card));
  return card.channels === 'Y' ? addColours(picture, frame) : picture;
}

function pick(outputs: Outputs, name: string): ort.Tensor {
  const tensor = outputs[name];
  if (tensor !== undefined) return tensor;
  throw new JobError('item', `the model gave no tensor called "${name}"`);
}
