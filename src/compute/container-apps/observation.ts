import type { Printed } from '../../container-contract/printout.js';
import type { ContainerState, Observation } from '../provider.js';
import type { Execution } from './executions.js';

/** What each state of an execution means; version 2025-07-01 of the API gives neither exit code nor reason. */
const STATES: Record<string, ContainerState> = {
  Processing: 'provisioning',
  Running: 'running',
  // The job's own time limits end one that does not recover.
  Degraded: 'running',
  Unknown: 'running',
  Succeeded: 'succeeded',
  Failed: 'failed',
  Stopped: 'failed',
};

export function observeExecution(execution: Execution): Observation {
  const { name, status, startTime, endTime, place } = execution;
  const times = `started ${startTime?.toISOString() ?? 'never'}, ended ${endTime?.toISOString() ?? 'not yet'}`;
  return {
    state: STATES[status] ?? 'running',
    ...why(execution),
    events: [`Execution ${name}: ${status}, ${times}`],
    ...(endTime && { endedAt: endTime.toISOString() }),
    place,
  };
}

function why({ name, status }: Execution): Partial<Observation> {
  if (status === 'Stopped') return { blame: 'platform', reason: `the execution ${name} was stopped from outside` };
  if (status !== 'Failed') return {};
  const reason = `Azure Container Apps ended the execution ${name} as failed, without an exit code in this version of its API; the log of its environment says more`;
  return { reason, outOfMemory: 'possible' };
}

/** Takes the place of the output, which Azure Resource Manager does not hand out for executions. */
export const whereTheLogIs = ({ name, job }: Execution): Printed => ({
  text: `(What else execution ${name} of job ${job} printed is in the log destination of its Container Apps environment. In Log Analytics: ContainerAppConsoleLogs_CL | where ContainerGroupName_s startswith '${name}' | order by TimeGenerated asc)`,
  stream: 'platform',
  level: 'info',
});
