import type { JobExecution } from '@azure/arm-appcontainers';
import { JobError } from '../../job/failure.js';
import { readAzureFault } from '../azure/fault.js';
import { azureJobError } from '../azure/verdict.js';
import type { LaunchRequest, Place } from '../provider.js';
import { CONTAINER_APPS_ERRORS } from './codes.js';
import { APP, configurationOf, DEADLINE, describeExecution, hasGpu, JOB, LAUNCH } from './job-body.js';
import { ensureJob, type Jobs, lookFor, PATIENCE_SECONDS } from './jobs.js';

/** An execution of one of this app's job resources. */
export interface Execution {
  /** The job resource it is an execution of, and the name that Azure gave it. */
  job: string;
  name: string;
  /** The name under which it was launched. */
  launch: string;
  jobId: string;
  deadline: number;
  status: string;
  startTime: Date | undefined;
  endTime: Date | undefined;
  place: Place;
}

/** Not ended yet. `Degraded` is said of replicas in trouble, and may pass. */
export const isLive = ({ status }: Execution) => !['Succeeded', 'Failed', 'Stopped'].includes(status);

/** All executions that Azure remembers of this app's job resources, those of an earlier configuration included. */
export async function listExecutions({ client, settings }: Jobs): Promise<Execution[]> {
  const found: Execution[] = [];
  for await (const { name: job, tags, location } of client.jobs.listByResourceGroup(settings.resourceGroup)) {
    if (job === undefined || tags?.app !== APP || tags.hub !== settings.hub) continue;
    for await (const execution of client.jobsExecutions.list(settings.resourceGroup, job)) {
      const own = readExecution({ job, place: { region: location } }, execution);
      if (own) found.push(own);
    }
  }
  return found;
}

/** The executions launched under this name, oldest first: one, unless a start was delivered twice. */
export async function findExecutions(jobs: Jobs, launch: string): Promise<Execution[]> {
  const own = (await listExecutions(jobs)).filter((execution) => execution.launch === launch);
  const began = ({ startTime }: Execution) => startTime?.getTime() ?? Infinity;
  return own.toSorted((a, b) => began(a) - began(b) || (a.name < b.name ? -1 : 1));
}

/** One execution as it stands now; undefined when Azure does not remember it. */
export async function getExecution({ client, settings }: Jobs, known: Execution): Promise<Execution | undefined> {
  try {
    return readExecution(known, await client.jobExecution(settings.resourceGroup, known.job, known.name));
  } catch (error) {
    if (readAzureFault(error).status === 404) return undefined;
    throw error;
  }
}

/** The name and region are those of its job resource, which an execution does not tell. */
function readExecution(
  { job, place: { region } }: Pick<Execution, 'job' | 'place'>,
  execution: JobExecution,
): Execution | undefined {
  const { env, resources: { cpu, memory } = {} } = execution.template?.containers?.[0] ?? {};
  const variables = new Map(env?.map(({ name, value }) => [name, value]));
  const launch = variables.get(LAUNCH);
  if (execution.name === undefined || launch === undefined) return undefined;
  const { name, status = 'Unknown', startTime, endTime } = execution;
  const deadline = Date.parse(variables.get(DEADLINE) ?? '') || 0;
  const place: Place = {
    ...(region !== undefined && { region }),
    ...(cpu !== undefined && { cpus: cpu }),
    ...(memory !== undefined && { memoryGib: Number.parseFloat(memory) }),
    gpus: hasGpu(job) ? 1 : 0,
  };
  return { job, name, launch, jobId: variables.get(JOB) ?? '', deadline, status, startTime, endTime, place };
}

/**
 * Starts an execution unless one was launched under this name. Azure starts another one for every request, so this looks
 * again after each start: the answer may have been lost, and another delivery may have started one at the same moment. Then
 * the oldest stays and the others are stopped; every delivery decides alike.
 */
export async function startExecution(jobs: Jobs, request: LaunchRequest): Promise<Execution> {
  const look = async (): Promise<Execution[] | undefined> => {
    const found = await findExecutions(jobs, request.name);
    return found.length > 0 ? found : undefined;
  };
  let found = await look();
  if (!found) {
    const failure = await postStart(jobs, request);
    found = failure ? await look() : await lookFor(look);
    if (!found && failure) throw failure;
  }
  const [first, ...others] = found ?? [];
  if (!first)
    throw new JobError(
      'platform',
      `Azure accepted the start of ${request.name} and has not listed it for ${PATIENCE_SECONDS} seconds; the app looks again.`,
    );
  for (const other of others) await stopExecution(jobs, other);
  return first;
}

/**
 * Sends one start.
 * @returns why it is not certain that it was accepted; undefined when it was.
 * @throws what Azure clearly refused, and whatever `request.confirm` throws.
 */
async function postStart(jobs: Jobs, request: LaunchRequest): Promise<JobError | undefined> {
  const { client, settings } = jobs;
  const configuration = configurationOf(settings, request, Date.now());
  const key = await jobs.readKey();
  const name = await ensureJob(jobs, configuration, key);
  await request.confirm?.();
  let accepted = false;
  try {
    await client.jobs.beginStart(settings.resourceGroup, name, {
      template: { containers: [describeExecution(settings, configuration, request, key)] },
      onResponse: ({ request: { method }, status }) => {
        accepted ||= method === 'POST' && status < 300;
      },
    });
    return undefined;
  } catch (error) {
    if (accepted) return undefined;
    const { status = 500 } = readAzureFault(error);
    if (status === 404) {
      jobs.ready.delete(name);
      throw new JobError('platform', `The job resource ${name} was removed; it is made again.`, { cause: error });
    }
    if (status < 500) throw error;
    return azureJobError(error, CONTAINER_APPS_ERRORS);
  }
}

/**
 * Stops the execution and waits until it has ended. Its entry in the job's history stays; Azure trims that itself.
 * @throws JobError `platform` when it still runs after 20 seconds; call it again.
 */
export async function stopExecution(jobs: Jobs, execution: Execution): Promise<void> {
  if (!isLive(execution)) return;
  const { client, settings } = jobs;
  await client.jobs.beginStopExecution(settings.resourceGroup, execution.job, execution.name);
  const ended = await lookFor(async () => {
    const now = await getExecution(jobs, execution);
    return now && isLive(now) ? undefined : true;
  });
  if (!ended)
    throw new JobError(
      'platform',
      `The execution ${execution.name} still runs ${PATIENCE_SECONDS} seconds after it was stopped; it is stopped again.`,
    );
}
