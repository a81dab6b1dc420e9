import { constants, existsSync } from 'node:fs';
import { access, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { JobError, messageOf } from '../../job/failure.js';
import { checkWholeModel } from './whole-model.js';

/**
 * Checks a file that the user named, before anything is started.
 * @throws JobError `user`: what is wrong with the file.
 */
export async function checkInputFile(file: string, what: string): Promise<void> {
  const facts = await stat(file).catch((cause: unknown) => {
    throw new JobError('user', `There is no ${what} ${file}; check the path.`, { cause });
  });
  if (!facts.isFile()) throw new JobError('user', `The ${what} ${file} is not a file; name a file.`);
  if (facts.size === 0) throw new JobError('user', `The ${what} ${file} is empty; copy or download it again.`);
  await access(file, constants.R_OK).catch((cause: unknown) => {
    throw new JobError('user', `The ${what} ${file} cannot be read; check its permissions.`, { cause });
  });
}

/** @throws JobError `user` when the file, which the option names, could not be written in the end, or is there and may not be replaced. */
export async function checkOutputFile(file: string, option: string, overwrite = false): Promise<void> {
  const folder = path.dirname(file);
  const existing = await stat(file).catch(() => undefined);
  if (existing?.isDirectory()) throw new JobError('user', `${file} is a folder; name a file with ${option}.`);
  if (existing && existing.size > 0 && !overwrite)
    throw new JobError('user', `${file} exists already; name another file with ${option}, or add --overwrite.`);
  const parent = await stat(folder).catch(() => undefined);
  if (!parent?.isDirectory())
    throw new JobError('user', `The folder ${folder} does not exist; create it or name another file with ${option}.`);
  try {
    await tryToWrite(folder);
  } catch (cause) {
    throw new JobError(
      'user',
      `${file} cannot be written (${messageOf(cause)}); check the permissions or name another file with ${option}.`,
      { cause },
    );
  }
}

/** Permissions, read-only and special file systems: only trying tells. */
async function tryToWrite(folder: string): Promise<void> {
  const part = path.join(folder, `.part-${process.pid}`);
  await (await open(part, 'w')).close();
  await rm(part, { force: true });
}

/**
 * Checks a folder, which `--out` names, without making it: a command that is refused leaves nothing.
 * @throws JobError `user` when it could not be made or written to in the end.
 */
export async function checkOutputFolder(folder: string): Promise<void> {
  let nearest = folder;
  while (!existsSync(nearest) && nearest !== path.dirname(nearest)) nearest = path.dirname(nearest);
  await tryToWrite(nearest).catch((cause: unknown) => cannotWrite(folder, cause));
}

/** @throws JobError `user` when it cannot be made. */
export async function makeOutputFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => cannotWrite(folder, cause));
}

function cannotWrite(folder: string, cause: unknown): never {
  throw new JobError(
    'user',
    `The folder ${folder} cannot be written (${messageOf(cause)}); name another one with --out.`,
    { cause },
  );
}

/**
 * @param outputs each with the option that names it.
 * @throws JobError `user` when an output would replace a file that the job reads, or another output.
 */
export async function checkDistinct(outputs: [option: string, file: string][], inputs: string[]): Promise<void> {
  const taken = new Map<string, string>();
  for (const file of inputs) taken.set(await identityOf(file), 'is read by the job');
  for (const [option, file] of outputs) {
    const identity = await identityOf(file);
    const why = taken.get(identity);
    if (why !== undefined) throw new JobError('user', `${file} ${why}; name another file with ${option}.`);
    taken.set(identity, 'is named twice');
  }
}

/** The same for two names of one file: links, and other spellings where case does not matter. */
async function identityOf(file: string): Promise<string> {
  const facts = await stat(file).catch(() => undefined);
  return facts ? `${facts.dev} ${facts.ino}` : path.resolve(file);
}

/** The model and the files that go with it. */
export interface ModelChoice {
  /** Name of a model of the app, or an .onnx file. */
  model: string;
  card?: string;
  /** Names of the model's classes. */
  labels?: string;
  style?: string;
}

/** Whether `--model` names a file, not a model of the app. */
export const isModelFile = (model: string) =>
  model.endsWith('.onnx') || model.includes('/') || model.includes(path.sep);

/** @throws JobError `user` when a file of the model cannot be read, or goes with no model file. */
export async function checkModelFiles({ model, card, labels, style }: ModelChoice): Promise<void> {
  if (isModelFile(model)) {
    await checkInputFile(model, 'model');
    await checkWholeModel(model);
  }
  for (const { option, file, its, what } of [
    { option: '--card', file: card, its: 'card', what: 'model card' },
    { option: '--labels', file: labels, its: 'labels', what: 'label file' },
  ]) {
    if (file === undefined) continue;
    if (!isModelFile(model))
      throw new JobError('user', `${option} goes with a model file; "${model}" has its own ${its}.`);
    await checkInputFile(file, what);
  }
  if (style !== undefined) await checkInputFile(style, 'style picture');
}

/**
 * The card and the label file of a model file: those that the user named, else `candy.json` next to `candy.onnx` and the
 * label file that the card names, which lies next to the card.
 * @throws JobError `user` when a file cannot be read or the card is not valid.
 */
export async function filesOfModel({ model, card, labels }: ModelChoice): Promise<{ card?: string; labels?: string }> {
  const itsCard = card ?? (await cardBeside(model));
  const itsLabels = labels ?? (itsCard === undefined ? undefined : await labelsOf(itsCard));
  return { card: itsCard, labels: itsLabels };
}

async function cardBeside(model: string): Promise<string | undefined> {
  const card = model.replace(/\.onnx$/i, '.json');
  if (!existsSync(card)) return undefined;
  await checkInputFile(card, 'model card');
  return card;
}

async function labelsOf(card: string): Promise<string | undefined> {
  // The reader of cards brings the schema library, which most commands do without.
  const { parseCard } = await import('../../model-card/schema.js');
  const { output = {} } = parseCard(await readFile(card, 'utf8'));
  if (!('labels' in output) || typeof output.labels !== 'string') return undefined;
  const file = path.resolve(path.dirname(card), output.labels);
  await checkInputFile(file, 'label file');
  return file;
}
