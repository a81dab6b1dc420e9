import { z } from 'zod';
import { JobError } from '../job/failure.js';
import { INBOX } from '../job-store/layout.js';
import { blobSas, type Storage } from '../storage/storage.js';
import { randomId } from './random-id.js';

/** What an upload may be called. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,80}$/;
export const WRITE_MS = 3_600_000;

/** Images of one folder; more than a thousand are asked for in several requests, the later ones with the first one's path. */
export const imagesSchema = z.strictObject({
  kind: z.literal('images'),
  name: z.string().regex(NAME),
  names: z.array(z.string()).min(1).max(1000),
  path: z
    .string()
    .regex(/^inbox\/[a-z2-7]{8}\/[A-Za-z0-9][A-Za-z0-9._-]{0,80}\/$/)
    .optional(),
});

/** The answer: `path` is the prefix that a job specification names; each URL takes the image of the same place in `names`. */
export interface ImageUpload {
  path: string;
  urls: string[];
}

/** A folder of its own for each upload, so that none overwrites another. */
export async function placeImages(
  storage: Storage,
  { name, names, path = `${INBOX}/${randomId()}/${name}/` }: z.output<typeof imagesSchema>,
): Promise<ImageUpload> {
  names.forEach(checkImageName);
  const container = storage.media.getContainerClient(INBOX);
  await container.createIfNotExists();
  const prefix = path.slice(INBOX.length + 1);
  const urls = names.map((image) =>
    blobSas(storage, container.getBlobClient(`${prefix}${image}`), 'cw', Date.now() + WRITE_MS),
  );
  return { path, urls: await Promise.all(urls) };
}

const LONGEST_NAME = 800;

/** @throws JobError `user` when blob storage could not hold an image of this name, or it would leave its folder. */
function checkImageName(name: string): void {
  const usable = name.length <= LONGEST_NAME && !/[\p{Cc}\\]/u.test(name);
  if (usable && name.split('/').every((part) => part !== '' && !part.endsWith('.'))) return;
  throw new JobError(
    'user',
    `An image cannot be called "${name.slice(0, 100)}"; use at most ${LONGEST_NAME} characters, no backslashes and no parts that are empty or end in a dot.`,
  );
}
