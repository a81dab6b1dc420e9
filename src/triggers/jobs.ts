import { randomBytes } from 'node:crypto';
import type { InvocationContext } from '@azure/functions';
import * as df from 'durable-functions';
import { JobError } from '../job/failure.js';
import { isJobId } from '../job/spec.js';
import { scoreJob } from '../orchestrators/score-job.js';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz234567';

/** 8 lower-case letters and digits, 40 random bits: nobody finds another's job or upload by trying. */
export function randomId(): string {
  return Array.from(randomBytes(8), (byte) => LETTERS[byte % LETTERS.length]).join('');
}

/** The orchestration of a job; undefined when there is no job of this id. Needs a durable client input. */
export async function findJob(
  context: InvocationContext,
  id: string,
): Promise<df.DurableOrchestrationStatus | undefined> {
  if (!isJobId(id)) return undefined;
  const status = await askHost(async () => {
    try {
      return await df.getClient(context).getStatus(id, { showInput: false });
    } catch (error) {
      // The client has no error class for an unknown instance; its text tells the HTTP status.
      if (error instanceof Error && /replied with HTTP 404/.test(error.message)) return undefined;
      throw error;
    }
  });
  return status?.name === scoreJob.name ? status : undefined;
}

/** @throws JobError `platform` when the Functions host did not do what its durable client asked for. */
export async function askHost<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    throw new JobError('platform', 'The Functions host cannot do this now; try again a little later.', { cause });
  }
}

/** @param runtimeStatus of an orchestration. */
export const hasEnded = (runtimeStatus: string) =>
  ['Completed', 'Failed', 'Terminated', 'Canceled'].includes(runtimeStatus);
