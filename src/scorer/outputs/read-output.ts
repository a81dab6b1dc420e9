import { NPY_TYPES } from '../../model-card/signature.js';
import type ort from 'onnxruntime-node';
import { JobError } from '../../job/failure.js';
import { checkScores } from '../../model-card/complete-output.js';
import type { ImageOutput, ModelCard } from '../../model-card/schema.js';
import { readBoxTable } from './box-table.js';
import { classify, type FoundClass } from './classes.js';
import { detect, type Detection } from './detections.js';
import { cropOf, type InputPlan } from '../pictures/geometry.js';
import { readMask, resizeMask } from './mask.js';
import type { Picture, Size } from '../pictures/codec.js';
import { entryOf, outputSize, type OutputTensor, valuesOf } from '../tensors/tensor.js';
import { addColours, refuseNotFinite, spanOf, unpackPicture } from '../tensors/unpack.js';

/** What an item's result is made of. */
export type FrameOutput =
  /** As large as the model made it, without padding. */
  | { kind: 'picture'; picture: Picture }
  /** One byte a pixel, of the frame's size before scaling. */
  | { kind: 'mask'; picture: Picture }
  /** Properties of the item's JSON line. */
  | { kind: 'record'; record: { classes?: FoundClass[]; detections?: Detection[] } }
  /** A `.npy` file. */
  | { kind: 'array'; bytes: Uint8Array<ArrayBuffer> };

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

/** Names of the model's tensors that make up the card's output. */
export function outputNames({ output }: ModelCard): string[] {
  if (output.kind !== 'detections') return [output.name];
  const { name, boxes, classes = name, count = name } = output;
  return [...new Set([name, boxes, classes, count])];
}

/** @throws JobError `item`: the model gave nothing usable; says what. */
export function readOutput(
  outputs: Outputs,
  { input, output: card }: ModelCard,
  facts: FrameFacts,
  entry: Entry,
): FrameOutput {
  const tensor = pick(outputs, card.name, entry);
  switch (card.kind) {
    case undefined:
    case 'image':
      return { kind: 'picture', picture: toPicture(tensor, card, facts) };
    case 'classes': {
      checkScores({ name: card.name, type: tensor.type, shape: [...tensor.dims] }, 1, input.layout);
      const values = valuesOf(tensor);
      refuseNotFinite(values);
      return { kind: 'record', record: { classes: classify(values, card) } };
    }
    case 'detections': {
      const table = readBoxTable(card, (name) => pick(outputs, name, entry), facts.plan.padded);
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
  const values = valuesOf(tensor);
  const crop = cropOf(size, plan, card);
  const { range } = card;
  const image = { ...card, range: range === 'auto' ? spanOf(values, card, size, crop) : range };
  const picture = unpackPicture(values, image, size, crop);
  return card.channels === 'Y' ? addColours(picture, frame) : picture;
}

function pick(outputs: Outputs, name: string, { index, count }: Entry): OutputTensor {
  const tensor = outputs[name];
  if (tensor !== undefined) return entryOf(tensor, index, count);
  throw new JobError('item', `the model gave no tensor called "${name}"`);
}

/** Version 1.0. */
const MAGIC = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
const ALIGNMENT = 64;

/**
 * A tensor as a `.npy` file, for `numpy.load`.
 * @throws JobError `item`: NumPy has no such type, or some values are NaN or infinite.
 */
export function toNpy(tensor: OutputTensor): Uint8Array<ArrayBuffer> {
  const { type, dims, data } = tensor;
  const descr = NPY_TYPES[type];
  if (descr === undefined || !ArrayBuffer.isView(data)) {
    throw new JobError('item', `the model gave ${type} values, which a .npy file does not hold`);
  }
  if (type.startsWith('float')) refuseNotFinite(data instanceof Float64Array ? data : valuesOf(tensor));
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(', ');
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }`;
  // The file up to the values, its line break included, fills whole units of 64 bytes.
  const before = Math.ceil((MAGIC.length + 2 + header.length + 1) / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(before + data.byteLength);
  const text = `${header.padEnd(before - MAGIC.length - 3)}\n`;
  bytes.set(MAGIC);
  new DataView(bytes.buffer).setUint16(MAGIC.length, text.length, true);
  bytes.set(Buffer.from(text, 'latin1'), MAGIC.length + 2);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), before);
  return bytes;
}
