import type { ContainerAppsAPIClient, Job, ManagedEnvironment } from '@azure/arm-appcontainers';
import type { TokenCredential } from '@azure/identity';
import { poll } from '../../poll.js';
import { readAzureFault } from '../azure/fault.js';
import { JobError } from '../../job/failure.js';
import { orMissing } from '../azure/arm.js';
import { type Configuration, describeJob, jobName, profileOf } from './job-body.js';
import type { ContainerAppsSettings } from './settings.js';

export interface Jobs {
  client: ContainerAppsAPIClient;
  login: TokenCredential;
  settings: ContainerAppsSettings;
  /** The key with which the environments of executions are sealed. */
  readKey: () => Promise<string>;
  /** Job resources that this app has seen ready or is making, by name. */
  ready: Map<string, Promise<void>>;
}

/** How long to look for something that Azure has promised. */
export const PATIENCE_SECONDS = 20;

/** Looks again, after growing pauses, until there is an answer; undefined when there is none in 20 seconds. */
export const lookFor = <T>(look: () => Promise<T | undefined>): Promise<T | undefined> =>
  poll(look, { pauseMs: (looks) => Math.min(2000, 100 * 2 ** (looks - 1)), withinMs: PATIENCE_SECONDS * 1000 });

/** Makes the job resource of a configuration unless there is one, once for all launches of this app; returns its name. */
export async function ensureJob(jobs: Jobs, configuration: Configuration, key: string): Promise<string> {
  const { ready } = jobs;
  const name = jobName(jobs.settings, configuration, key);
  let making = ready.get(name);
  if (!making) {
    making = makeJob(jobs, configuration, key, name);
    ready.set(name, making);
    making.catch(() => ready.delete(name));
  }
  await making;
  return name;
}

/** Two hosts that PUT at once do no harm: the name stands for the content, so both send the same. */
async function makeJob(jobs: Jobs, configuration: Configuration, key: string, name: string): Promise<void> {
  const { client, settings } = jobs;
  const job = await findJob(jobs, name);
  if (!job || job.provisioningState === 'Failed' || job.provisioningState === 'Canceled') {
    const { location, workloadProfiles } = await client.managedEnvironments.get(
      settings.environment.resourceGroup,
      settings.environment.name,
    );
    const profile = profileNamed(workloadProfiles, profileOf(settings, configuration));
    await putJob(jobs, name, describeJob(settings, configuration, { location, profile }, key));
  }
  const state = await lookFor(async () => {
    const now = (await findJob(jobs, name))?.provisioningState;
    return now === 'InProgress' ? undefined : (now ?? 'unknown');
  });
  if (state !== 'Succeeded')
    throw new JobError(
      'platform',
      `Azure has not made the job resource ${name} (state ${state ?? 'InProgress'}); it is asked for again.`,
    );
}

/** Name that an environment gives to a workload profile; undefined in an environment without profiles. */
export function profileNamed(profiles: ManagedEnvironment['workloadProfiles'], type: string): string | undefined {
  return profiles?.find(({ workloadProfileType }) => workloadProfileType.toLowerCase() === type.toLowerCase())?.name;
}

/** Sends the PUT and stops at its answer: later looks use GET. When no clear answer comes, GET says whether there is a job. */
async function putJob(jobs: Jobs, name: string, body: Job): Promise<void> {
  const { client, settings } = jobs;
  let accepted = false;
  try {
    await client.jobs.beginCreateOrUpdate(settings.resourceGroup, name, body, {
      onResponse: ({ request: { method }, status }) => {
        accepted ||= method === 'PUT' && status < 300;
      },
    });
  } catch (error) {
    if (accepted) return;
    const { status = 500 } = readAzureFault(error);
    if (status < 500 || !(await findJob(jobs, name))) throw error;
  }
}

/** The job resource, without its secrets' values; undefined when there is none. */
const findJob = ({ client, settings }: Jobs, name: string): Promise<Job | undefined> =>
  orMissing(client.jobs.get(settings.resourceGroup, name));
