import type { ScheduledBody } from './history-events.js';
import { OrchestrationFault } from './orchestration-fault.js';

const KINDS = {
  TaskScheduled: 'an activity',
  SubOrchestrationInstanceCreated: 'a sub-orchestration',
  TimerCreated: 'a timer',
} as const;

/** Compares what an earlier run scheduled under a number with what this replay has scheduled under it; throws when they differ. */
export function checkMatch(event: ScheduledBody & { EventId: number }, expected: ScheduledBody | undefined): void {
  const before = describe(event);
  if (expected && describe(expected).toLowerCase() === before.toLowerCase()) return;
  const contradiction = expected
    ? `task ${event.EventId} was ${before} in an earlier run, and is ${describe(expected)} in this replay`
    : `an earlier run scheduled ${before} as task ${event.EventId}, and this replay has not scheduled it`;
  throw new OrchestrationFault(
    `Non-deterministic orchestrator: ${contradiction}. Was the code changed while this instance was running?`,
  );
}

function describe(body: ScheduledBody): string {
  return 'Name' in body ? `${KINDS[body.EventType]} '${body.Name}'` : KINDS[body.EventType];
}
