import { JobError } from '../../job/failure.js';
import type { DetectionsOutput } from '../../model-card/schema.js';
import { toProbabilities } from './classes.js';
import { planRows } from '../../model-card/detector-outputs.js';
import type { Size } from '../pictures/codec.js';
import { numbersOf, type OutputTensor, type TensorValues, valuesOf } from '../tensors/tensor.js';
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

const BOX_NUMBERS = 4;

/**
 * @param pick gives an output of the model by name.
 * @param input what the model saw.
 * @throws JobError `item`: the shapes do not go together, or values are no numbers; gives them. `user`: the card does not go with the shapes.
 */
export function readBoxTable(card: DetectionsOutput, pick: (name: string) => OutputTensor, input: Size): BoxTable {
  return card.boxes === card.name ? readRows(card, pick(card.name), input) : readTensors(card, pick);
}

/** One tensor: each row, or column, is a box with its scores. */
function readRows(card: DetectionsOutput, tensor: OutputTensor, input: Size): BoxTable {
  const { name, type, dims } = { name: card.name, ...tensor };
  const values = finiteValues(tensor);
  const known = { ...card, chosen: card.classes === card.name };
  const [one = 0, other = 0] = dims.slice(-2);
  if (one * other === 0) return { count: 0, box: () => [0, 0, 0, 0], scores: () => [] };
  const refusal = new JobError('item', `the model gave boxes of shape [${dims.join(',')}]`);
  if (dims.length < 2 || values.length !== one * other) throw refusal;
  const rows = planRows({ name, type, shape: [...dims] }, known, { labels: card.labels.length, input });
  if (rows === undefined) throw refusal;
  const { transposed, numbers, objectness, class: place } = rows;
  const count = values.length / numbers;
  const at = (row: number, number: number) => values[transposed ? number * count + row : row * numbers + number] ?? 0;
  const activate = activationOf(card.activation);
  return {
    count,
    box: (row) => [at(row, rows.box), at(row, rows.box + 1), at(row, rows.box + 2), at(row, rows.box + 3)],
    scores: (row) => {
      const scores = activate(Array.from({ length: rows.scores }, (_, index) => at(row, rows.score + index)));
      if (objectness === undefined) return scores;
      const [sure = 0] = activate([at(row, objectness)]);
      return scores.map((score) => score * sure);
    },
    ...(place !== undefined && { classOf: (row: number) => at(row, place) }),
  };
}

/** Boxes, scores and perhaps classes in tensors of their own. */
function readTensors(card: DetectionsOutput, pick: (name: string) => OutputTensor): BoxTable {
  const { transposed = false } = card;
  const [tensor, boxes] = [pick(card.name), finiteValues(pick(card.boxes))];
  const scores = finiteValues(tensor);
  const room = boxes.length / BOX_NUMBERS;
  const classes = card.classes === undefined ? undefined : classesOf(pick(card.classes));
  const length = classes === undefined ? (tensor.dims.at(transposed ? -2 : -1) ?? 0) : 1;
  const fits =
    scores.length === room * length && (classes === undefined ? tensor.dims.length > 1 : classes.length === room);
  if (!fits) {
    const more = classes === undefined ? '' : ` and ${classes.length} classes`;
    throw new JobError('item', `the model gave scores of shape [${tensor.dims.join(',')}], ${room} boxes${more}`);
  }
  const used = card.count === undefined ? room : Math.min(room, numbersOf(pick(card.count))[0] ?? room);
  const activate = activationOf(card.activation);
  const at = (values: TensorValues, box: number, number: number, numbers: number) =>
    values[transposed ? number * room + box : box * numbers + number] ?? 0;
  const of = (box: number, number: number) => at(boxes, box, number, BOX_NUMBERS);
  return {
    count: used,
    box: (index) => [of(index, 0), of(index, 1), of(index, 2), of(index, 3)],
    scores: (index) => activate(Array.from({ length }, (_, place) => at(scores, index, place, length))),
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
