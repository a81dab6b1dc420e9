import type { InvocationContext } from '@azure/functions';
import * as df from 'durable-functions';
import { isJobId } from '../job/id.js';

/** The orchestration of a job, or undefined when there is no job of this id. Needs a durable client input. */
export async function findJob(
  context: InvocationContext,
  id: string,
): Promise<df.DurableOrchestrationStatus | undefined> {
  if (!isJobId(id)) return undefined;
  try {
    const status = await df.getClient(context).getStatus(id, { showInput: false });
    return status.name === 'scoreJob' ? status : undefined;
  } catch (error) {
    // The client has no error class for an unknown instance; its text tells the HTTP status.
    if (error instanceof Error && /\b404\b|not found/i.test(error.message)) return undefined;
    throw error;
  }
}
