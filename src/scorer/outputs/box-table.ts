import { JobError } from '../../job/failure.js';
import type { DetectionsOutput } from '../../model-card/schema.js';
import { toProbabilities } from './classes.js';
import { type OutputTensor, type TensorValues, valuesOf } from '../tensors/tensor.js';
import { refuseNotFinite } from '../tensors/unpack.js';

/** The boxes of a model and their scores, whatever tensors hold them. */
export interface BoxTable {
  count: number;
  /** The four numbers of a box. */
  box(index: number): [number, number, number, number];
  /** Scores of a box, one for each class, or one where `classOf` is there. */
  scores(index: number): number[];
  /** The class of a box, where the model chose it. */
  classOf?: (index: number) => number;
}

/** Numbers of a box before its scores. */
const BOX_NUMBERS = 4;

/**
 * @param pick gives an output of the model by name.
 * @throws JobError `item`: the shapes do not go together, or values are no numbers; gives them.
 */
export function readBoxTable(card: DetectionsOutput, pick: (name: string) => OutputTensor): BoxTable {
  return card.boxes === card.name ? readRows(card, pick(card.name)) : readTensors(card, pick);
}

/** One tensor: each row, or column, is a box with its scores. */
function readRows(card: DetectionsOutput, tensor: OutputTensor): BoxTable {
  const { transposed = false, objectness = false, activation } = card;
  const [count = 0, numbers = 0] = transposed ? tensor.dims.slice(-2).toReversed() : tensor.dims.slice(-2);
  const chosen = card.classes === card.name;
  const first = objectness ? BOX_NUMBERS + 1 : BOX_NUMBERS;
  const values = finiteValues(tensor);
  if (tensor.dims.length < 2 || values.length !== count * numbers || numbers < first + (chosen ? 2 : 1))
    throw new JobError('item', `the model gave boxes of shape [${tensor.dims.join(',')}]`);
  const at = (row: number, number: number) => values[transposed ? number * count + row : row * numbers + number] ?? 0;
  const activate = activationOf(activation);
  return {
    count,
    box: (row) => [at(row, 0), at(row, 1), at(row, 2), at(row, 3)],
    scores: (row) => {
      const length = chosen ? 1 : numbers - first;
      const scores = activate(Array.from({ length }, (_, index) => at(row, first + index)));
      if (!objectness) return scores;
      const [sure = 0] = activate([at(row, BOX_NUMBERS)]);
      return scores.map((score) => score * sure);
    },
    ...(chosen && { classOf: (row: number) => at(row, first + 1) }),
  };
}

/** Boxes, scores and perhaps classes in tensors of their own. */
function readTensors(card: DetectionsOutput, pick: (name: string) => OutputTensor): BoxTable {
  const [tensor, boxes] = [pick(card.name), finiteValues(pick(card.boxes))];
  const scores = finiteValues(tensor);
  const count = boxes.length / BOX_NUMBERS;
  const classes = card.classes === undefined ? undefined : classesOf(pick(card.classes));
  const length = classes === undefined ? (tensor.dims.at(-1) ?? 0) : 1;
  const fits =
    scores.length === count * length && (classes === undefined ? tensor.dims.length > 1 : classes.length === count);
  if (!fits) {
    const more = classes === undefined ? '' : ` and ${classes.length} classes`;
    throw new JobError('item', `the model gave scores of shape [${tensor.dims.join(',')}], ${count} boxes${more}`);
  }
  const activate = activationOf(card.activation);
  return {
    count,
    box: (index) => {
      const [one = 0, two = 0, three = 0, four = 0] = boxes.subarray(index * BOX_NUMBERS);
      return [one, two, three, four];
    },
    scores: (index) => activate([...scores.subarray(index * length, (index + 1) * length)]),
    ...(classes && { classOf: (index: number) => classes[index] ?? 0 }),
  };
}

function finiteValues(tensor: OutputTensor): TensorValues {
  const values = valuesOf(tensor);
  refuseNotFinite(values);
  return values;
}

/** Whole numbers of any type. */
function classesOf(tensor: OutputTensor): ArrayLike<number> {
  const { data } = tensor;
  if (data instanceof BigInt64Array) return Array.from(data, Number);
  return data instanceof Int32Array ? data : finiteValues(tensor);
}

function activationOf(activation: DetectionsOutput['activation']): (scores: number[]) => number[] {
  if (activation === 'softmax') return toProbabilities;
  return activation === 'sigmoid' ? (scores) => scores.map((score) => 1 / (1 + Math.exp(-score))) : (scores) => scores;
}
