import type { HttpHandler } from '@azure/functions';
import type { Stop } from '../activities/settle-batch.js';
import { isJobId } from '../job/id.js';
import { STOP } from '../storage/layout.js';
import { isNotFound, jobOf, type Storage, writeJson } from '../storage/storage.js';
import { answerError, refuse } from './answers.js';

/** `DELETE /api/jobs/{id}`: asks the job to stop; its containers are removed and it ends as cancelled. Answers 202. */
export function createCancelJob({ storage }: { storage: Storage }): HttpHandler {
  return async (request, context) => {
    const id = request.params.id ?? '';
    if (!isJobId(id)) return refuse(404, `There is no job "${id}".`);
    try {
      await writeJson(jobOf(storage, id), STOP, {
        reason: 'cancelled',
        message: 'The job was cancelled.',
      } satisfies Stop);
      return { status: 202 };
    } catch (error) {
      if (isNotFound(error)) return refuse(404, `There is no job "${id}", or it has not begun yet.`);
      return answerError(error, (message) => context.error(message));
    }
  };
}
