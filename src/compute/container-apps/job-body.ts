import { describePlace } from '../../container-contract/environment.js';
import { createHash } from 'node:crypto';
import type { Job, JobExecutionContainer } from '@azure/arm-appcontainers';
import { seal, SEALED, SEALING_KEY } from '../../container-contract/sealing.js';
import { isPulledByIdentity, registryOf } from '../azure/image.js';
import type { LaunchRequest } from '../provider.js';
import { type ContainerAppsSettings, GPU_PROFILES } from './settings.js';

/** Value of the tag `app`. */
export const APP = 'durable-batch-scoring';
/** Name of the one container of every execution. */
const CONTAINER = 'scorer';
/** Name of the job's secret. */
const SECRET = 'scorer-key';

/** Variables that say whose an execution is. They are no secrets: the service gives them back. */
export const LAUNCH = 'SCORER_LAUNCH';
export const JOB = 'SCORER_JOB';
export const DEADLINE = 'SCORER_DEADLINE';

/** Everything in which one job resource differs from another. */
export interface Configuration {
  gpu: boolean;
  /** Virtual cores of a container without GPU. */
  cpu: number;
  /** Seconds after which Azure ends a container whatever it does. */
  replicaTimeout: number;
}

const HOUR = 3_600_000;

/** Rounded up to full hours, so that launches of one job share a configuration. */
export const configurationOf = (
  settings: ContainerAppsSettings,
  { gpu, memoryGb, deadline }: LaunchRequest,
  now: number,
): Configuration => ({
  gpu: gpu === true,
  cpu: gpu === true ? GPU_PROFILES[settings.gpu].cpu : coresFor(settings.cpu, memoryGb),
  replicaTimeout: Math.max(1, Math.ceil((deadline - now) / HOUR)) * 3600,
});

/** Memory of a container without GPU, GiB for each core, and the steps of its cores, as Azure asks. */
export const GIB_PER_CORE = 2;
const CORE_STEP = 0.25;

/** The cores that a container without GPU needs to have so much memory. */
export const coresFor = (cpu: number, memoryGb = 0) =>
  Math.max(cpu, Math.ceil(memoryGb / GIB_PER_CORE / CORE_STEP) * CORE_STEP);

/** Another configuration, image or key has another name, at most 32 characters: the resource itself never changes. */
export function jobName(settings: ContainerAppsSettings, configuration: Configuration, key: string): string {
  const { environment, image, gpuImage, identityId, hub } = settings;
  const parts = [environment.id, image, gpuImage, profileOf(settings, configuration), identityId, hub];
  const hash = createHash('sha256').update(JSON.stringify([...parts, configuration, key]));
  return `scorer-${configuration.gpu ? 'gpu' : 'cpu'}-${hash.digest('hex').slice(0, 12)}`;
}

/** Whether the containers of a job resource of this name have a GPU: one, since each takes a whole profile. */
export const hasGpu = (name: string) => name.startsWith('scorer-gpu-');

/** Type of the workload profile that a container needs. */
export const profileOf = ({ gpu }: ContainerAppsSettings, configuration: Configuration): string =>
  configuration.gpu ? GPU_PROFILES[gpu].type : 'Consumption';

/** A GPU container takes its whole profile. */
function sizeOf({ gpu: kind }: ContainerAppsSettings, { gpu, cpu }: Configuration) {
  return { cpu, memory: `${gpu ? GPU_PROFILES[kind].memoryGib : cpu * GIB_PER_CORE}Gi` };
}

function containerOf(settings: ContainerAppsSettings, configuration: Configuration): JobExecutionContainer {
  const image = configuration.gpu ? settings.gpuImage : settings.image;
  return { name: CONTAINER, image, resources: sizeOf(settings, configuration) };
}

/** The body of the PUT. `place`: region of the environment, and its name for the workload profile, if it has any. */
export function describeJob(
  settings: ContainerAppsSettings,
  configuration: Configuration,
  place: { location: string; profile: string | undefined },
  key: string,
): Job {
  return {
    location: place.location,
    tags: { app: APP, hub: settings.hub },
    environmentId: settings.environment.id,
    ...(place.profile === undefined ? {} : { workloadProfileName: place.profile }),
    configuration: {
      triggerType: 'Manual',
      replicaTimeout: configuration.replicaTimeout,
      replicaRetryLimit: 0,
      manualTriggerConfig: { parallelism: 1, replicaCompletionCount: 1 },
      secrets: [{ name: SECRET, value: key }],
      ...registry(settings, configuration),
    },
    template: { containers: [containerOf(settings, configuration)] },
    ...(settings.identityId === undefined
      ? {}
      : { identity: { type: 'UserAssigned', userAssignedIdentities: { [settings.identityId]: {} } } }),
  };
}

/** The identity pulls the image when that is in an Azure container registry. */
function registry({ identityId, image, gpuImage = '' }: ContainerAppsSettings, { gpu }: Configuration) {
  const pulled = gpu ? gpuImage : image;
  return isPulledByIdentity(pulled, identityId)
    ? { registries: [{ server: registryOf(pulled), identity: identityId }] }
    : {};
}

/** The container of one execution: it replaces the job's own as a whole, so it repeats everything. */
export function describeExecution(
  settings: ContainerAppsSettings,
  configuration: Configuration,
  request: LaunchRequest,
  key: string,
): JobExecutionContainer {
  const { cpu } = sizeOf(settings, configuration);
  const environment = { ...describePlace({ threads: cpu, gpu: configuration.gpu }), ...request.environment };
  return {
    ...containerOf(settings, configuration),
    env: [
      { name: LAUNCH, value: request.name },
      { name: JOB, value: request.jobId },
      { name: DEADLINE, value: new Date(request.deadline).toISOString() },
      { name: SEALING_KEY, secretRef: SECRET },
      { name: SEALED, value: seal(environment, key) },
    ],
  };
}
