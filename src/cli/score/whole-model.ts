import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { JobError } from '../../job/failure.js';

/** Says in a model that values are in a file. */
const MARK = 'location';
/** What ONNX Runtime takes at most. */
const MOST_BYTES = 2 ** 31 - 1;

/**
 * Checks a model file and the files beside it that hold its weights, if it has some.
 * @throws JobError `user`: a file is missing, too large together, or not beside the model.
 */
export async function checkWholeModel(model: string): Promise<void> {
  await findDataFiles(model);
}

/**
 * The model as one file: itself, or a temporary one with the weights that the model keeps in files beside it, as PyTorch's exporter
 * writes them since 2.9.
 * @throws JobError `user`: as `checkWholeModel`.
 */
export async function joinModel(model: string): Promise<{ file: string; remove: () => Promise<void> }> {
  const data = await findDataFiles(model);
  if (data.length === 0) return { file: model, remove: () => Promise.resolve() };
  const bytes = await readWhole(model, data);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'model-'));
  const file = path.join(folder, path.basename(model));
  await writeFile(file, bytes);
  return { file, remove: () => rm(folder, { recursive: true, force: true }) };
}

/**
 * Writes a model with all of its weights into one file.
 * @throws JobError `user`: as `checkWholeModel`, or the model is one file already.
 */
export async function joinInto(model: string, out: string): Promise<string[]> {
  const data = await findDataFiles(model);
  if (data.length === 0) throw new JobError('user', `${model} holds all of its weights; there is nothing to join.`);
  await writeFile(out, await readWhole(model, data));
  return data;
}

async function readWhole(model: string, data: string[]): Promise<Uint8Array> {
  const { withExternalData } = await import('../../scorer/onnx/external-data.js');
  const files = new Map<string, Uint8Array>();
  for (const name of data) files.set(name, await readFile(besideModel(model, name)));
  return withExternalData(await readFile(model), files);
}

const besideModel = (model: string, name: string) => path.join(path.dirname(model), name);

/** The names of the files with a model's weights. */
async function findDataFiles(model: string): Promise<string[]> {
  let total = (await stat(model)).size;
  refuseTooLarge(model, total);
  if (!(await mentions(model, MARK))) return [];
  const { externalFiles } = await import('../../scorer/onnx/external-data.js');
  const names = externalFiles(await readFile(model));
  for (const place of names) {
    const name = place.replace(/^(?:\.\/)+/, '');
    // Whoever made the model must not choose which files of this computer are read.
    if (name === '' || name === '.' || name === '..' || /[/\\\0]/.test(name) || path.basename(name) !== name)
      throw new JobError(
        'user',
        `The model ${model} wants its weights from "${place.slice(0, 200)}"; only files in its own folder are read: export it again into one folder.`,
      );
    const facts = await stat(besideModel(model, name)).catch(() => undefined);
    if (facts?.isFile() !== true)
      throw new JobError(
        'user',
        `The weights of the model ${model} are in ${name}, which is not beside it; copy or download that file into the same folder, too.`,
      );
    total += facts.size;
  }
  refuseTooLarge(model, total);
  return names;
}

function refuseTooLarge(model: string, bytes: number): void {
  if (bytes > MOST_BYTES)
    throw new JobError(
      'user',
      `The model ${model} has ${(bytes / 2 ** 30).toFixed(1)} GiB with its weights, and models of 2 GiB and more do not run: export it smaller, for example in float16.`,
    );
}

/** Whether a text is in a file, which may be large. */
async function mentions(file: string, text: string): Promise<boolean> {
  let end: Buffer = Buffer.alloc(0);
  const chunks: AsyncIterable<Buffer> = createReadStream(file, { highWaterMark: 1024 * 1024 });
  for await (const chunk of chunks) {
    const seen = Buffer.concat([end, chunk]);
    if (seen.includes(text)) return true;
    end = seen.subarray(-text.length);
  }
  return false;
}
