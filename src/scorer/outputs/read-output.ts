import type ort from 'onnxruntime-node';
import { JobError } from '../../job/failure.js';
import type { ImageOutput, ModelCard } from '../../model-card/schema.js';
import { readBoxTable } from './box-table.js';
import { classify } from './classes.js';
import { detect } from './detections.js';
import type { FrameOutput } from '../engine/engine-protocol.js';
import { cropOf, type InputPlan } from '../pictures/geometry.js';
import { readMask, resizeMask } from './mask.js';
import { toNpy } from './npy.js';
import type { Picture, Size } from '../pictures/picture.js';
import { entryOf, outputSize, type OutputTensor, valuesOf } from '../tensors/tensor.js';
import { addColours, refuseNotFinite, unpackPicture } from '../tensors/unpack.js';

export type Outputs = Record<string, ort.Tensor>;

export interface FrameFacts {
  /** As the model got it, without padding. */
  frame: Picture;
  /** Before scaling. */
  original: Size;
  plan: InputPlan;
}

/** Which of the pictures that were scored together. */
export interface Entry {
  index: number;
  count: number;
}

/** Names of the tensors that the card's output is read from. */
export function outputNames({ output }: ModelCard): string[] {
  if (output.kind !== 'detections') return [output.name];
  const { name, boxes, classes = name } = output;
  return [...new Set([name, boxes, classes])];
}

/** @throws JobError `item`: the model gave nothing usable; says what. */
export function readOutput(
  outputs: Outputs,
  { output: card }: ModelCard,
  facts: FrameFacts,
  entry: Entry,
): FrameOutput {
  const tensor = pick(outputs, card.name, entry);
  switch (card.kind) {
    case undefined:
    case 'image':
      return { kind: 'picture', picture: toPicture(tensor, card, facts) };
    case 'classes': {
      const values = valuesOf(tensor);
      refuseNotFinite(values);
      return { kind: 'record', record: { classes: classify(values, card) } };
    }
    case 'detections': {
      const table = readBoxTable(card, (name) => pick(outputs, name, entry));
      return { kind: 'record', record: { detections: detect(table, card, facts) } };
    }
    case 'mask':
      return { kind: 'mask', picture: resizeMask(readMask(tensor, card, facts.plan), facts.original) };
    case 'tensor':
      break;
  }
  return { kind: 'array', bytes: toNpy(tensor) };
}

function toPicture(tensor: OutputTensor, card: ImageOutput, { frame, plan }: FrameFacts): Picture {
  const size = outputSize(tensor.dims, card);
  const picture = unpackPicture(valuesOf(tensor), card, size, cropOf(size, plan, card));
  return card.channels === 'Y' ? addColours(picture, frame) : picture;
}

function pick(outputs: Outputs, name: string, { index, count }: Entry): OutputTensor {
  const tensor = outputs[name];
  if (tensor !== undefined) return entryOf(tensor, index, count);
  throw new JobError('item', `the model gave no tensor called "${name}"`);
}
