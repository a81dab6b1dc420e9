import { access } from 'node:fs/promises';
import path from 'node:path';
import { JobError } from '../job/failure.js';
import type { JobSpec } from '../job/spec.js';
import { isNotFound, listPage, readText, type Storage } from '../storage/storage.js';
import { listBlobOf, missingList } from './images/listed-pictures.js';
import { cardBlob, labelsBlob, mediaBlob, modelBlob, modelsOf, splitPath } from './layout.js';

const MISSING = {
  video: (name: string) => `There is no video ${name} in the media storage account; upload it first.`,
  url: (url: string) =>
    `The video that was fetched from ${url} has been removed; fetch it again and score everything with {"fromScratch": true}.`,
  audio: (name: string) => `There is no sound file ${name} in the media storage account; upload it first.`,
  images: (prefix: string) => `There is nothing below ${prefix} in the media storage account; upload the images first.`,
  style: (name: string) => `There is no style picture ${name} in the media storage account; upload it first.`,
  model: (name: string) =>
    `There is no model "${name}"; upload its .onnx file first, or use "starry-night", which comes with the app.`,
};

/** The one sentence for something that a job names and that is not there. */
export const missingInput = (what: keyof typeof MISSING, name: string) => new JobError('user', MISSING[what](name));

interface InputPorts {
  storage: Storage;
  /** Folder of the models that come with the app. */
  bundledModels: string;
  /** Refuses URLs whose files are not fetched. */
  urls?: { check: (url: string) => void } | undefined;
}

const NO_URLS = {
  check: () => {
    throw new JobError('user', 'This app fetches no files; upload the video.');
  },
};

/**
 * Asks whether all that a job names is there, before the job starts.
 * @returns the bytes of its video; 0 for images, of which nobody knows before they are listed.
 * @throws JobError `user` that names the first thing that is missing.
 */
export async function requireInputs(
  { storage, bundledModels, urls = NO_URLS }: InputPorts,
  { input, style, model }: JobSpec,
): Promise<number> {
  if (input.url !== undefined) urls.check(input.url);
  const list = input.list === undefined ? undefined : listBlobOf(storage, input.list);
  const [bytes, hasImages, hasList, hasAudio, hasStyle, hasModel] = await Promise.all([
    // What is fetched comes when the job has begun.
    input.video === undefined || input.url !== undefined ? 0 : bytesOf(storage, input.video),
    input.images === undefined || hasBlobs(storage, input.images),
    list === undefined || list.blob.exists(),
    input.audio === undefined || mediaBlob(storage, input.audio).exists(),
    style === undefined || mediaBlob(storage, style).exists(),
    modelsOf(storage).getBlobClient(modelBlob(model)).exists(),
  ]);
  if (bytes === undefined) throw missingInput('video', input.video ?? '');
  if (!hasImages) throw missingInput('images', input.images ?? '');
  if (list && !hasList) throw missingList(list.name);
  if (!hasAudio) throw missingInput('audio', input.audio ?? '');
  if (!hasStyle) throw missingInput('style', style ?? '');
  if (!hasModel && !(await isBundled(bundledModels, model))) throw missingInput('model', model);
  return bytes;
}

/** Undefined when there is no such blob. @throws JobError `platform` while it is being copied there. */
async function bytesOf(storage: Storage, video: string): Promise<number | undefined> {
  try {
    const { contentLength = 0, copyStatus } = await mediaBlob(storage, video).getProperties();
    if (copyStatus === 'pending')
      throw new JobError('platform', `The video ${video} is still being copied; try again when it is whole.`);
    return contentLength;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Whether there is any blob whose path starts so. */
async function hasBlobs(storage: Storage, start: string): Promise<boolean> {
  const { container, blob: prefix } = splitPath(start);
  const { items } = await listPage(storage.media.getContainerClient(container), { prefix }, undefined, 1);
  return items.length > 0;
}

const isBundled = (bundledModels: string, model: string): Promise<boolean> =>
  access(path.join(bundledModels, modelBlob(model))).then(
    () => true,
    () => false,
  );

/**
 * Copies a model that comes with the app to where scorers find it, unless there is one of this name.
 * @throws JobError `user` when there is no such model anywhere.
 */
export async function publishBundledModel(storage: Storage, bundledModels: string, model: string): Promise<void> {
  const models = modelsOf(storage);
  const blob = models.getBlockBlobClient(modelBlob(model));
  if (await blob.exists()) return;
  if (!(await isBundled(bundledModels, model))) throw missingInput('model', model);
  await models.createIfNotExists();
  await models.getBlockBlobClient(cardBlob(model)).uploadFile(path.join(bundledModels, cardBlob(model)));
  await blob.uploadFile(path.join(bundledModels, modelBlob(model)));
}

/** What its owner says of a model: its card and its labels as text, each undefined when there is none. */
export async function readModelTexts(
  storage: Storage,
  model: string,
): Promise<{ card: string | undefined; labels: string | undefined }> {
  const models = modelsOf(storage);
  const [card, labels] = await Promise.all([readText(models, cardBlob(model)), readText(models, labelsBlob(model))]);
  return { card, labels };
}
