import type { HttpHandler } from '@azure/functions';
import * as df from 'durable-functions';
import { isJobId } from '../job/id.js';
import type { PublishedStatus } from '../job/progress.js';
import type { Storage } from '../storage/storage.js';
import { answerError, refuse } from './answers.js';
import { readJobProgress } from './job-progress.js';

/** `GET /api/jobs/{id}`: live progress, from the orchestration's status and the reports of its containers. */
export function createGetJob({ storage }: { storage: Storage }): HttpHandler {
  return async (request, context) => {
    const id = request.params.id ?? '';
    try {
      const status = isJobId(id) ? await findStatus(context, id) : undefined;
      if (!status) return refuse(404, `There is no job "${id}".`);
      const published = (status.customStatus ?? undefined) as PublishedStatus | undefined;
      return { jsonBody: await readJobProgress(storage, id, status, published, Date.now()) };
    } catch (error) {
      return answerError(error, (message) => context.error(message));
    }
  };
}

async function findStatus(
  context: Parameters<HttpHandler>[1],
  id: string,
): Promise<df.DurableOrchestrationStatus | undefined> {
  try {
    const status = await df.getClient(context).getStatus(id, { showInput: false });
    return status.name === 'scoreJob' ? status : undefined;
  } catch (error) {
    // The client has no error class for an unknown instance; its text tells the HTTP status.
    if (error instanceof Error && /\b404\b|not found/i.test(error.message)) return undefined;
    throw error;
  }
}
