import type { HttpHandler } from '@azure/functions';
import type { PublishedStatus } from '../job/progress.js';
import type { Storage } from '../storage/storage.js';
import { answerError, refuse } from './answers.js';
import { findJob } from './find-job.js';
import { readJobProgress } from './job-progress.js';

/** `GET /api/jobs/{id}`: live progress, from the orchestration's status and the reports of its containers. */
export function createGetJob({ storage }: { storage: Storage }): HttpHandler {
  return async (request, context) => {
    const id = request.params.id ?? '';
    try {
      const status = await findJob(context, id);
      if (!status) return refuse(404, `There is no job "${id}".`);
      const published = (status.customStatus ?? undefined) as PublishedStatus | undefined;
      return { jsonBody: await readJobProgress(storage, id, status, published, Date.now()) };
    } catch (error) {
      return answerError(error, (message) => context.error(message));
    }
  };
}
