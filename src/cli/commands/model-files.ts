import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseCard } from '../../model-card/schema.js';
import { checkInputFile } from './checks.js';

/** The files that are stored with a model. */
interface ModelFiles {
  card?: string;
  labels?: string;
}

/**
 * The card and the label file of a model file: those that were asked for, else `candy.json` next to `candy.onnx` and the
 * label file that the card names, which lies next to the card.
 * @throws JobError `user`: a file cannot be read, or the card is none.
 */
export async function filesOf(model: string, asked: ModelFiles): Promise<ModelFiles> {
  const card = asked.card ?? (await cardBeside(model));
  const labels = asked.labels ?? (card === undefined ? undefined : await labelsOf(card));
  return { card, labels };
}

async function cardBeside(model: string): Promise<string | undefined> {
  const card = model.replace(/\.onnx$/i, '.json');
  if (!existsSync(card)) return undefined;
  await checkInputFile(card, 'model card');
  return card;
}

async function labelsOf(card: string): Promise<string | undefined> {
  const { output = {} } = parseCard(await readFile(card, 'utf8'));
  if (!('labels' in output) || typeof output.labels !== 'string') return undefined;
  const file = path.resolve(path.dirname(card), output.labels);
  await checkInputFile(file, 'label file');
  return file;
}
