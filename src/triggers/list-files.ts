import type { HttpHandler } from '@azure/functions';
import { readResolvedJob } from '../job-store/resolved-job.js';
import { isJobId } from '../job/id.js';
import { jobOf, splitPath } from '../job-store/layout.js';
import { blobSas, type Storage } from '../storage/storage.js';
import { answerError, refuse } from './answers.js';

/** Some of the outputs of an image folder. */
export interface FileList {
  /** `name` below the output prefix; `url` is readable for an hour. */
  files: { name: string; bytes: number; url: string }[];
  /** What to pass as `from` to get the next ones; null at the end. */
  next: string | null;
}

const FILES_AT_ONCE = 1000;
const READ_MS = 3_600_000;

/** `GET /api/jobs/{id}/files?from=`: what became of an image folder, at most a thousand files at a time. */
export function createListFiles({ storage }: { storage: Storage }): HttpHandler {
  return async (request, context) => {
    const { id = '' } = request.params;
    try {
      if (!isJobId(id) || !(await jobOf(storage, id).exists())) return refuse(404, `There is no job "${id}".`);
      const job = await readResolvedJob(storage, id);
      if ('video' in job) return refuse(404, `Job "${id}" is a video's: its one file is at /files/output.`);
      return { jsonBody: await list(storage, job.output, request.query.get('from') ?? '') };
    } catch (error) {
      return answerError(error, (message) => context.error(message));
    }
  };
}

async function list(storage: Storage, output: string, from: string): Promise<FileList> {
  const { container: name, blob: prefix } = splitPath(output);
  const container = storage.media.getContainerClient(name);
  const page = { maxPageSize: FILES_AT_ONCE, ...(from !== '' && { continuationToken: from }) };
  if (!(await container.exists())) return { files: [], next: null };
  for await (const { segment, continuationToken } of container.listBlobsFlat({ prefix }).byPage(page)) {
    const files = segment.blobItems.map(async (blob) => ({
      name: blob.name.slice(prefix.length),
      bytes: blob.properties.contentLength ?? 0,
      url: await blobSas(storage, container.getBlobClient(blob.name), 'r', Date.now() + READ_MS),
    }));
    return { files: await Promise.all(files), next: continuationToken || null };
  }
  return { files: [], next: null };
}
