import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ListedModel, ModelList } from '../../api/models.js';
import { JobError, unbroken } from '../../job/failure.js';
import { parseCard } from '../../model-card/schema.js';
import { findStack } from '../../stack/stack.js';
import type { Place } from '../around.js';
import { findApp } from '../client/connect.js';
import { APP_FOLDER } from '../installed.js';
import { checkInputFile } from '../score/user-files.js';

/**
 * The models that a job can name: those of the app that is named or runs here, else those that come with it; with them the files that are
 * named.
 * @param files .onnx files, or folders that hold some.
 */
export async function listModels(files: string[], place: Place & { signal: AbortSignal }): Promise<ModelList> {
  const isThere = place.url !== undefined || (await findStack(place.data)) !== undefined;
  const models = isThere
    ? (await (await findApp(place)).models()).models
    : await describeAll(await modelsIn(path.join(APP_FOLDER, 'models')), true);
  const own: string[] = [];
  for (const file of files) own.push(...((await isFolder(file)) ? await filesIn(file) : [await checked(file)]));
  return { models: [...models, ...(await describeAll(own, false))] };
}

const isFolder = (file: string) =>
  stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );

async function checked(file: string): Promise<string> {
  await checkInputFile(file, 'model');
  return file;
}

/** @throws JobError `user` when there is none. */
async function filesIn(folder: string): Promise<string[]> {
  const found = await modelsIn(folder);
  if (found.length === 0) throw new JobError('user', `The folder ${folder} holds no .onnx file; name another one.`);
  return found;
}

const modelsIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder))
    .filter((name) => /\.onnx$/i.test(name))
    .toSorted()
    .map((name) => path.join(folder, name));

const describeAll = (files: string[], isBundled: boolean) =>
  Promise.all(files.map((file) => describe(file, isBundled)));

async function describe(file: string, isBundled: boolean): Promise<ListedModel> {
  const text = await readFile(file.replace(/\.onnx$/i, '.json'), 'utf8').catch(() => undefined);
  const card = text === undefined ? undefined : parseCard(text);
  const kind = card?.output?.kind;
  return {
    name: isBundled ? path.basename(file, '.onnx') : file,
    bundled: isBundled,
    description: card?.description ?? '',
    // Without a card only the model itself would tell.
    gives: card === undefined ? null : (kind ?? 'image'),
    takesStyle: card?.style !== undefined && card.style !== null,
    bytes: (await stat(file)).size,
    example: null,
  };
}

export function renderModels({ models }: ModelList): string {
  if (models.length === 0) return 'There is no model; name an .onnx file to "score".';
  const width = Math.max(...models.map(({ name }) => name.length));
  return models
    .map(({ name, description, gives, takesStyle, bytes }) => {
      const what = `${gives ?? 'its card does not say what it gives'}${takesStyle ? ', with a style picture' : ''}`;
      return unbroken(
        `${name.padEnd(width)}  ${(bytes / 1e6).toFixed(1).padStart(7)} MB  ${what}${description === '' ? '' : `: ${description}`}`,
      );
    })
    .join('\n');
}
