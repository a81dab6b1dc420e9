import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BlockBlobClient } from '@azure/storage-blob';
import { JobError, messageOf } from '../job/failure.js';
import type { Upload } from '../triggers/create-upload.js';
import type { JobStatus } from '../triggers/job-progress.js';

/** The app's HTTP interface, local or deployed. Every method throws a JobError with the app's own sentence. */
export type JobClient = ReturnType<typeof createJobClient>;

export function createJobClient(baseUrl: string, key: string | undefined) {
  const headers: Record<string, string> = key === undefined ? {} : { 'x-functions-key': key };
  const call = (method: string, route: string, body?: unknown) =>
    request(new URL(route, `${baseUrl}/`), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  return {
    /** Uploads a file, a model with its card and label file, and returns the path that a job specification names. */
    async upload(
      kind: 'video' | 'style' | 'model',
      file: string,
      { card, labels }: { card?: string; labels?: string } = {},
    ): Promise<string> {
      const answer = await call('POST', 'api/uploads', { kind, name: uploadName(file) });
      const { path: stored, url, cardUrl, labelsUrl } = (await answer.json()) as Upload;
      await new BlockBlobClient(url).uploadFile(file);
      if (card !== undefined && cardUrl !== undefined) await new BlockBlobClient(cardUrl).uploadFile(card);
      if (labels !== undefined && labelsUrl !== undefined) await new BlockBlobClient(labelsUrl).uploadFile(labels);
      return stored;
    },
    async start(spec: object): Promise<string> {
      return ((await (await call('POST', 'api/jobs', spec)).json()) as { id: string }).id;
    },
    async status(id: string): Promise<JobStatus> {
      return (await (await call('GET', `api/jobs/${id}`)).json()) as JobStatus;
    },
    async cancel(id: string): Promise<void> {
      await call('DELETE', `api/jobs/${id}`);
    },
    /** Downloads a file of the job, whole or not at all. */
    async download(id: string, file: 'output' | 'contact-sheet' | 'manifest', target: string): Promise<void> {
      const answer = await call('GET', `api/jobs/${id}/files/${file}`);
      if (!answer.body) throw new JobError('platform', `${baseUrl} sent no ${file} of job ${id}.`);
      const part = `${target}.part`;
      try {
        await pipeline(Readable.fromWeb(answer.body), createWriteStream(part));
        await rename(part, target);
      } catch (cause) {
        throw new JobError(
          'user',
          `${target} could not be written (${messageOf(cause)}); free some space or name another file with --out.`,
          { cause },
        );
      } finally {
        await rm(part, { force: true });
      }
    },
  };
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

async function request(url: URL, init: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(url, init);
  } catch (cause) {
    throw new JobError('platform', `No answer from ${url.origin}; check the address and that the app runs.`, { cause });
  }
  if (answer.ok) return answer;
  if (answer.status === 401 || answer.status === 403)
    throw new JobError(
      'user',
      `${url.origin} refused the request (HTTP ${answer.status}); pass the app's function key with --key.`,
    );
  const said = await answer.json().then(
    (body) => (body as { error?: string }).error,
    () => undefined,
  );
  throw new JobError(
    answer.status < 500 ? 'user' : 'platform',
    said ?? `${url.origin}${url.pathname} answered HTTP ${answer.status}.`,
  );
}
