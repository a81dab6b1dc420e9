import type { BlobClient } from '@azure/storage-blob';
import {
  type FileUploadRequest,
  type ImagesUploadRequest,
  type InboxUploadRequest,
  type ImageUpload,
  type MediaUploadRequest,
  type Upload,
  type UploadRequest,
  uploadRequestSchema,
} from '../api/uploads.js';
import { hasUnusableCharacters, hasUnusableParts } from '../job/items/blob-names.js';
import { JobError } from '../job/failure.js';
import {
  cardBlob,
  INBOX,
  inboxOf,
  labelsBlob,
  mediaBlob,
  modelBlob,
  modelsOf,
  splitPath,
  STYLES,
  UPLOADS,
} from '../job-store/layout.js';
import { blobSas, type Storage } from '../storage/storage.js';
import { ownPlaces } from '../job-store/callers/own-places.js';
import { type Caller, type Callers, OPERATORS_ONLY } from './callers.js';
import { refuse } from './http.js';
import { randomId } from './jobs.js';

const WRITABLE_MS = 3_600_000;

/** `POST /api/uploads`: a place in storage for one file or many images, for clients that have no access of their own. */
export const createCreateUpload = ({ storage, callers }: { storage: Storage; callers: Callers }) =>
  callers.known(async (request, _, caller) => {
    const asked = parse(await request.text());
    if (asked.kind === 'inbox' && caller.sees === 'own') return refuse(403, OPERATORS_ONLY);
    return { status: 201, jsonBody: await place(storage, asked, caller) };
  });

function parse(text: string): UploadRequest {
  try {
    return uploadRequestSchema.parse(JSON.parse(text));
  } catch (cause) {
    const message =
      'An upload is asked for with {"kind":"video|audio|style|model","name":"NAME"} or {"kind":"images","name":"NAME","names":["a.jpg",…]} for at most 1000 images, or {"kind":"inbox","name":"FILE","folder":"FOLDER"}, NAME in letters, digits, ".", "_" and "-", without a dot at its end.';
    throw new JobError('user', message, { cause });
  }
}

function place(storage: Storage, request: UploadRequest, caller: Caller): Promise<Upload | ImageUpload> {
  if (request.kind === 'images') return placeImages(storage, request, caller);
  if (request.kind === 'inbox') return placeInbox(storage, request);
  return request.kind === 'model' ? placeModel(storage, request.name) : placeMedia(storage, request, caller);
}

/** Paths that end in "/", below which uploads have folders of their own. */
function foldersOf({ id, sees }: Caller): { uploads: string; styles: string } {
  return sees === 'own' ? ownPlaces(id) : { uploads: `${INBOX}/${UPLOADS}/`, styles: `${STYLES}/` };
}

/** A folder of its own for each upload, so that none overwrites another. */
async function placeMedia(
  storage: Storage,
  request: FileUploadRequest | MediaUploadRequest,
  caller: Caller,
): Promise<Upload> {
  const { uploads, styles } = foldersOf(caller);
  const { kind, name } = request;
  const earlier = 'path' in request ? request.path : undefined;
  const folder = kind === 'style' ? styles : uploads;
  const path = earlier ?? `${folder}${randomId()}/${name}`;
  if (!path.startsWith(folder)) throw notYours(folder);
  await storage.media.getContainerClient(splitPath(path).container).createIfNotExists();
  const permissions = earlier === undefined ? 'cwd' : 'rcw';
  return { path, url: await blobSas(storage, mediaBlob(storage, path), permissions, Date.now() + WRITABLE_MS) };
}

const notYours = (folder: string) =>
  new JobError('user', `"path" must be what an answer to you gave, below ${folder}.`);

/** Where it is looked at as new media, and takes the place of what has the same name. */
async function placeInbox(storage: Storage, { name, folder }: InboxUploadRequest): Promise<Upload> {
  const client = inboxOf(storage);
  await client.createIfNotExists();
  const blob = folder === undefined ? name : `${folder}/${name}`;
  return { path: `${INBOX}/${blob}`, url: await writable(storage, client.getBlobClient(blob)) };
}

async function placeModel(storage: Storage, name: string): Promise<Upload> {
  const models = modelsOf(storage);
  await models.createIfNotExists();
  const model = `${name.replace(/\.onnx$/i, '')}-${randomId()}`;
  const urlOf = (blob: string) => lent(storage, models.getBlobClient(blob));
  return {
    path: model,
    url: await urlOf(modelBlob(model)),
    cardUrl: await urlOf(cardBlob(model)),
    labelsUrl: await urlOf(labelsBlob(model)),
  };
}

/** A folder of its own for each upload, whose later requests name the first one's path. */
async function placeImages(
  storage: Storage,
  { name, names, path: earlier }: ImagesUploadRequest,
  caller: Caller,
): Promise<ImageUpload> {
  names.forEach(checkImageName);
  const { uploads } = foldersOf(caller);
  const path = earlier ?? `${uploads}${randomId()}/${name}/`;
  if (!path.startsWith(uploads)) throw notYours(uploads);
  const container = storage.media.getContainerClient(INBOX);
  await container.createIfNotExists();
  const prefix = path.slice(INBOX.length + 1);
  const urls = names.map((image) => lent(storage, container.getBlobClient(`${prefix}${image}`)));
  return { path, urls: await Promise.all(urls) };
}

/** The path of an output may be longer than the image's, and blob storage has limits for it. */
const LONGEST_NAME = 650;
const MOST_PARTS = 100;

/** @throws JobError `user` when blob storage could not hold an image of this name, or it would leave its folder. */
function checkImageName(name: string): void {
  const long = name.length > LONGEST_NAME || name.split('/').length > MOST_PARTS;
  if (!long && !hasUnusableCharacters(name) && !hasUnusableParts(name)) return;
  throw new JobError(
    'user',
    `An image cannot be called "${name.slice(0, 100)}"; use at most ${LONGEST_NAME} characters in at most ${MOST_PARTS} parts, no backslashes, control characters or half characters, and no parts that are empty or end in a dot.`,
  );
}

/** What only the caller has the name of can be removed again. */
const lent = (storage: Storage, blob: BlobClient) => blobSas(storage, blob, 'cwd', Date.now() + WRITABLE_MS);

const writable = (storage: Storage, blob: BlobClient) => blobSas(storage, blob, 'cw', Date.now() + WRITABLE_MS);
