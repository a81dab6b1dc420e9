import type { ImageUpload, Upload } from '../../api/uploads.js';
import { type Connection, Refusal } from '../connection.js';
import { type Picked, uploadName } from './picked.js';

/** Sends bytes to storage. @throws Refusal */
export type Put = (
  url: string,
  body: Blob,
  options: { headers: Record<string, string>; signal: AbortSignal; onProgress: (bytes: number) => void },
) => Promise<void>;

export interface UploadOptions {
  signal: AbortSignal;
  /** Bytes that are there, of all. */
  onProgress: (bytes: number) => void;
}

/** A file of more bytes goes up in blocks of so many: what breaks off is sent again, and not the whole file. */
export const BLOCK_BYTES = 8 * 1024 * 1024;
/** What is sent at once: blocks of a file, or images. Browsers keep six connections to a host. */
const AT_ONCE = 5;
/** Images that one request asks places for. */
const NAMES_AT_ONCE = 1000;

/**
 * Uploads what a job scores straight to storage.
 * @param pause waits before what failed is sent again.
 * @returns the path that the job names.
 * @throws Refusal
 */
export function createUploads(
  connection: Pick<Connection, 'send'>,
  put: Put,
  pause: (milliseconds: number, signal: AbortSignal) => Promise<void>,
) {
  const place = (body: object) => connection.send<Upload>('POST', 'uploads', body);

  async function uploadFile(kind: 'video' | 'audio' | 'style', file: File, options: UploadOptions): Promise<string> {
    const { path, url } = await place({ kind, name: uploadName(file.name) });
    await send(url, file, options);
    return path;
  }

  async function uploadImages({ name, images }: Picked & { kind: 'images' }, options: UploadOptions): Promise<string> {
    const folder = uploadName(name).replace(/\.[^.]*$/, '');
    const total = meter(options.onProgress);
    let path: string | undefined;
    for (let from = 0; from < images.length; from += NAMES_AT_ONCE) {
      const some = images.slice(from, from + NAMES_AT_ONCE);
      const asked = { kind: 'images', name: folder, names: some.map((image) => image.path), path };
      const placed = await connection.send<ImageUpload>('POST', 'uploads', asked);
      path ??= placed.path;
      await inTurn(some, async (image, index) => {
        const url = placed.urls[index];
        if (url !== undefined) await send(url, image.file, { signal: options.signal, onProgress: total() });
      });
    }
    return path ?? '';
  }

  async function send(url: string, file: File, { signal, onProgress }: UploadOptions): Promise<void> {
    const type = file.type || 'application/octet-stream';
    if (file.size <= BLOCK_BYTES) {
      const headers = { 'x-ms-blob-type': 'BlockBlob', 'content-type': type };
      await persist(url, file, { headers, signal, onProgress });
      return;
    }
    const total = meter(onProgress);
    const offsets = Array.from({ length: Math.ceil(file.size / BLOCK_BYTES) }, (_, index) => index * BLOCK_BYTES);
    await inTurn(offsets, async (offset) => {
      const block = file.slice(offset, offset + BLOCK_BYTES);
      const to = `${url}&comp=block&blockid=${encodeURIComponent(blockId(offset))}`;
      await persist(to, block, { headers: {}, signal, onProgress: total() });
    });
    const list = offsets.map((offset) => `<Latest>${blockId(offset)}</Latest>`).join('');
    const body = new Blob([`<?xml version="1.0" encoding="utf-8"?><BlockList>${list}</BlockList>`]);
    const headers = { 'content-type': 'application/xml', 'x-ms-blob-content-type': type };
    await persist(`${url}&comp=blocklist`, body, { headers, signal, onProgress: () => undefined });
  }

  /** Tries again what breaks off or is refused for a while. */
  async function persist(...[url, body, options]: Parameters<Put>): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await put(url, body, options);
        return;
      } catch (error) {
        options.onProgress(0);
        const passes = error instanceof Refusal && (error.status === 0 || error.status === 429 || error.status >= 500);
        if (!passes || tries > PAUSES_MS.length || options.signal.aborted) throw error;
        await pause(PAUSES_MS[tries - 1] ?? 0, options.signal);
      }
    }
  }

  return { uploadFile, uploadImages };
}

const PAUSES_MS = [500, 1500, 4000, 10_000, 20_000];

/** All ids of a blob's blocks have the same length; from the offset, so that the same block has the same id. */
const blockId = (offset: number) => btoa(String(offset).padStart(18, '0'));

/** Adds up what several transfers have sent. @returns what tells how far one more of them is. */
function meter(onProgress: (bytes: number) => void): () => (bytes: number) => void {
  const sent: number[] = [];
  return () => {
    const place = sent.push(0) - 1;
    return (bytes) => {
      sent[place] = bytes;
      onProgress(sent.reduce((sum, each) => sum + each, 0));
    };
  };
}

/** Does something with each, several at once; ends at the first that fails. */
async function inTurn<T>(all: readonly T[], each: (one: T, index: number) => Promise<void>): Promise<void> {
  const left = all.entries();
  let failed = false;
  const work = async () => {
    for (const [index, one] of left) {
      if (failed) return;
      try {
        await each(one, index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, all.length) }, work));
}

/** As the browser sends it: of `fetch` nobody knows how much has gone. */
export const putByBrowser: Put = (url, body, { headers, signal, onProgress }) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    const over = (end: () => void) => () => {
      signal.removeEventListener('abort', abort);
      end();
    };
    const refuse = (message: string, status: number) => over(() => reject(new Refusal(message, status, undefined)));
    request.open('PUT', url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener('progress', ({ loaded }) => onProgress(loaded));
    request.addEventListener('load', () => {
      const { status } = request;
      if (status < 300) {
        onProgress(body.size);
        over(resolve)();
      } else refuse(refusedWith(status), status)();
    });
    request.addEventListener('error', refuse(UNREADABLE, 0));
    request.addEventListener('abort', refuse('The upload was stopped.', 0));
    signal.addEventListener('abort', abort);
    if (signal.aborted) refuse('The upload was stopped.', 0)();
    else request.send(body);
  });

const UNREADABLE =
  'Storage cannot be reached, or the file cannot be read any more; check the connection, and that the file is where it was.';

const refusedWith = (status: number) =>
  status === 403
    ? 'Storage refuses the upload, as the leave for it lasts an hour; choose the file again.'
    : `Storage refuses the upload (HTTP ${status}); try again a little later.`;
