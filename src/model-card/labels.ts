import * as z from 'zod';
import { counted, JobError } from '../job/failure.js';
import type { TensorSignature } from './signature.js';

const listSchema = z.array(z.string());
/** The two forms that image classifiers come with: `{"0": "tench"}` and Keras' `{"0": ["n01440764", "tench"]}`. */
const indexSchema = z.record(z.string().regex(/^\d+$/), z.union([z.string(), z.array(z.string()).min(1)]));

/**
 * The labels in a label file, in the model's order: one per line, or a JSON list of names, or a JSON object of names by index.
 * @throws JobError `user`: the file holds none, leaves an index out, or is no UTF-8 text.
 */
export function parseLabels(text: string): string[] {
  // What decoding puts in place of bytes that are no UTF-8; UTF-16 has a zero in most letters.
  if (/[\0\uFFFD]/.test(text))
    throw new JobError('user', "The model's label file is not UTF-8 text: save it as UTF-8.");
  const plain = text.replace(/^\uFEFF/, '');
  const labels = /^\s*[[{]/.test(plain) ? parseJson(plain) : plain.trimEnd().split(/\r?\n/);
  if (labels.every((label) => label.trim() === '')) throw broken('holds no labels');
  return labels.map((label) => label.trim());
}

function parseJson(text: string): string[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw broken('begins like JSON but is not valid JSON', cause);
  }
  const list = listSchema.safeParse(json);
  if (list.success) return list.data;
  const byIndex = indexSchema.safeParse(json);
  if (!byIndex.success) throw broken('is neither a JSON list of names nor a JSON object of names by index');
  const names = byIndex.data;
  return Array.from({ length: Object.keys(names).length }, (_, index) => {
    const name = names[String(index)];
    if (name === undefined) throw broken(`has no label for class ${index}`);
    return typeof name === 'string' ? name : (name.at(-1) ?? '');
  });
}

function broken(what: string, cause?: unknown): JobError {
  return new JobError(
    'user',
    `The model's label file ${what}: write one label per line, in the order of the classes.`,
    {
      cause,
    },
  );
}

/**
 * The labels of a model: the card's own list, or those in its label file, or those in the model's own metadata; empty when it has none.
 * @param labels the list in the card, or the name of its label file.
 * @param file the labels in the file that is stored with the model.
 * @param own the names in the model's metadata.
 * @throws JobError `user`: the file is missing, or there are labels in both places.
 */
export function chooseLabels(
  labels: string[] | string | undefined,
  file: string[] | undefined,
  own: string[] = [],
): string[] {
  if (typeof labels === 'string' && file === undefined)
    throw new JobError(
      'user',
      `The model card names the label file "${labels}", but it is not stored with the model: upload it with the model and its card.`,
    );
  if (Array.isArray(labels) && labels.length > 0 && file !== undefined)
    throw new JobError(
      'user',
      'The model card lists labels, but a label file is stored with the model too: remove one of them.',
    );
  if (file !== undefined) return file;
  return Array.isArray(labels) && labels.length > 0 ? labels : own;
}

/**
 * @param classes how many the model gives; undefined when only a run shows it.
 * @throws JobError `user`: there are not as many labels as classes.
 */
export function checkLabels(labels: string[], classes: number | undefined): void {
  if (labels.length === 0 || classes === undefined || labels.length === classes) return;
  throw new JobError(
    'user',
    `The model gives ${counted(classes, 'class')}, but its card or label file names ${labels.length}: give one label for each class, in the model's order.`,
  );
}

/** How many scores a class output has for each picture; undefined when a dimension is free. */
export function countClasses({ shape }: TensorSignature): number | undefined {
  const own = shape.length > 1 ? shape.slice(1) : shape;
  const sizes = own.filter((dimension) => typeof dimension === 'number');
  if (sizes.length === 0 || sizes.length < own.length) return undefined;
  return sizes.reduce((product, size) => product * size, 1);
}
