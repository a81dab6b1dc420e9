import type { HttpHandler } from '@azure/functions';
import type { BlobClient } from '@azure/storage-blob';
import { z } from 'zod';
import { JobError } from '../job/failure.js';
import { cardBlob, INBOX, labelsBlob, modelBlob, modelsOf, STYLES } from '../job-store/layout.js';
import { blobSas, type Storage } from '../storage/storage.js';
import { answerError } from './answers.js';
import { type ImageUpload, imagesSchema, NAME, placeImages, WRITE_MS } from './image-uploads.js';
import { randomId } from './random-id.js';

const schema = z.strictObject({
  kind: z.enum(['video', 'style', 'model']),
  name: z.string().regex(NAME),
});

/** The answer: `path` is what a job specification names; each URL takes one blob, for an hour. */
export interface Upload {
  path: string;
  url: string;
  /** Where the card of a model goes. */
  cardUrl?: string;
  /** Where the label file of a model goes. */
  labelsUrl?: string;
}

/** `POST /api/uploads` with `{kind, name}`: a place in storage for one file or many images, for clients that have no access of their own. */
export function createCreateUpload({ storage }: { storage: Storage }): HttpHandler {
  return async (request, context) => {
    try {
      return { status: 201, jsonBody: await place(storage, parse(await request.text())) };
    } catch (error) {
      return answerError(error, (message) => context.error(message));
    }
  };
}

function place(storage: Storage, wanted: Wanted): Promise<Upload | ImageUpload> {
  if (wanted.kind === 'images') return placeImages(storage, wanted);
  const { kind, name } = wanted;
  return kind === 'model' ? placeModel(storage, name) : placeMedia(storage, kind === 'video' ? INBOX : STYLES, name);
}

type Wanted = z.output<typeof schema> | z.output<typeof imagesSchema>;

function parse(text: string): Wanted {
  try {
    return z.union([schema, imagesSchema]).parse(JSON.parse(text));
  } catch (cause) {
    const message =
      'An upload is asked for with {"kind":"video|style|model","name":"NAME"} or {"kind":"images","name":"NAME","names":["a.jpg",…]} for at most 1000 images, NAME in letters, digits, ".", "_" and "-".';
    throw new JobError('user', message, { cause });
  }
}

/** A folder of its own for each upload, so that none overwrites another. */
async function placeMedia(storage: Storage, container: string, name: string): Promise<Upload> {
  const client = storage.media.getContainerClient(container);
  await client.createIfNotExists();
  const blob = `${randomId()}/${name}`;
  return { path: `${container}/${blob}`, url: await writable(storage, client.getBlobClient(blob)) };
}

async function placeModel(storage: Storage, name: string): Promise<Upload> {
  const models = modelsOf(storage);
  await models.createIfNotExists();
  const model = `${name.replace(/\.onnx$/i, '')}-${randomId()}`;
  const urlOf = (blob: string) => writable(storage, models.getBlobClient(blob));
  return {
    path: model,
    url: await urlOf(modelBlob(model)),
    cardUrl: await urlOf(cardBlob(model)),
    labelsUrl: await urlOf(labelsBlob(model)),
  };
}

const writable = (storage: Storage, blob: BlobClient) => blobSas(storage, blob, 'cw', Date.now() + WRITE_MS);
