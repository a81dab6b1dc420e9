import diagnostics from 'node:diagnostics_channel';
import { setMaxListeners } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { ClientRequest } from 'node:http';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type BlobClient,
  type BlobDownloadResponseParsed,
  RestError,
  type StoragePipelineOptions,
} from '@azure/storage-blob';

/** How app and scorer talk to storage: the SDK itself repeats a request without an answer within about six seconds. */
export const STORAGE_OPTIONS: StoragePipelineOptions = {
  retryOptions: { maxTries: 5, retryDelayInMs: 400, maxRetryDelayInMs: 5000 },
};

/** Storage itself ends whatever takes longer than half a minute. */
const SILENT_MS = 40_000;

/**
 * From now on no request that this process sends waits for good where the other side is gone without a word: neither Node nor the SDK gives
 * one up. Says so of all requests over HTTP and HTTPS but those of `fetch`.
 */
export function giveUpSilentRequests(): void {
  diagnostics.subscribe('http.client.request.start', (message) => {
    giveUpWhenSilent((message as { request: ClientRequest }).request);
  });
}

/** Ends a request with ETIMEDOUT, before its answer or in the middle of it, when nothing has come or gone for so many milliseconds. */
export function giveUpWhenSilent(request: ClientRequest, milliseconds = SILENT_MS): void {
  request.setTimeout(milliseconds, () => {
    const sentence = `${request.host} said nothing for ${milliseconds / 1000} seconds, so the request was given up.`;
    request.destroy(Object.assign(new Error(sentence), { code: 'ETIMEDOUT' }));
  });
}

/** Codes of Node for connections that break or never come about: TCP, DNS, TLS, HTTP and compressed bodies. */
const CONNECTION_CODES = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENETRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'EPROTO',
  'ERR_STREAM_PREMATURE_CLOSE',
  'Z_BUF_ERROR',
]);
const CONNECTION_CODE_FAMILIES = /^(HPE|UND_ERR|ERR_SSL|ERR_TLS_HANDSHAKE)_/;

/** What the SDK and Node say, without a code, of a body that was cut short. */
const CUT_BODY =
  /^(Data corruption failure|Stream drains before|File download response|aborted$|socket hang up|terminated$)/;

/**
 * Conflicts that end by themselves: see "Blob service error codes" in the documentation of the REST interface.
 * The SDK has the code PARSE_ERROR for answers that end too soon.
 */
const PASSING_CODES = new Set([
  'PARSE_ERROR',
  'ContainerBeingDeleted',
  'ContainerBeingDisabled',
  'AccountBeingCreated',
  'PendingCopyOperation',
  'OperationTimedOut',
  'ServerBusy',
]);

const isConnectionCode = (code: string) => CONNECTION_CODES.has(code) || CONNECTION_CODE_FAMILIES.test(code);
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/**
 * Whether an error passes by itself, so that nobody but the platform is to blame: a connection that broke or never came about, an answer
 * that was cut short, throttling, and the service's own faults. An abort counts too: the SDK calls a body so that was cut half-way. Who
 * aborts a request asks the signal first.
 */
export function isPassing(error: unknown): boolean {
  if (!isRecord(error)) return false;
  if (error.name === 'AbortError') return true;
  const { code, cause, errors, message } = error;
  if (typeof code === 'string' && (PASSING_CODES.has(code) || isConnectionCode(code))) return true;
  if (error instanceof RestError) {
    const status = error.statusCode;
    return status === undefined || status === 408 || status === 429 || status >= 500;
  }
  if (typeof message === 'string' && CUT_BODY.test(message)) return true;
  return isPassing(cause) || (Array.isArray(errors) && errors.some(isPassing));
}

const TRIES = 5;
const FIRST_PAUSE_MS = 100;

/**
 * Repeats what changes nothing when it is done twice, such as reading a blob, while it fails with errors that pass: the SDK repeats no
 * request whose answer has begun to arrive.
 * @throws the last error.
 */
export async function again<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  // Every transfer in flight listens to what ends them all, and Node takes more than ten listeners for a leak.
  if (signal) setMaxListeners(0, signal);
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries === TRIES || signal?.aborted === true || !isPassing(error)) throw error;
      await pause(FIRST_PAUSE_MS * 2 ** (tries - 1), undefined, { signal });
    }
  }
}

/**
 * The bytes of a blob, or its first `count`, of the version with this ETag, if one is named. Sends one request, unlike downloadToBuffer,
 * which asks for the size first and fails when somebody replaces the blob in between; another one when the answer was cut short.
 */
export function readWhole(
  blob: BlobClient,
  { count, signal, etag }: { count?: number; signal?: AbortSignal; etag?: string | undefined } = {},
): Promise<Buffer<ArrayBuffer>> {
  return again(async () => {
    const conditions = onlyOf(etag);
    const { readableStreamBody, contentLength } = await blob.download(0, count, { abortSignal: signal, conditions });
    const chunks: Uint8Array[] = [];
    // `buffer` of node:stream/consumers goes through a Blob, which takes longer than all the rest.
    for await (const chunk of readableStreamBody ?? []) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    if (bytes.length !== contentLength) throw cutShort(blob);
    return bytes;
  }, signal);
}

/** The condition under which storage answers for this version of a blob alone. @param etag without quotes; any version, when left out. */
const onlyOf = (etag: string | undefined) => ({ ...(etag !== undefined && { ifMatch: `"${etag}"` }) });

/**
 * Saves a blob as a file that is not there yet; asks for the rest when the answer was cut short, and for all of it when somebody has
 * replaced the blob meanwhile.
 * @throws RestError 412 when it is not of the version with this ETag, if one is named.
 */
export async function saveWhole(blob: BlobClient, file: string, signal?: AbortSignal, etag?: string): Promise<void> {
  let version: string | undefined;
  let total: number | undefined;
  await again(async () => {
    const offset = version === undefined ? 0 : await sizeOf(file);
    if (offset === total) return;
    const conditions = version === undefined ? onlyOf(etag) : { ifMatch: version };
    const answer = await blob
      .download(offset, undefined, { abortSignal: signal, conditions })
      .catch((error: unknown) => {
        if (etag !== undefined || !(error instanceof RestError && error.statusCode === 412)) throw error;
        version = undefined;
        throw cutShort(blob);
      });
    version = answer.etag;
    total = offset + (answer.contentLength ?? 0);
    const target = createWriteStream(file, { flags: offset === 0 ? 'w' : 'a' });
    await pipeline(answer.readableStreamBody ?? [], target, { signal });
    if ((await sizeOf(file)) !== total) throw cutShort(blob);
  }, signal);
}

/** The bytes of a blob as they arrive. */
export interface Download {
  /** How many there will be. */
  bytes: number;
  chunks: AsyncIterable<Uint8Array>;
}

/**
 * Begins to read a blob; when the answer is cut short, which also happens to a reader that takes its time, the rest is asked for.
 * @param from where to begin, in bytes.
 * @throws RestError 412 on the way when somebody has replaced the blob meanwhile.
 */
export async function downloadChunks(blob: BlobClient, signal?: AbortSignal, from = 0): Promise<Download> {
  const first = await again(() => blob.download(from, undefined, { abortSignal: signal }), signal);
  const bytes = first.contentLength ?? 0;
  return { bytes, chunks: wholeBody(blob, first, { from, bytes }, signal) };
}

async function* wholeBody(
  blob: BlobClient,
  { etag: ifMatch, readableStreamBody }: BlobDownloadResponseParsed,
  { from, bytes }: { from: number; bytes: number },
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const conditions = { ifMatch };
  let at = 0;
  let body: AsyncIterator<unknown> | undefined = chunksOf(readableStreamBody);
  const take = async () => {
    try {
      const rest = { abortSignal: signal, conditions };
      body ??= chunksOf((await blob.download(from + at, undefined, rest)).readableStreamBody);
      const { value, done } = await body.next();
      if (done === true) throw cutShort(blob);
      return value as Uint8Array;
    } catch (error) {
      body = undefined;
      throw error;
    }
  };
  try {
    while (at < bytes) {
      const chunk = await again(take, signal);
      at += chunk.length;
      yield chunk;
    }
  } finally {
    await body?.return?.();
  }
}

const chunksOf = (body: NodeJS.ReadableStream = Readable.from([])) => body[Symbol.asyncIterator]();

const sizeOf = (file: string) =>
  stat(file).then(
    ({ size }) => size,
    () => 0,
  );

const cutShort = ({ name }: BlobClient) => new RestError(`${name} was cut short.`, { code: 'PARSE_ERROR' });
