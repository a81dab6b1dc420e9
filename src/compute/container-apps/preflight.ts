import type { ManagedEnvironment } from '@azure/arm-appcontainers';
import { counted } from '../../job/counted.js';
import { JobError } from '../../job/failure.js';
import type { Preflight, PreflightRequest } from '../provider.js';
import { profileNamed, type Jobs } from './jobs.js';
import { GPU_PROFILES } from './settings.js';

/** Containers at once when the job does not say, and the most that a job may have. */
const USUAL_PARALLEL = 10;
const MOST_PARALLEL = 100;

/** What a quota leaves for containers that need `unit` of it each. */
interface Room {
  /** Containers that fit beside what runs now, and if nothing else ran. */
  free: number;
  ever: number;
  /** The numbers, for a sentence. */
  why: string;
}

/**
 * Asks the environment for its workload profiles and Azure for the quota that a container counts against.
 * @throws JobError `user` when a required GPU cannot be had, or no container ever fits.
 */
export async function checkCapacity(jobs: Jobs, { maxParallel, gpu }: PreflightRequest): Promise<Preflight> {
  const { resourceGroup, name } = jobs.settings.environment;
  const environment = await jobs.client.managedEnvironments.get(resourceGroup, name);
  const lack = gpu === 'prefer' || gpu === 'require' ? await lackOfGpu(jobs, environment) : undefined;
  if (gpu === 'require' && lack !== undefined)
    throw new JobError('user', `There is no GPU for this job: ${lack}; or leave "compute.gpu" out to run on CPU.`);
  const onGpu = gpu !== undefined && gpu !== 'none' && lack === undefined;
  const warnings = lack === undefined ? [] : [`There is no GPU for this job, so it runs on CPU: ${lack}.`];
  const room = onGpu ? await gpuRoom(jobs, environment) : await cpuRoom(jobs, environment);
  const wanted = Math.min(maxParallel ?? USUAL_PARALLEL, MOST_PARALLEL);
  const allowed = Math.max(1, Math.min(wanted, room?.free ?? wanted));
  if (room && allowed < (maxParallel ?? 1) + (room.free === 0 ? 1 : 0))
    warnings.push(
      room.free === 0
        ? `Azure's quota is used up at the moment (${room.why}), so batches wait and 1 container runs at once.`
        : `Azure's quota leaves room for ${counted(room.free, 'container')} (${room.why}), so ${allowed} instead of ${wanted} run at once.`,
    );
  return { maxParallel: allowed, warnings, gpu: onGpu };
}

/** What keeps this app from running on GPU, and what to do; undefined when nothing does. */
async function lackOfGpu(jobs: Jobs, environment: ManagedEnvironment): Promise<string | undefined> {
  const { settings } = jobs;
  const { type } = GPU_PROFILES[settings.gpu];
  if (settings.gpuImage === undefined) return 'set CONTAINER_APPS_GPU_IMAGE to an image with CUDA';
  if (profileNamed(environment.workloadProfiles, type) === undefined)
    return `the environment ${settings.environment.name} has no workload profile of the type ${type}; add one with "az containerapp env workload-profile add"`;
  const room = await gpuRoom(jobs, environment);
  return room?.ever === 0
    ? `the quota of ${environment.location} allows none (${room.why}); ask Azure for more`
    : undefined;
}

/** One GPU for each container. */
async function gpuRoom({ client, settings }: Jobs, { location }: ManagedEnvironment): Promise<Room | undefined> {
  return roomOf(client.usages.list(location), GPU_PROFILES[settings.gpu].quota, 1, location);
}

/** @throws JobError `user` when not even one container fits into what the environment may ever have. */
async function cpuRoom(
  { client, settings }: Jobs,
  { workloadProfiles }: ManagedEnvironment,
): Promise<Room | undefined> {
  const { name, resourceGroup } = settings.environment;
  if (workloadProfiles && profileNamed(workloadProfiles, 'Consumption') === undefined)
    throw new JobError('user', `The environment ${name} has no workload profile of the type Consumption; add one.`);
  const usages = client.managedEnvironmentUsages.list(resourceGroup, name);
  const room = await roomOf(usages, 'ManagedEnvironmentConsumptionCores', settings.cpu, name);
  if (room?.ever === 0)
    throw new JobError(
      'user',
      `The environment ${name} can never hold a container of ${counted(settings.cpu, 'core')} (${room.why}); lower CONTAINER_APPS_CPU or ask Azure for a higher quota.`,
    );
  return room;
}

/** `unit`: how much of the quota one container takes. Undefined where Azure lists no such quota. */
async function roomOf(
  usages: AsyncIterable<{ name: { value?: string }; limit: number; currentValue: number }>,
  quota: string,
  unit: number,
  where: string,
): Promise<Room | undefined> {
  for await (const { name, limit, currentValue } of usages) {
    if (name.value?.toLowerCase() !== quota.toLowerCase()) continue;
    return {
      free: Math.max(0, Math.floor((limit - currentValue) / unit)),
      ever: Math.floor(limit / unit),
      why: `${quota} of ${where}: ${currentValue} of ${limit} in use`,
    };
  }
  return undefined;
}
