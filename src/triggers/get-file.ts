import type { HttpHandler } from '@azure/functions';
import { readResolvedJob } from '../job-store/resolved-job.js';
import { isJobId } from '../job/id.js';
import { CONTACT_SHEET, jobOf, MANIFEST, mediaBlob } from '../job-store/layout.js';
import { blobSas, type Storage } from '../storage/storage.js';
import { answerError, refuse } from './answers.js';

const READ_MS = 3_600_000;

/** `GET /api/jobs/{id}/files/{file}`: redirects to storage for `output`, `contact-sheet` or `manifest`, readable for an hour. */
export function createGetFile({ storage }: { storage: Storage }): HttpHandler {
  return async (request, context) => {
    const { id = '', file = '' } = request.params;
    try {
      const blob = isJobId(id) ? await find(storage, id, file) : undefined;
      if (!blob || !(await blob.exists()))
        return refuse(
          404,
          `Job "${id}" has no file "${file}"; once it is done there are output, contact-sheet and manifest for a video, for images manifest and the list at /files.`,
        );
      return { status: 302, headers: { Location: await blobSas(storage, blob, 'r', Date.now() + READ_MS) } };
    } catch (error) {
      return answerError(error, (message) => context.error(message));
    }
  };
}

async function find(storage: Storage, id: string, file: string) {
  const job = jobOf(storage, id);
  if (!(await job.exists())) return undefined;
  if (file === 'manifest') return job.getBlobClient(MANIFEST);
  if (file === 'contact-sheet') return job.getBlobClient(CONTACT_SHEET);
  return file === 'output' ? mediaBlob(storage, (await readResolvedJob(storage, id)).output) : undefined;
}
