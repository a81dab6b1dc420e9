import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isPassing } from '../../container-contract/storage-access.js';
import { JobError } from '../../job/failure.js';
import type { CallerAnswer } from '../../api/callers.js';
import type { MediaState } from '../../api/inbox.js';
import type { FileList, FrameList, JobList, JobStatus, RedriveAnswer } from '../../api/jobs.js';
import type { JobLogs } from '../../api/logs.js';
import type { ModelList } from '../../api/models.js';
import type { Plan } from '../../api/plan.js';
import type { ImageUpload, Upload } from '../../api/uploads.js';
import { downloadFile, removeFile, uploadFile, uploading } from './files.js';
import { isLarge, type LargeUpload, uploadBlocks, versionOf } from './large-upload.js';
import type { PendingUploads } from './pending-uploads.js';

/** The app's HTTP interface, local or deployed. Every method throws a JobError with the app's own sentence. */
export type JobClient = ReturnType<typeof createJobClient>;

/** What moves the files of a job to the app. */
export interface Uploader {
  upload: (kind: UploadKind, file: string, beside?: Beside & { onProgress?: OnProgress }) => Promise<string>;
  placeImages: (folder: string, names: string[], stored: string | undefined) => Promise<ImageUpload>;
  put: (url: string, file: string) => Promise<unknown>;
}

/** What ends the client's work early. */
interface Ends {
  /** The app is gone: nothing more is asked. */
  lost: AbortSignal;
  /** No more files are moved; the job can still be asked for and cancelled. */
  interrupted: AbortSignal;
}

/** Gets the bytes of an upload that are in storage, and all. */
export type OnProgress = LargeUpload['onProgress'];

type UploadKind = 'video' | 'audio' | 'style' | 'model';

/** Files that go with a model. */
interface Beside {
  card?: string;
  labels?: string;
}

type OnPlaced = (urls: string[]) => void;

const NEVER = new AbortController().signal;
/** An app that starts cold takes its time. */
const ANSWER_MS = 120_000;

/**
 * @param pending remembers uploads that have broken off.
 * @throws JobError `user` when `baseUrl` is not an address.
 */
export function createJobClient(
  baseUrl: string,
  key: string | undefined,
  { lost, interrupted }: Ends = { lost: NEVER, interrupted: NEVER },
  pending?: PendingUploads,
) {
  const base = addressOf(baseUrl);
  const headers: Record<string, string> = key === undefined ? {} : { 'x-functions-key': key };
  const stopped = AbortSignal.any([lost, interrupted]);
  const send = async (method: string, url: URL, body?: object, more?: Record<string, string>) => {
    try {
      return await request(url, {
        method,
        headers: { ...headers, ...more, ...(body && { 'content-type': 'application/json' }) },
        signal: AbortSignal.any([lost, AbortSignal.timeout(ANSWER_MS)]),
        body: body && JSON.stringify(body),
      });
    } catch (cause) {
      // A stack that ended by itself says so; anything else that is over was ended by the user.
      if (lost.aborted && !(lost.reason instanceof JobError)) throw new JobError('user', 'Interrupted.', { cause });
      throw cause;
    }
  };
  const ask = (method: string, url: URL) => untilAnswered(() => send(method, url), lost);
  const call = <T>(method: string, route: string, body?: object, more?: Record<string, string>): Promise<T> => {
    const url = new URL(route, base);
    return untilAnswered(async () => readAnswer<T>(await send(method, url, body, more), url), lost);
  };
  const put = (url: string, file: string) => uploadFile(url, file, stopped);
  /** Uploads a large file block by block, and goes on where an earlier command has broken off. @returns its path. */
  const putLarge = (kind: 'video' | 'audio', file: string, onProgress: OnProgress): Promise<string> =>
    uploading(file, async () => {
      const version = await versionOf(file);
      const name = uploadName(file);
      const place = (at?: string) => call<Upload>('POST', 'api/uploads', { kind, name, path: at });
      const stored = (await pending?.find(file, version)) ?? (await place()).path;
      await pending?.note(file, version, stored);
      const renew = async () => (await place(stored)).url;
      await uploadBlocks(await renew(), file, version, { abortSignal: stopped, onProgress, renew });
      return stored;
    });
  /** Uploads a file as a whole. @returns the path of a job specification, and the URLs that it went to. */
  const putWhole = async (kind: UploadKind, file: string, { card, labels }: Beside, onPlaced: OnPlaced) => {
    const places = await call<Upload>('POST', 'api/uploads', { kind, name: uploadName(file) });
    const { path: stored, url, cardUrl, labelsUrl } = places;
    onPlaced([url, cardUrl, labelsUrl].filter((each) => each !== undefined));
    await put(url, file);
    if (card !== undefined && cardUrl !== undefined) await put(cardUrl, card);
    if (labels !== undefined && labelsUrl !== undefined) await put(labelsUrl, labels);
    return stored;
  };
  const placeImages = (folder: string, names: string[], stored: string | undefined) =>
    call<ImageUpload>('POST', 'api/uploads', { kind: 'images', name: uploadName(folder), names, path: stored });
  const fetch = (url: string, target: string, overwrite = false) =>
    downloadFile(url, target, { overwrite, abortSignal: stopped });
  return {
    /** Uploads a file to a URL that the app gave. */
    put,
    /** Downloads a file from a URL that the app gave, whole or not at all; over an existing one only if it may. */
    fetch,
    /** Uploads a file, a model with its card and label file, and returns the path that a job specification names. */
    async upload(
      kind: UploadKind,
      file: string,
      { onProgress = () => undefined, ...beside }: Beside & { onProgress?: OnProgress } = {},
    ): Promise<string> {
      if ((kind === 'video' || kind === 'audio') && (await isLarge(file))) return putLarge(kind, file, onProgress);
      return putWhole(kind, file, beside, () => undefined);
    },
    /** URLs to upload the named images of a folder to; `stored` is the path that an earlier answer gave for the same folder. */
    placeImages,
    /** Uploads in the same way, and removes all of it again. */
    lending(): Uploader & { takeBack: () => Promise<void> } {
      const lent: string[] = [];
      const under: Promise<unknown>[] = [];
      const onPlaced = (urls: string[]) => lent.push(...urls);
      const following = <T>(work: Promise<T>) => {
        under.push(work.catch(() => undefined));
        return work;
      };
      return {
        upload: (kind, file, beside = {}) => following(putWhole(kind, file, beside, onPlaced)),
        placeImages: async (folder, names, stored) => {
          const placed = await following(placeImages(folder, names, stored));
          onPlaced(placed.urls);
          return placed;
        },
        put: (url, file) => following(put(url, file)),
        takeBack: async () => {
          // What comes late would stay.
          await Promise.all(under);
          await Promise.all(lent.map((url) => removeFile(url)));
        },
      };
    },
    /** What the job of a specification would take; `items` tells how many there are where not all are uploaded. */
    plan: (spec: object, items?: number) => call<Plan>('POST', 'api/plan', { ...spec, items }),
    /** Uploads a file into the inbox under its own name, in place of what has it. @returns its path there, and its version. */
    async drop(file: string, folder: string | undefined): Promise<{ path: string; etag: string }> {
      const asked = { kind: 'inbox', name: path.basename(file), folder };
      const { path: stored, url } = await call<Upload>('POST', 'api/uploads', asked);
      return { path: stored, etag: await put(url, file) };
    },
    /** What has become of a version of a blob of the inbox. */
    media({ path: stored, etag }: { path: string; etag: string }): Promise<MediaState> {
      const query = new URLSearchParams({ path: stored, etag });
      return call<MediaState>('GET', `api/inbox?${query.toString()}`);
    },
    /** Starts one job, also when an answer is lost and the request is sent again. @returns its id. */
    async start(spec: object): Promise<string> {
      const { id } = await call<{ id: string }>('POST', 'api/jobs', spec, { 'idempotency-key': randomUUID() });
      await pending?.forget();
      return id;
    },
    models: () => call<ModelList>('GET', 'api/models'),
    /** Who the app takes the caller for, and the app's version. */
    caller: () => call<CallerAnswer>('GET', 'api/caller'),
    /** The address of the page that the app shows. */
    page: new URL('api/', base).href,
    /** Jobs, the newest first, from where an earlier answer's `next` is. */
    jobs({ state, limit, from }: { state?: string; limit: number; from: string }): Promise<JobList> {
      const query = new URLSearchParams({ limit: String(limit), ...(from !== '' && { from }) });
      if (state !== undefined) query.set('state', state);
      return call<JobList>('GET', `api/jobs?${query.toString()}`);
    },
    status: (id: string) => call<JobStatus>('GET', `api/jobs/${id}`),
    /** What the job's containers have said, from where an earlier answer's `next` is. */
    logs(id: string, { batch, attempt, from }: { batch?: number; attempt?: number; from: string }): Promise<JobLogs> {
      const query = new URLSearchParams({ from });
      if (batch !== undefined) query.set('batch', String(batch));
      if (attempt !== undefined) query.set('attempt', String(attempt));
      return call<JobLogs>('GET', `api/jobs/${encodeURIComponent(id)}/logs?${query.toString()}`);
    },
    /** Starts a job that has ended once more, for what it has not scored, with changes to how that is done. */
    redrive: (id: string, changes: object = {}) => call<RedriveAnswer>('POST', `api/jobs/${id}/redrive`, changes),
    async cancel(id: string): Promise<void> {
      await ask('DELETE', new URL(`api/jobs/${id}`, base));
    },
    /** All outputs of an image folder, a thousand per request. */
    async *files(id: string): AsyncGenerator<FileList['files']> {
      let from = '';
      do {
        const list = await call<FileList>('GET', `api/jobs/${id}/files?from=${encodeURIComponent(from)}`);
        yield list.files;
        from = list.next ?? '';
      } while (from !== '');
    },
    /** Some of the frames of a job as they are stored so far, from where an earlier answer's `next` is. */
    frames(id: string, { source, from }: { source: boolean; from: string }): Promise<FrameList> {
      const query = new URLSearchParams({ source: String(source), from });
      return call<FrameList>('GET', `api/jobs/${encodeURIComponent(id)}/frames?${query.toString()}`);
    },
    /** Downloads a file of the job, whole or not at all. */
    async download(
      id: string,
      file: 'output' | 'contact-sheet' | 'manifest' | 'failed-items',
      target: string,
      overwrite = false,
    ): Promise<void> {
      const url = new URL(`api/jobs/${id}/files/${file}`, base);
      const place = (await ask('GET', url)).headers.get('location');
      if (place === null) throw new JobError('platform', `${url.origin} sent no ${file} of job ${id}.`);
      await fetch(place, target, overwrite);
    },
  };
}

/**
 * The address of an app, with the slash that routes are resolved against; from that of its page, too.
 * @throws JobError `user` when it is not one.
 */
function addressOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new JobError(
      'user',
      `"${text}" is not the address of an app; it looks like https://my-app.azurewebsites.net.`,
    );
  return new URL(url.pathname.replace(/\/*(\/api)?\/*$/, '/'), url);
}

/** What came back says nothing of whether the app did what it was asked: its process or the connection ended in the middle. */
class AnswerLost extends JobError {}

/** The pauses before a request is sent again: the app's process is started again meanwhile. */
const REPEAT_AFTER_MS = [100, 400, 1000];

/** Sends a request that may be sent twice up to four times, while its answer is lost. @throws what the last one throws. */
async function untilAnswered<T>(exchange: () => Promise<T>, lost: AbortSignal): Promise<T> {
  for (const milliseconds of REPEAT_AFTER_MS) {
    try {
      return await exchange();
    } catch (error) {
      if (!(error instanceof AnswerLost) || lost.aborted) throw error;
    }
    await pause(milliseconds, undefined, { signal: lost });
  }
  return exchange();
}

/** undici's and the system's words for a connection that was open and broke. */
const CUT_CODES = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

function isCut(error: unknown): boolean {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && CUT_CODES.has(String(cause.code));
}

/** @throws JobError with the app's own sentence when it refuses, `platform` when there is no answer. */
async function request(url: URL, init: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(url, { ...init, redirect: 'manual' });
  } catch (cause) {
    const message = `No answer from ${url.origin}; check the address and that the app runs.`;
    throw new (isCut(cause) ? AnswerLost : JobError)('platform', message, { cause });
  }
  if (answer.status < 400) return answer;
  const said = await answer.json().then(
    (body) => (body as { error?: unknown } | null)?.error,
    () => undefined,
  );
  // The app says a sentence where it refuses, its host where a key is wrong does not.
  if (typeof said !== 'string' && (answer.status === 401 || answer.status === 403)) {
    const hasKey = new Headers(init.headers).has('x-functions-key');
    const mend = hasKey ? 'the key is not one of the app' : "pass the app's function key with --key";
    throw new JobError('user', `${url.origin} refused the request (HTTP ${answer.status}); ${mend}.`);
  }
  const passes = answer.status >= 500 || answer.status === 408 || answer.status === 429;
  const blame = passes ? 'platform' : 'user';
  if (typeof said === 'string') throw new JobError(blame, said);
  const answered = `${url.origin}${url.pathname} answered HTTP ${answer.status}`;
  // The app itself always says a sentence: this is its host, whose process for the app died, or a gateway before it.
  if (answer.status >= 500)
    throw new AnswerLost(blame, `${answered} four times in a row; the log of the app says why.`);
  throw new JobError(blame, `${answered}; check the address.`);
}

/**
 * The JSON of an answer.
 * @throws JobError `platform` when it was cut short; `user` when it is not JSON: something other than the app listens there.
 */
async function readAnswer<T>(answer: Response, { origin }: URL): Promise<T> {
  try {
    return (await answer.json()) as T;
  } catch (cause) {
    const isJson = answer.headers.get('content-type')?.includes('json') ?? false;
    if (isJson || isPassing(cause))
      throw new AnswerLost('platform', `The answer of ${origin} was cut short; run the command again.`, { cause });
    throw new JobError('user', `${origin} does not answer as this app does; check the address.`, { cause });
  }
}

/** Keeps what storage and the app accept of a file's name. */
function uploadName(file: string): string {
  const { name, ext } = path.parse(file);
  const clean = name
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 60);
  return `${clean || 'file'}${ext.replace(/[^A-Za-z0-9.]/g, '').slice(0, 16)}`.replace(/\.+$/, '');
}
