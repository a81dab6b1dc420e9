import { checkLabels } from '../../model-card/labels.js';
import type { ClassesOutput } from '../../model-card/schema.js';
import type { TensorValues } from '../tensors/tensor.js';

export interface FoundClass {
  index: number;
  /** As the card's list of labels says. */
  label?: string;
  score: number;
}

/**
 * The best classes, the best first; of equal scores the one that comes first.
 * @throws JobError `user`: the labels are not as many as the scores.
 */
export function classify(values: TensorValues, { top, softmax, labels }: ClassesOutput): FoundClass[] {
  checkLabels(labels, values.length);
  const scores = softmax ? toProbabilities(values) : [...values];
  return scores
    .map((score, index) => ({ score, index }))
    .toSorted((one, other) => other.score - one.score || one.index - other.index)
    .slice(0, top)
    .map(({ score, index }) => named(index, score, labels));
}

export function named(index: number, score: number, labels: string[]): FoundClass {
  const label = labels[index];
  return { index, ...(label !== undefined && { label }), score };
}

/** Of logits of any size. */
export function toProbabilities(values: ArrayLike<number>): number[] {
  const logits = Array.from(values);
  const highest = logits.reduce((one, other) => Math.max(one, other), -Infinity);
  const weights = logits.map((value) => Math.exp(value - highest));
  const sum = weights.reduce((one, other) => one + other, 0);
  return weights.map((weight) => weight / sum);
}

/** What rounding adds to a probability, or takes from it. */
const ROUNDING = 1e-3;

/** A sentence, the same for all of them, when scores that are passed on as they are plainly are no probabilities. */
export function doubtScores(values: TensorValues, { softmax }: ClassesOutput): string | undefined {
  const isNone = (value: number) => Number.isFinite(value) && (value < -ROUNDING || value > 1 + ROUNDING);
  if (softmax || !values.some(isNone)) return undefined;
  return 'Scores of the classes are below 0 or above 1, so they are no probabilities: if the model gives logits, write "softmax": true into the "output" of the model card.';
}
