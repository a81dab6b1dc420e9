import type { ManagedEnvironment } from '@azure/arm-appcontainers';
import { counted, JobError } from '../../job/failure.js';
import { ifAllowed } from '../azure/arm.js';
import { fitParallel, type Room } from '../azure/capacity.js';
import { checkImageFor } from '../azure/image.js';
import { checkRights, type Need, toAssign } from '../azure/rights.js';
import type { Memory, Preflight, PreflightRequest } from '../provider.js';
import { coresFor, GIB_PER_CORE } from './job-body.js';
import { type Jobs, profileNamed } from './jobs.js';
import { type ContainerAppsSettings, GPU_PROFILES, MOST_CORES } from './settings.js';

/**
 * Checks GPU, room, rights and image before a job starts.
 * @throws JobError `user` when the job could not run: no GPU although it requires one, no room ever, no image, or a right is
 * missing.
 */
export async function preflightContainerApps(jobs: Jobs, request: PreflightRequest): Promise<Preflight> {
  const { settings, login } = jobs;
  const [preflight] = await Promise.all([
    checkCapacity(jobs, request),
    checkRights(settings.endpoint, login, needsOf(settings)),
  ]);
  const warning = await checkOwnImage(settings, preflight);
  return warning === undefined ? preflight : { ...preflight, warnings: [...preflight.warnings, warning] };
}

/** Asks for the image that the job's containers will have. */
const checkOwnImage = (settings: ContainerAppsSettings, { gpu }: Preflight) =>
  gpu === true && settings.gpuImage !== undefined
    ? checkImageFor(settings, settings.gpuImage, 'CONTAINER_APPS_GPU_IMAGE')
    : checkImageFor(settings, settings.image, 'CONTAINER_APPS_IMAGE');

const JOBS = 'Microsoft.App/jobs';
const ENVIRONMENTS = 'Microsoft.App/managedEnvironments';

/** What the app's own identity has to be allowed to do; the actions are those of Azure's list of permissions. */
function needsOf({ environment, resourceGroup, identityId }: ContainerAppsSettings): Need[] {
  const needs: Need[] = [
    {
      scope: `/subscriptions/${environment.subscriptionId}/resourceGroups/${resourceGroup}`,
      actions: [
        `${JOBS}/read`,
        `${JOBS}/write`,
        `${JOBS}/start/action`,
        `${JOBS}/executions/read`,
        `${JOBS}/execution/read`,
        `${JOBS}/stop/execution/action`,
      ],
      remedy: 'grant it Contributor there',
    },
    {
      scope: environment.id,
      actions: [`${ENVIRONMENTS}/read`, `${ENVIRONMENTS}/join/action`],
      remedy: 'grant it Contributor there, or correct CONTAINER_APPS_ENVIRONMENT_ID',
    },
  ];
  if (identityId !== undefined) needs.push(toAssign(identityId, 'CONTAINER_APPS_IDENTITY_ID'));
  return needs;
}

/** Asks the environment for its workload profiles, and Azure for the quota that a container counts against. */
async function checkCapacity(jobs: Jobs, { maxParallel, gpu, memoryGb }: PreflightRequest): Promise<Preflight> {
  const { resourceGroup, name } = jobs.settings.environment;
  const environment = await jobs.client.managedEnvironments.get(resourceGroup, name);
  const lack = gpu === 'prefer' || gpu === 'require' ? await lackOfGpu(jobs, environment) : undefined;
  if (gpu === 'require' && lack !== undefined)
    throw new JobError('user', `There is no GPU for this job: ${lack}; or leave "compute.gpu" out to run on CPU.`, {
      noRoom: true,
    });
  const onGpu = gpu !== undefined && gpu !== 'none' && lack === undefined;
  const gpuWarnings = lack === undefined ? [] : [`There is no GPU for this job, so it runs on CPU: ${lack}.`];
  const { cpu, ...memory } = sizeFor(jobs.settings, onGpu, memoryGb);
  const room = onGpu ? await gpuRoom(jobs, environment) : await cpuRoom(jobs, environment, cpu);
  const fit = fitParallel(maxParallel, room?.free, room?.why ?? '');
  const size = { cpus: cpu, memoryGib: memory.gb, gpus: onGpu ? 1 : 0 };
  return { maxParallel: fit.maxParallel, warnings: [...gpuWarnings, ...fit.warnings], gpu: onGpu, memory, size };
}

/**
 * How big a container is, and with how much memory another one may come.
 * @throws JobError `user` when the job asks for more than any container has.
 */
function sizeFor({ gpu, cpu }: ContainerAppsSettings, onGpu: boolean, memoryGb = 0): Memory & { cpu: number } {
  const profile = GPU_PROFILES[gpu];
  const mostGb = onGpu ? profile.memoryGib : MOST_CORES * GIB_PER_CORE;
  if (memoryGb > mostGb)
    throw new JobError(
      'user',
      `A container ${onGpu ? `with a GPU (${gpu})` : 'without GPU'} has at most ${mostGb} GB of memory in Azure Container Apps; lower "compute.memoryGb" (${memoryGb}).`,
      { noRoom: true },
    );
  if (onGpu) return { cpu: profile.cpu, gb: mostGb };
  const cores = coresFor(cpu, memoryGb);
  const gb = cores * GIB_PER_CORE;
  return { cpu: cores, gb, ...(gb < mostGb && { moreGb: Math.min(mostGb, 2 * gb) }) };
}

/** Why this app cannot run on GPU, and what to do about it; undefined when it can. */
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
  return ifAllowed(roomOf(client.usages.list(location), GPU_PROFILES[settings.gpu].quota, 1, location));
}

/** @throws JobError `user` when not even one container fits into what the environment may ever have. */
async function cpuRoom(
  { client, settings }: Jobs,
  { workloadProfiles }: ManagedEnvironment,
  cpu: number,
): Promise<Room | undefined> {
  const { name, resourceGroup } = settings.environment;
  if (workloadProfiles && profileNamed(workloadProfiles, 'Consumption') === undefined)
    throw new JobError('user', `The environment ${name} has no workload profile of the type Consumption; add one.`);
  const usages = client.managedEnvironmentUsages.list(resourceGroup, name);
  const room = await roomOf(usages, 'ManagedEnvironmentConsumptionCores', cpu, name);
  if (room?.ever === 0)
    throw new JobError(
      'user',
      `The environment ${name} can never hold a container of ${counted(cpu, 'core')} (${room.why}); lower CONTAINER_APPS_CPU ("compute.memoryGb") or ask Azure for a higher quota.`,
      { noRoom: true },
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
