import { refuse, type Routes } from '../http.js';
import type { Apps } from './apps.js';
import type { JobPath } from './view.js';
import type { ExecutionTemplate, JobBody } from './wire.js';

const PROVIDER = '/providers/Microsoft.App';
const GROUP = `/subscriptions/:subscription/resourceGroups/:group${PROVIDER}`;
const LOCATION = `/subscriptions/:subscription${PROVIDER}/locations/:region`;
const JOB = `${GROUP}/jobs/:job`;
const EXECUTION = `${JOB}/executions/:execution`;
const ENVIRONMENT = `${GROUP}/managedEnvironments/:environment`;

/** The paths of API version 2025-07-01. */
export function jobRoutes(apps: Apps): Routes {
  const subjectOf = (at: JobPath, execution: string) => JSON.stringify(apps.find(at, execution)?.template ?? '');
  return {
    [`GET ${GROUP}/jobs`]: (at) => ({ fault: 'JOB', run: () => apps.list(pathOf(at)) }),
    [`GET ${JOB}`]: (at) => ({ fault: 'JOB', run: () => apps.get(pathOf(at)) }),
    [`PUT ${JOB}`]: (at, { url, body }) => ({
      fault: 'CREATE',
      run: () =>
        isJob(body)
          ? apps.put(pathOf(at), body, url.origin)
          : refuse(400, 'InvalidRequestContent', 'The request content was invalid.'),
    }),
    [`POST ${JOB}/start`]: (at, { url, body }) => ({
      fault: 'START',
      subject: JSON.stringify(body),
      run: () => apps.start(pathOf(at), isTemplate(body) ? body : undefined, url.origin),
    }),
    [`GET ${JOB}/executions`]: (at) => ({ fault: 'LOOK', run: () => apps.listExecutions(pathOf(at)) }),
    [`GET ${EXECUTION}`]: ({ execution = '', ...at }) => ({
      fault: 'LOOK',
      subject: subjectOf(pathOf(at), execution),
      run: () => apps.getExecution(pathOf(at), execution),
    }),
    [`POST ${EXECUTION}/stop`]: ({ execution = '', ...at }) => ({
      fault: 'STOP',
      subject: subjectOf(pathOf(at), execution),
      run: () => apps.stop(pathOf(at), execution),
    }),
    [`GET ${ENVIRONMENT}`]: ({ path }) => ({ fault: 'USAGE', run: () => apps.environment(path) }),
    [`GET ${ENVIRONMENT}/usages`]: () => ({
      fault: 'USAGE',
      run: () => apps.usages('ManagedEnvironmentConsumptionCores'),
    }),
    [`GET ${LOCATION}/usages`]: ({ path }) => ({
      fault: 'USAGE',
      subject: path,
      run: () => apps.usages('SubscriptionConsumptionT4Gpus'),
    }),
    [`GET ${LOCATION}/containerappsjobOperationStatuses/:job`]: ({ job = '', path }) => {
      const status = apps.jobs.get(job)?.provisioningState ?? 'Failed';
      return { fault: 'JOB', run: () => ({ status: 200, body: { id: path, status } }) };
    },
    [`GET ${LOCATION}/containerappsjobOperationResults/:execution`]: (
      { subscription = '', execution = '' },
      { url: { searchParams } },
    ) => {
      const at = { subscription, group: searchParams.get('group') ?? '', job: searchParams.get('job') ?? '' };
      return { fault: 'LOOK', run: () => apps.getExecution(at, execution) };
    },
  };
}

const pathOf = ({ subscription = '', group = '', job = '' }: Record<string, string>): JobPath => ({
  subscription,
  group,
  job,
});

function isJob(body: unknown): body is JobBody {
  const { location, properties } = (body ?? {}) as Partial<JobBody>;
  return (
    typeof location === 'string' &&
    typeof properties?.configuration === 'object' &&
    Array.isArray(properties.template?.containers)
  );
}

function isTemplate(body: unknown): body is ExecutionTemplate {
  return Array.isArray(((body ?? {}) as Partial<ExecutionTemplate>).containers);
}
