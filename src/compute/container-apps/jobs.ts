import type { ContainerAppsAPIClient, Job, ManagedEnvironment } from '@azure/arm-appcontainers';
import { readAzureFault } from '../azure/fault.js';
import { JobError } from '../../job/failure.js';
import { orMissing } from '../azure/arm.js';
import { type Configuration, describeJob, jobName, profileOf } from './job.js';
import { lookFor } from './look.js';
import type { ContainerAppsSettings } from './settings.js';

export interface Jobs {
  client: ContainerAppsAPIClient;
  settings: ContainerAppsSettings;
  /** The key with which the environments of executions are sealed. */
  readKey: () => Promise<string>;
  /** Job resources that were seen ready, or are being made, by name. */
  ready: Map<string, Promise<void>>;
}

/** Makes the job resource of a configuration unless it stands, once for all launches of this app; returns its name. */
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

/** A PUT by two hosts at once does no harm: the name stands for the content, so both send the same. */
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

/** Stops at the answer: how the operation goes on is read with GET. When no clear answer came, GET tells as well. */
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
