import type { HttpHandler } from '@azure/functions';
import type { Stop } from '../activities/settle-batch.js';
import { jobOf, STOP } from '../job-store/layout.js';
import { type Storage, writeJson } from '../storage/storage.js';
import { answerError, refuse } from './answers.js';
import { findJob } from './find-job.js';

/** `DELETE /api/jobs/{id}`: asks the job to stop; its containers are removed and it ends as cancelled. Answers 202. */
export function createCancelJob({ storage }: { storage: Storage }): HttpHandler {
  return async (request, context) => {
    const id = request.params.id ?? '';
    try {
      const job = await findJob(context, id);
      if (!job) return refuse(404, `There is no job "${id}".`);
      const state: string = job.runtimeStatus;
      if (!['Pending', 'Running', 'Suspended'].includes(state)) return refuse(410, `Job "${id}" has ended already.`);
      await jobOf(storage, id).createIfNotExists();
      await writeJson(jobOf(storage, id), STOP, {
        reason: 'cancelled',
        message: 'The job was cancelled.',
      } satisfies Stop);
      return { status: 202 };
    } catch (error) {
      return answerError(error, (message) => context.error(message));
    }
  };
}
