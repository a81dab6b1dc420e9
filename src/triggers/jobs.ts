import { createHash, randomBytes } from 'node:crypto';
import type { HttpResponseInit, InvocationContext } from '@azure/functions';
import * as df from 'durable-functions';
import { JobError } from '../job/failure.js';
import { publishedIn } from '../job/progress.js';
import { isJobId } from '../job/spec.js';
import { jobOf } from '../job-store/layout.js';
import { isListed } from '../job-store/list/job-list.js';
import { type JobInput, scoreJob } from '../orchestrators/score-job.js';
import type { Storage } from '../storage/storage.js';
import { refuse } from './http.js';

type Orchestration = df.DurableOrchestrationStatus;

const LETTERS = 'abcdefghijklmnopqrstuvwxyz234567';

/** 8 lower-case letters and digits, 40 random bits: nobody finds another's job or upload by trying. */
export function randomId(): string {
  return idOf(randomBytes(8));
}

/**
 * The same for the same request: who sends it again, as its answer was lost, means the same job.
 * @param said what tells one request from another.
 */
export const idOfRequest = (...said: string[]) =>
  idOf(createHash('sha256').update(said.join('\n')).digest().subarray(0, 8));

const idOf = (bytes: Uint8Array) => Array.from(bytes, (byte) => LETTERS[byte % LETTERS.length]).join('');

/** An orchestration without its input; undefined when there is none of this id. */
export async function findInstance(
  client: Pick<df.DurableClient, 'getStatus'>,
  id: string,
): Promise<df.DurableOrchestrationStatus | undefined> {
  try {
    return await client.getStatus(id, { showInput: false });
  } catch (error) {
    if (isUnknown(error)) return undefined;
    throw error;
  }
}

/** The span that started a job and when that was accepted, as its orchestration was told: for a job that has no record yet. */
export async function toldAtStart(
  client: Pick<df.DurableClient, 'getStatus'>,
  id: string,
): Promise<Pick<JobInput, 'traceParent' | 'acceptedAt'>> {
  const { traceParent, acceptedAt }: Partial<JobInput> = (await inputOfJob(client, id).catch(() => undefined)) ?? {};
  return {
    ...(typeof traceParent === 'string' && { traceParent }),
    ...(typeof acceptedAt === 'number' && { acceptedAt }),
  };
}

/** What the orchestration of a job was started with. */
export async function inputOfJob(
  client: Pick<df.DurableClient, 'getStatus'>,
  id: string,
): Promise<JobInput | undefined> {
  const { input } = await client.getStatus(id, { showInput: true });
  return typeof input === 'object' && input !== null && 'spec' in input ? (input as JobInput) : undefined;
}

/** Whether the durable client has found no such instance. It has no error class for that; only its texts tell. */
export const isUnknown = (error: unknown) =>
  error instanceof Error && /replied with HTTP 404|No instance with ID/.test(error.message);

/** The orchestration of a job; undefined when there is no job of this id. Needs a durable client input. */
export async function findJob(
  context: InvocationContext,
  id: string,
): Promise<df.DurableOrchestrationStatus | undefined> {
  if (!isJobId(id)) return undefined;
  const status = await askHost(() => findInstance(df.getClient(context), id));
  return status?.name === scoreJob.name ? status : undefined;
}

/** The orchestrations of jobs, as the Functions host keeps them. */
export interface JobHost {
  /** Runtime status; undefined when there is no such job. */
  stateOf(context: InvocationContext, jobId: string): Promise<string | undefined>;
  /** Starts a job; one of the same id that has ended starts once more. */
  start(context: InvocationContext, input: JobInput): Promise<void>;
}

/** Needs a durable client input. */
export const durableHost: JobHost = {
  stateOf: async (context, jobId) => (await findJob(context, jobId))?.runtimeStatus,
  start: async (context, input) => {
    await askHost(() => df.getClient(context).startNew(scoreJob.name, { instanceId: input.jobId, input }));
  },
};

/** What is said of a job that there is not, and of one that is none of the caller's business. */
export const noJob = (id: string) => `There is no job "${id}".`;

/** Says that a job is over and its records have been removed. */
export function refuseForgotten({ instanceId, lastUpdatedTime }: Orchestration): HttpResponseInit {
  const day = new Date(lastUpdatedTime).toISOString().slice(0, 10);
  return refuse(
    410,
    `Job "${instanceId}" ended on ${day}, and its records have been removed since; what it delivered stays, and a new job scores the same input again.`,
  );
}

/** Whether the records of a job that is over have been removed. One that was ended before it had any is still listed. */
export async function isForgotten(
  storage: Storage,
  client: Pick<df.DurableClient, 'getStatus'>,
  { instanceId: jobId, runtimeStatus, customStatus }: Orchestration,
): Promise<boolean> {
  if (await jobOf(storage, jobId).exists()) return false;
  if (runtimeStatus === df.OrchestrationRuntimeStatus.Completed || publishedIn(customStatus)?.plan) return true;
  const input = await askHost(() => inputOfJob(client, jobId));
  return input?.acceptedAt === undefined || !(await isListed(storage, { jobId, acceptedAt: input.acceptedAt }));
}

/** The orchestration of a job whose records are kept; else the answer that says why there is none to show. */
export async function findKept(
  storage: Storage,
  context: InvocationContext,
  id: string,
): Promise<Orchestration | HttpResponseInit> {
  const status = await findJob(context, id);
  if (!status) return refuse(404, noJob(id));
  const isGone = isOver(status) && (await isForgotten(storage, df.getClient(context), status));
  return isGone ? refuseForgotten(status) : status;
}

/** @throws JobError `platform` when the Functions host did not do what its durable client asked for. */
export async function askHost<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    throw new JobError('platform', 'The Functions host cannot do this now; try again a little later.', { cause });
  }
}

/** Whether a job is over, even if its end is still to be told. */
export const isOver = ({
  runtimeStatus,
  customStatus,
}: Pick<df.DurableOrchestrationStatus, 'runtimeStatus' | 'customStatus'>) =>
  hasEnded(runtimeStatus) || publishedIn(customStatus)?.over !== undefined;

/** @param runtimeStatus of an orchestration. */
export const hasEnded = (runtimeStatus: string) =>
  ['Completed', 'Failed', 'Terminated', 'Canceled'].includes(runtimeStatus);
