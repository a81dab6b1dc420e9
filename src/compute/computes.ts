import type { ComputeKind } from '../job/compute-choice.js';
import { JobError } from '../job/failure.js';
import type { Environment } from '../settings.js';
import type { LedgerStore } from './aci/create-budget.js';
import { createAciCompute } from './aci/provider.js';
import { ACI_REQUIRED, type AciSettings, readAciSettings } from './aci/settings.js';
import { createContainerAppsCompute } from './container-apps/provider.js';
import {
  CONTAINER_APPS_REQUIRED,
  type ContainerAppsSettings,
  readContainerAppsSettings,
} from './container-apps/settings.js';
import { createLocalCompute } from './local/provider.js';
import type { ComputeProvider } from './provider.js';

/** Settings of the computes that need any; undefined for one that is not set up. */
export interface ComputeSettings {
  aci: AciSettings | undefined;
  containerApps: ContainerAppsSettings | undefined;
}

/** @throws JobError `user` that names the setting which is missing or wrong. */
export const readComputeSettings = (environment: Environment): ComputeSettings => ({
  aci: readAciSettings(environment),
  containerApps: readContainerAppsSettings(environment),
});

export interface ComputePorts {
  /** All that child processes get of the app's environment; never its secrets. */
  childEnvironment: NodeJS.ProcessEnv;
  /** What every scorer gets in its environment beside what its launch says; it overrides what the compute says of the place. */
  scorerTuning: Record<string, string>;
  /** Where all instances of the app count the container groups that they create. */
  ledgers: LedgerStore;
  /** The key that seals the environments of Container Apps executions. */
  readSealingKey: () => Promise<string>;
}

/** Every compute by the name that a job gives it. */
export const createComputes = (
  { aci, containerApps }: ComputeSettings,
  { childEnvironment, scorerTuning, ledgers, readSealingKey }: ComputePorts,
): Record<ComputeKind, ComputeProvider> => ({
  local: tuned(createLocalCompute(childEnvironment), scorerTuning),
  aci: aci ? tuned(createAciCompute(aci, ledgers), scorerTuning) : refuse('aci', ACI_REQUIRED),
  'container-apps': containerApps
    ? tuned(createContainerAppsCompute(containerApps, readSealingKey), scorerTuning)
    : refuse('container-apps', CONTAINER_APPS_REQUIRED),
});

const tuned = (provider: ComputeProvider, tuning: Record<string, string>): ComputeProvider => ({
  ...provider,
  launch: (request) => provider.launch({ ...request, environment: { ...tuning, ...request.environment } }),
});

/** Takes the place of a compute that is not set up: it refuses jobs and names the settings to set. */
function refuse(kind: ComputeKind, required: readonly string[]): ComputeProvider {
  const sentence = `The compute "${kind}" is not set up; set ${required.join(', ')}, or use "local".`;
  const rejected = () => Promise.reject(new JobError('user', sentence));
  return {
    poll: { minSeconds: 1, maxSeconds: 1 },
    preflight: rejected,
    launch: rejected,
    observe: rejected,
    logs: rejected,
    remove: rejected,
    list: () => Promise.resolve([]),
  };
}
