import { lazyClient } from '../azure/arm.js';
import { loginTo } from '../azure/login.js';
import { pollBounds } from '../azure/settings.js';
import { azureJobError } from '../azure/verdict.js';
import type { ComputeProvider } from '../provider.js';
import { CONTAINER_APPS_ERRORS } from './codes.js';
import {
  type Execution,
  findExecutions,
  getExecution,
  isLive,
  listExecutions,
  startExecution,
  stopExecution,
} from './executions.js';
import type { Jobs } from './jobs.js';
import { observeExecution, whereTheLogIs } from './observation.js';
import { preflightContainerApps } from './preflight.js';
import type { ContainerAppsSettings } from './settings.js';

/**
 * Runs each container as an execution of a job of Azure Container Apps. There is one job resource for each configuration;
 * the environment of an execution holds the name of its launch, by which the app finds it again.
 * @param readKey the key that seals the executions' environments: always the same one.
 */
export function createContainerAppsCompute(
  settings: ContainerAppsSettings,
  readKey: () => Promise<string>,
): ComputeProvider {
  const login = loginTo(settings.endpoint);
  const client = lazyClient(settings, async (options) => {
    const { ContainerAppsAPIClient } = await import('@azure/arm-appcontainers');
    return new ContainerAppsAPIClient(login, settings.environment.subscriptionId, options);
  });
  const ready: Jobs['ready'] = new Map();
  /** Which execution a launch led to: saves listing all of them at every look. A new host finds them again. */
  const known = new Map<string, Execution>();
  const ask = async <T>(work: (jobs: Jobs) => Promise<T>): Promise<T> => {
    try {
      return await work({ client: await client(), login, settings, readKey, ready });
    } catch (error) {
      throw azureJobError(error, CONTAINER_APPS_ERRORS);
    }
  };
  const find = async (jobs: Jobs, name: string): Promise<Execution | undefined> => {
    const earlier = known.get(name);
    const found = (earlier && (await getExecution(jobs, earlier))) ?? (await findExecutions(jobs, name))[0];
    if (found) known.set(name, found);
    return found;
  };
  return {
    poll: pollBounds(settings),
    preflight: (request) => ask((jobs) => preflightContainerApps(jobs, request)),
    launch: (request) =>
      ask(async (jobs) => {
        known.set(request.name, await startExecution(jobs, request));
      }),
    observe: (name) =>
      ask(async (jobs) => {
        const execution = await find(jobs, name);
        return execution
          ? observeExecution(execution)
          : { state: 'lost', blame: 'platform', reason: `Azure no longer knows the execution of ${name}` };
      }),
    logs: (name) =>
      ask(async (jobs) => {
        const execution = await find(jobs, name);
        return execution ? [whereTheLogIs(execution)] : [];
      }),
    remove: (name) =>
      ask(async (jobs) => {
        for (const execution of await findExecutions(jobs, name)) await stopExecution(jobs, execution);
        known.delete(name);
      }),
    list: () =>
      ask(async (jobs) =>
        (await listExecutions(jobs))
          .filter(isLive)
          .map(({ launch, jobId, deadline }) => ({ name: launch, jobId, deadline })),
      ),
  };
}
