import { refuse } from '../answer.js';
import type { Request, Route } from '../routes.js';
import type { Apps } from './apps.js';
import type { JobPath } from './view.js';
import type { ExecutionTemplate, JobBody } from './wire.js';

const PROVIDER = 'providers/Microsoft\\.App';
const GROUP = `/subscriptions/([^/]+)/resourceGroups/([^/]+)/${PROVIDER}`;
const path = (source: string) => new RegExp(`^${source}$`, 'i');

const JOBS = path(`${GROUP}/jobs`);
const JOB = path(`${GROUP}/jobs/([^/]+)`);
const START = path(`${GROUP}/jobs/([^/]+)/start`);
const EXECUTIONS = path(`${GROUP}/jobs/([^/]+)/executions`);
const EXECUTION = path(`${GROUP}/jobs/([^/]+)/executions/([^/]+)`);
const STOP = path(`${GROUP}/jobs/([^/]+)/executions/([^/]+)/stop`);
const ENVIRONMENT = path(`${GROUP}/managedEnvironments/([^/]+)`);
const ENVIRONMENT_USAGES = path(`${GROUP}/managedEnvironments/([^/]+)/usages`);
const USAGES = path(`/subscriptions/([^/]+)/${PROVIDER}/locations/([^/]+)/usages`);
const CREATED = path(`/subscriptions/([^/]+)/${PROVIDER}/locations/[^/]+/containerappsjobOperationStatuses/([^/]+)`);
const STARTED = path(`/subscriptions/([^/]+)/${PROVIDER}/locations/[^/]+/containerappsjobOperationResults/([^/]+)`);

/** Finds what a request to Microsoft.App asks for, by the paths of API version 2025-07-01; undefined for any other. */
export function routeApps(apps: Apps, request: Request): Route | undefined {
  const where = decodeURIComponent(request.url.pathname);
  return request.method === 'GET' ? look(apps, where, request) : change(apps, where, request);
}

function look(apps: Apps, where: string, { url }: Request): Route | undefined {
  let found = JOB.exec(where);
  if (found) return { fault: 'JOB', run: () => apps.get(pathOf(found)) };
  if ((found = JOBS.exec(where))) return { fault: 'JOB', run: () => apps.list(pathOf(found)) };
  if ((found = EXECUTIONS.exec(where))) return { fault: 'LOOK', run: () => apps.listExecutions(pathOf(found)) };
  if ((found = EXECUTION.exec(where))) {
    const [at, name] = [pathOf(found), found[4] ?? ''];
    return { fault: 'LOOK', subject: subjectOf(apps, at, name), run: () => apps.getExecution(at, name) };
  }
  if (ENVIRONMENT.test(where)) return { fault: 'USAGE', run: () => apps.environment(where) };
  if (ENVIRONMENT_USAGES.test(where))
    return { fault: 'USAGE', run: () => apps.usages('ManagedEnvironmentConsumptionCores') };
  if (USAGES.test(where)) return { fault: 'USAGE', run: () => apps.usages('SubscriptionConsumptionT4Gpus') };
  if ((found = CREATED.exec(where))) {
    const status = apps.jobs.get(found[2] ?? '')?.provisioningState ?? 'Failed';
    return { fault: 'JOB', run: () => ({ status: 200, body: { id: where, status } }) };
  }
  if ((found = STARTED.exec(where))) {
    const [, subscription = '', name = ''] = found;
    const at = { subscription, group: url.searchParams.get('group') ?? '', job: url.searchParams.get('job') ?? '' };
    return { fault: 'LOOK', run: () => apps.getExecution(at, name) };
  }
  return undefined;
}

function change(apps: Apps, where: string, { method, url, body }: Request): Route | undefined {
  let found = JOB.exec(where);
  if (found && method === 'PUT') {
    const at = pathOf(found);
    const run = () =>
      isJob(body)
        ? apps.put(at, body, url.origin)
        : refuse(400, 'InvalidRequestContent', 'The request content was invalid.');
    return { fault: 'CREATE', run };
  }
  if (method !== 'POST') return undefined;
  if ((found = START.exec(where))) {
    const [at, template] = [pathOf(found), isTemplate(body) ? body : undefined];
    return { fault: 'START', subject: JSON.stringify(body), run: () => apps.start(at, template, url.origin) };
  }
  if ((found = STOP.exec(where))) {
    const [at, name] = [pathOf(found), found[4] ?? ''];
    return { fault: 'STOP', subject: subjectOf(apps, at, name), run: () => apps.stop(at, name) };
  }
  return undefined;
}

const pathOf = (match: RegExpExecArray | null): JobPath => ({
  subscription: match?.[1] ?? '',
  group: match?.[2] ?? '',
  job: match?.[3] ?? '',
});

const subjectOf = (apps: Apps, at: JobPath, name: string) => JSON.stringify(apps.find(at, name)?.template ?? '');

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
