import path from 'node:path';
import { BlockBlobClient } from '@azure/storage-blob';
import { JobError, messageOf } from '../../job/failure.js';
import type { Upload } from '../../triggers/create-upload.js';
import type { ImageUpload } from '../../triggers/image-uploads.js';
import type { JobStatus } from '../../triggers/job-progress.js';
import type { FileList } from '../../triggers/list-files.js';
import { addressOf, readAnswer, request } from './app-requests.js';
import { isOfFileSystem, saveWhole } from './save.js';

/** The app's HTTP interface, local or deployed. Every method throws a JobError with the app's own sentence. */
export type JobClient = ReturnType<typeof createJobClient>;

/** What ends the client's work early. */
interface Ends {
  /** The app is gone: nothing is asked any more. */
  lost: AbortSignal;
  /** Files are no longer moved; the job can still be asked for and cancelled. */
  interrupted: AbortSignal;
}

const NEVER = new AbortController().signal;
/** An app that starts cold takes its time. */
const ANSWER_MS = 120_000;

/** @throws JobError `user` when `baseUrl` is no address. */
export function createJobClient(
  baseUrl: string,
  key: string | undefined,
  { lost, interrupted }: Ends = { lost: NEVER, interrupted: NEVER },
) {
  const base = addressOf(baseUrl);
  const headers: Record<string, string> = key === undefined ? {} : { 'x-functions-key': key };
  const abortSignal = AbortSignal.any([lost, interrupted]);
  const ask = (method: string, url: URL, body?: object) =>
    request(url, {
      method,
      headers,
      signal: AbortSignal.any([lost, AbortSignal.timeout(ANSWER_MS)]),
      body: body && JSON.stringify(body),
    });
  const call = async <T>(method: string, route: string, body?: object): Promise<T> => {
    const url = new URL(route, base);
    return readAnswer<T>(await ask(method, url, body), url);
  };
  const fetch = (url: string, target: string) =>
    saveWhole(target, (part) => new BlockBlobClient(url).downloadToFile(part, 0, undefined, { abortSignal }));
  const put = (url: string, file: string) => uploadFile(url, file, abortSignal);
  return {
    /** Downloads what the app gave a URL of, whole or not at all. */
    fetch,
    /** Uploads a file to where the app gave a URL for it. */
    put,
    /** Uploads a file, a model with its card and label file, and returns the path that a job specification names. */
    async upload(
      kind: 'video' | 'style' | 'model',
      file: string,
      { card, labels }: { card?: string; labels?: string } = {},
    ): Promise<string> {
      const places = await call<Upload>('POST', 'api/uploads', { kind, name: uploadName(file) });
      const { path: stored, url, cardUrl, labelsUrl } = places;
      await put(url, file);
      if (card !== undefined && cardUrl !== undefined) await put(cardUrl, card);
      if (labels !== undefined && labelsUrl !== undefined) await put(labelsUrl, labels);
      return stored;
    },
    /** Places for so many images, of the folder of this name; `stored` is the path that an earlier answer gave. */
    placeImages: (folder: string, names: string[], stored: string | undefined) =>
      call<ImageUpload>('POST', 'api/uploads', { kind: 'images', name: uploadName(folder), names, path: stored }),
    start: async (spec: object) => (await call<{ id: string }>('POST', 'api/jobs', spec)).id,
    status: (id: string) => call<JobStatus>('GET', `api/jobs/${id}`),
    async cancel(id: string): Promise<void> {
      await ask('DELETE', new URL(`api/jobs/${id}`, base));
    },
    /** All outputs of an image folder, asked for a thousand at a time. */
    async *files(id: string): AsyncGenerator<FileList['files']> {
      let from = '';
      do {
        const list = await call<FileList>('GET', `api/jobs/${id}/files?from=${encodeURIComponent(from)}`);
        yield list.files;
        from = list.next ?? '';
      } while (from !== '');
    },
    /** Downloads a file of the job, whole or not at all. */
    async download(id: string, file: 'output' | 'contact-sheet' | 'manifest', target: string): Promise<void> {
      const url = new URL(`api/jobs/${id}/files/${file}`, base);
      const place = (await ask('GET', url)).headers.get('location');
      if (place === null) throw new JobError('platform', `${url.origin} sent no ${file} of job ${id}.`);
      await fetch(place, target);
    },
  };
}

/** @throws JobError `user` when the file cannot be read any more, `platform` when storage does not take it. */
async function uploadFile(url: string, file: string, abortSignal: AbortSignal): Promise<void> {
  try {
    await new BlockBlobClient(url).uploadFile(file, { abortSignal });
  } catch (cause) {
    const why = messageOf(cause).replace(/\.$/, '');
    throw isOfFileSystem(cause)
      ? new JobError('user', `${file} cannot be read (${why}); check the file and its permissions.`, { cause })
      : new JobError('platform', `${file} could not be uploaded (${why}); run the command again.`, { cause });
  }
}

/** Keeps what storage and the app accept of a file's name. */
function uploadName(file: string): string {
  const { name, ext } = path.parse(file);
  const clean = name
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 60);
  return `${clean || 'file'}${ext.replace(/[^A-Za-z0-9.]/g, '').slice(0, 16)}`;
}
