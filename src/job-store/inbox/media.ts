import { type BlobGetPropertiesResponse, RestError } from '@azure/storage-blob';
import { JobError } from '../../job/failure.js';
import { defaultsPlaces, type InboxFile, MOST_FILE_BYTES } from '../../job/inbox/job-file.js';
import { bareEtag, type MediaEvent } from '../../job/inbox/media-event.js';
import { isNotFound, readBytes, readText, type Storage } from '../../storage/storage.js';
import { INBOX, inboxOf } from '../layout.js';

/** What is there of the version of a blob that an event tells of. */
export type Seen =
  | { is: 'there'; bytes: number; metadata: Record<string, string> }
  /** Nothing, a newer version, or one of our own outputs that somebody has copied there. */
  | { is: 'gone' | 'replaced' | 'ours' }
  /** A copy that storage is still making. */
  | { is: 'arriving' };

export async function lookAtMedia(storage: Storage, { name, etag }: Pick<MediaEvent, 'name' | 'etag'>): Promise<Seen> {
  let found: BlobGetPropertiesResponse;
  try {
    found = await inboxOf(storage).getBlobClient(name).getProperties();
  } catch (error) {
    if (isNotFound(error)) return { is: 'gone' };
    throw error;
  }
  const { contentLength: bytes = 0, metadata = {}, copyStatus } = found;
  if (copyStatus === 'pending') return { is: 'arriving' };
  if (bareEtag(found.etag ?? '') !== etag) return { is: 'replaced' };
  return metadata.job === undefined ? { is: 'there', bytes, metadata } : { is: 'ours' };
}

/** The nearest defaults for a blob of the inbox, of a longer file its beginning; undefined when there are none up to the top. */
export async function nearestDefaults(storage: Storage, name: string): Promise<InboxFile | undefined> {
  for (const place of defaultsPlaces(name)) {
    const bytes = await readBytes(inboxOf(storage), place, MOST_FILE_BYTES + 1);
    if (bytes) return { name: place, text: bytes.toString('utf8') };
  }
  return undefined;
}

/**
 * The text of a version of a job file or trigger file.
 * @throws JobError `user` when it is too long to be one; `platform` when it was removed or replaced since somebody has looked at it.
 */
export async function readInboxFile(
  storage: Storage,
  { name, etag }: Pick<MediaEvent, 'name' | 'etag'>,
  bytes: number,
): Promise<string> {
  if (bytes > MOST_FILE_BYTES)
    throw new JobError('user', `${INBOX}/${name} is ${bytes} bytes long; at most ${MOST_FILE_BYTES} are read.`);
  const text = await readText(inboxOf(storage), name, etag).catch((error: unknown) => {
    if (error instanceof RestError && error.statusCode === 412) return undefined;
    throw error;
  });
  if (text !== undefined) return text;
  throw new JobError('platform', `${INBOX}/${name} was removed or replaced while it was being read.`);
}
