import type { Engine } from './engine.js';
import type { ExecutionStarted, ParentLink } from './history-events.js';
import { isAnswerTo, newRow } from './lineage.js';

/**
 * Makes a sub-orchestration. Its row is written with its first checkpoint; until then the parent's history is what a
 * restart goes by. An ended instance of the same id is overwritten, a running one fails the call.
 */
export async function createChild(engine: Engine, start: ExecutionStarted): Promise<void> {
  const parent = start.ParentInstance;
  const { InstanceId } = start.OrchestrationInstance;
  const other = engine.live.get(InstanceId);
  if (parent && other && !isAnswerTo(other.start, parent)) refuse(engine, parent, InstanceId);
  if (other) return;
  const child = engine.adopt({ row: newRow(start), start, history: [], etag: undefined, hasRow: false });
  const isNamedByApp = !InstanceId.startsWith(`${parent?.OrchestrationInstance.ExecutionId}:`);
  try {
    if (isNamedByApp) await engine.hub.history.clear(InstanceId);
  } catch (error) {
    engine.live.delete(InstanceId);
    throw error;
  }
  child.deliver({ body: start });
}

function refuse(engine: Engine, parent: ParentLink, childId: string): void {
  const Reason = `An orchestration instance with the id '${childId}' is already running.`;
  const { InstanceId, ExecutionId } = parent.OrchestrationInstance;
  engine.deliver(InstanceId, ExecutionId, {
    EventType: 'SubOrchestrationInstanceFailed',
    TaskScheduledId: parent.TaskScheduleId,
    Reason,
    Details: Reason,
    FailureDetails: null,
  });
}
