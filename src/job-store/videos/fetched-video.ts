import { Readable } from 'node:stream';
import { RestError } from '@azure/storage-blob';
import type { JobSpec } from '../../job/spec.js';
import { isNotFound, type Storage } from '../../storage/storage.js';
import { mediaBlob, UPLOADS, workContainer } from '../layout.js';

/** The specification of a job whose video is fetched: it names the place where the job keeps it, as if it had been uploaded there. */
export function withFetchedVideo(spec: JobSpec, jobId: string): JobSpec {
  const { url } = spec.input;
  if (url === undefined) return spec;
  const file = new URL(url).pathname.split('/').at(-1) ?? '';
  const name =
    file
      .replace(/[^A-Za-z0-9._-]+/g, '-')
      .replace(/\.+$/, '')
      .slice(-80) || 'video';
  return { ...spec, input: { ...spec.input, video: `${workContainer(jobId)}/${UPLOADS}/${name}` } };
}

const BUFFER_BYTES = 8 * 1024 * 1024;

/**
 * Keeps what is fetched at its place, whole or not at all, unless that was done before.
 * @returns its bytes.
 */
export async function keepFetchedVideo(
  storage: Storage,
  path: string,
  content: () => Promise<AsyncIterable<Uint8Array>>,
): Promise<number> {
  const blob = mediaBlob(storage, path);
  const size = async () => (await blob.getProperties()).contentLength ?? 0;
  const there = await size().catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
    return undefined;
  });
  if (there !== undefined) return there;
  const body = Readable.from(await content(), { objectMode: false });
  try {
    await blob.uploadStream(body, BUFFER_BYTES, 2, { conditions: { ifNoneMatch: '*' } });
  } catch (error) {
    // Another run of the activity was first.
    if (!(error instanceof RestError && (error.code === 'BlobAlreadyExists' || error.statusCode === 412))) throw error;
  } finally {
    body.destroy();
  }
  return size();
}
