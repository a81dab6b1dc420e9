import { z } from 'zod';
import { hasUnusableCharacters, hasUnusableParts } from '../job/items/blob-names.js';

/** What an upload may be called: no job may name a path with a part that ends in a dot. */
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,79}[A-Za-z0-9_-])?$/;

/** What uploads of media get as their place; with ownership each caller has a folder of its own. */
const PLACE =
  'inbox\\/_uploads\\/(?:(?:key-|user-)[a-z0-9-]{1,64}\\/|nobody\\/)?[a-z2-7]{8}\\/[A-Za-z0-9](?:[A-Za-z0-9._-]{0,79}[A-Za-z0-9_-])?';

const PLACES = new RegExp(PLACE, 'g');

/** A text in which uploads are called as their users call them, without the places that the app gave them. */
export const withoutPlaces = (text: string): string =>
  text.replaceAll(PLACES, (place) => place.slice(place.lastIndexOf('/') + 1));

const fileSchema = z.strictObject({
  kind: z.enum(['style', 'model']),
  name: z.string().regex(NAME),
});

/** With the path of an earlier answer, the URL is for what was going there: it can be read, so that an upload in blocks goes on. */
const mediaSchema = z.strictObject({
  kind: z.enum(['video', 'audio']),
  name: z.string().regex(NAME),
  path: z
    .string()
    .regex(new RegExp(`^${PLACE}$`))
    .optional(),
});

/** Images of one folder; more than a thousand are asked for in several requests, the later ones with the first one's path. */
const imagesSchema = z.strictObject({
  kind: z.literal('images'),
  name: z.string().regex(NAME),
  names: z.array(z.string()).min(1).max(1000),
  path: z
    .string()
    .regex(new RegExp(`^${PLACE}/$`))
    .optional(),
});

const isKept = (path: string) => !hasUnusableCharacters(path) && !hasUnusableParts(path) && !/[?#%]/.test(path);

const MOST_INBOX_NAME = 200;

/** Whether a file can have this name in the inbox, which a job specification is to be able to name. */
export const isInboxName = (name: string) => isKept(name) && !name.includes('/') && name.length <= MOST_INBOX_NAME;

/** A file of the inbox under its own name: by what it is called it may start a job. */
const inboxSchema = z.strictObject({
  kind: z.literal('inbox'),
  name: z.string().refine(isInboxName),
  folder: z.string().max(80).refine(isKept).optional(),
});

/** Body of `POST /api/uploads`. */
export const uploadRequestSchema = z.union([fileSchema, mediaSchema, imagesSchema, inboxSchema]);

export type FileUploadRequest = z.output<typeof fileSchema>;
export type MediaUploadRequest = z.output<typeof mediaSchema>;
export type ImagesUploadRequest = z.output<typeof imagesSchema>;
export type InboxUploadRequest = z.output<typeof inboxSchema>;
export type UploadRequest = FileUploadRequest | MediaUploadRequest | ImagesUploadRequest | InboxUploadRequest;

/** Answer for one file: `path` is what a job specification names; each URL takes one blob, for an hour. */
export interface Upload {
  path: string;
  url: string;
  /** Where the card of a model goes. */
  cardUrl?: string;
  /** Where the label file of a model goes. */
  labelsUrl?: string;
}

/** Answer for images: `path` is the prefix that a job specification names; each URL takes the image of the same place in `names`. */
export interface ImageUpload {
  path: string;
  urls: string[];
}
