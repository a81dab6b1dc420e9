import { constants } from 'node:fs';
import { access, open, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { JobError, messageOf } from '../../job/failure.js';
import type { JobOptions } from './run-job.js';

/**
 * Checks a file that the user named before anything is started.
 * @throws JobError `user`: what is wrong with it and which option named it.
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

/** @throws JobError `user` when the file could not be written there at the end. */
export async function checkOutputFile(file: string, option: string): Promise<void> {
  const folder = path.dirname(file);
  const existing = await stat(file).catch(() => undefined);
  if (existing?.isDirectory()) throw new JobError('user', `${file} is a folder; name a file with ${option}.`);
  const parent = await stat(folder).catch(() => undefined);
  if (!parent?.isDirectory())
    throw new JobError('user', `The folder ${folder} does not exist; create it or name another file with ${option}.`);
  const part = `${file}.part`;
  try {
    // Only trying tells: permissions, read-only and special file systems.
    await (await open(part, 'w')).close();
    await rm(part);
  } catch (cause) {
    throw new JobError(
      'user',
      `${file} cannot be written (${messageOf(cause)}); check the permissions or name another file with ${option}.`,
      { cause },
    );
  }
}

/**
 * @param outputs by the option that named each.
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

/** Whether `--model` names a file, not a model of the app. */
export const isModelFile = (model: string) =>
  model.endsWith('.onnx') || model.includes('/') || model.includes(path.sep);

/** The files that go with the model. */
export async function checkModelFiles(options: JobOptions): Promise<void> {
  if (isModelFile(options.model)) await checkInputFile(options.model, 'model');
  for (const [option, file, what] of [
    ['--card', options.card, 'card'],
    ['--labels', options.labels, 'labels'],
  ] as const) {
    if (file === undefined) continue;
    if (!isModelFile(options.model))
      throw new JobError('user', `${option} goes with a model file; "${options.model}" has its own ${what}.`);
    await checkInputFile(file, option === '--card' ? 'model card' : 'label file');
  }
  if (options.style !== undefined) await checkInputFile(options.style, 'style picture');
}
