import { type Answer, refuse } from '../http.js';
import type { Execution } from './execution.js';
import type { JobBody } from './wire.js';

export interface JobPath {
  subscription: string;
  group: string;
  job: string;
}

export const providers = ({ subscription }: { subscription: string }) =>
  `/subscriptions/${subscription}/providers/Microsoft.App`;

const resourceId = ({ subscription, group, job }: JobPath) =>
  `/subscriptions/${subscription}/resourceGroups/${group}/providers/Microsoft.App/jobs/${job}`;

/** A job as Azure gives it back: of its secrets only the names. */
export function viewJob(at: JobPath, job: { body: JobBody; provisioningState: string }): object {
  const { configuration, ...rest } = job.body.properties;
  const secrets = configuration.secrets?.map(({ name }) => ({ name }));
  return {
    id: resourceId(at),
    name: at.job,
    type: 'Microsoft.App/jobs',
    location: job.body.location,
    ...(job.body.tags ? { tags: job.body.tags } : {}),
    ...(job.body.identity ? { identity: job.body.identity } : {}),
    properties: { provisioningState: job.provisioningState, ...rest, configuration: { ...configuration, secrets } },
  };
}

/** An execution with its template, plain values of the environment included: whoever may read the job sees them. */
export function viewExecution(at: JobPath, { name, status, startTime, endTime, template }: Execution): object {
  return {
    id: `${resourceId(at)}/executions/${name}`,
    name,
    type: 'Microsoft.App/jobs/executions',
    properties: {
      status,
      startTime: startTime.toISOString(),
      ...(endTime ? { endTime: endTime.toISOString() } : {}),
      template,
    },
  };
}

export function notFound({ group, job }: JobPath, execution?: string): Answer {
  const what = execution === undefined ? `jobs/${job}` : `jobs/${job}/executions/${execution}`;
  const message = `The Resource 'Microsoft.App/${what}' under resource group '${group}' was not found.`;
  return refuse(404, 'ResourceNotFound', message);
}
