import { CONTAINER_APPS_CODES } from './codes.js';
import { azureJobError } from '../azure/errors.js';
import { loginTo } from '../azure/arm.js';
import { checkImageFor } from '../azure/image.js';
import type { ComputeProvider, Preflight } from '../provider.js';
import { checkRights } from '../azure/rights.js';
import { lazyClient } from './client.js';
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
import { needsOf } from './needs.js';
import { observeExecution, whereTheLogIs } from './observation.js';
import { checkCapacity } from './preflight.js';
import type { ContainerAppsSettings } from './settings.js';

/** Longest pause between two looks at an execution, in seconds. */
const LONGEST_POLL = 60;

/**
 * Runs each container as an execution of a job of Azure Container Apps. There is one job resource for each configuration;
 * an execution is known by the name of its launch, which stands in its environment.
 * @param readKey the key with which the executions' environments are sealed: always the same one.
 * @param timeout milliseconds after which a request without an answer is given up.
 */
export function createContainerAppsCompute(
  settings: ContainerAppsSettings,
  readKey: () => Promise<string>,
  timeout?: number,
): ComputeProvider {
  const login = loginTo(settings.endpoint);
  const client = lazyClient(settings, login, timeout);
  const ready: Jobs['ready'] = new Map();
  /** Which execution a launch led to: saves listing all of them at every look. Lost with the host, and found again. */
  const known = new Map<string, Execution>();
  const ask = async <T>(work: (jobs: Jobs) => Promise<T>): Promise<T> => {
    try {
      return await work({ client: await client(), settings, readKey, ready });
    } catch (error) {
      throw azureJobError(error, CONTAINER_APPS_CODES);
    }
  };
  const find = async (jobs: Jobs, name: string): Promise<Execution | undefined> => {
    const earlier = known.get(name);
    const found = (earlier && (await getExecution(jobs, earlier))) ?? (await findExecutions(jobs, name))[0];
    if (found) known.set(name, found);
    return found;
  };
  return {
    poll: { minSeconds: settings.pollSeconds, maxSeconds: Math.max(settings.pollSeconds, LONGEST_POLL) },
    preflight: (request) =>
      ask(async (jobs) => {
        const [preflight] = await Promise.all([
          checkCapacity(jobs, request),
          checkRights(settings.endpoint, login, needsOf(settings)),
        ]);
        const warning = await checkOwnImage(settings, preflight);
        return warning === undefined ? preflight : { ...preflight, warnings: [...preflight.warnings, warning] };
      }),
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
        return execution ? whereTheLogIs(execution) : '';
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

/** Asks for the image that the job's containers will have. */
const checkOwnImage = (settings: ContainerAppsSettings, { gpu }: Preflight) =>
  gpu === true && settings.gpuImage !== undefined
    ? checkImageFor(settings, settings.gpuImage, 'CONTAINER_APPS_GPU_IMAGE')
    : checkImageFor(settings, settings.image, 'CONTAINER_APPS_IMAGE');
