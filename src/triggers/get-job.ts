import type { PublishedStatus } from '../job/progress.js';
import type { Storage } from '../storage/storage.js';
import { answerErrors, refuse } from './http.js';
import { readJobStatus } from './job-status.js';
import { findJob } from './jobs.js';

/** `GET /api/jobs/{id}`: live progress, from the orchestration's status and the reports of its containers. */
export const createGetJob = ({ storage }: { storage: Storage }) =>
  answerErrors(async (request, context) => {
    const id = request.params.id ?? '';
    const status = await findJob(context, id);
    if (!status) return refuse(404, `There is no job "${id}".`);
    const published = (status.customStatus ?? undefined) as PublishedStatus | undefined;
    return { jsonBody: await readJobStatus(storage, id, status, published, Date.now()) };
  });
