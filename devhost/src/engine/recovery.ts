import type { StoredHistory } from '../store/history-table.js';
import type { InstanceRow } from '../store/instance-table.js';
import { createChild } from './children.js';
import type { Engine } from './engine.js';
import {
  type ExecutionCompleted,
  type ExecutionStarted,
  type HistoryEvent,
  type RuntimeStatus,
  settledTask,
} from './history-events.js';
import type { Instance, InstanceSeed } from './instance.js';
import { childOutcome, isAnswerTo, newRow } from './lineage.js';
import { Limiter } from './limiter.js';

const PARALLEL_LOADS = 8;

interface Loaded {
  instance: Instance;
  stored: StoredHistory;
}

/** Loads every instance that has not ended, then resumes them: children must be known before their parents look. */
export async function recoverAll(engine: Engine): Promise<number> {
  const loads: Promise<Loaded | undefined>[] = [];
  const limiter = new Limiter(PARALLEL_LOADS);
  const statuses: RuntimeStatus[] = ['Pending', 'Running', 'Suspended', 'ContinuedAsNew'];
  for await (const row of engine.hub.instances.all({ statuses })) loads.push(limiter.run(() => load(engine, row)));
  const loaded = (await Promise.all(loads)).filter((each) => each !== undefined);
  for (const each of loaded) resume(engine, each);
  return loaded.length;
}

/** Brings one instance back after its state in memory was given up. */
export async function reload(engine: Engine, instanceId: string): Promise<void> {
  const row = await engine.hub.instances.get(instanceId);
  const stored = await engine.hub.history.load(instanceId);
  const start = startOf(stored.events);
  const current = row ?? (start && newRow(start));
  const loaded = current && (await revive(engine, current, stored, row !== undefined));
  if (loaded) resume(engine, loaded);
}

/** A parent's history asks for a child: it may be alive, may have ended unnoticed, may never have been made. */
export async function recoverChild(engine: Engine, start: ExecutionStarted): Promise<void> {
  const parent = start.ParentInstance;
  const childId = start.OrchestrationInstance.InstanceId;
  if (!parent || engine.live.has(childId)) return;
  const stored = await engine.hub.history.load(childId);
  const storedStart = startOf(stored.events);
  if (!storedStart || !isAnswerTo(storedStart, parent)) {
    // A first checkpoint that was cut short leaves a sentinel without history.
    if (stored.etag !== undefined) await engine.hub.history.clear(childId);
    await createChild(engine, start);
    return;
  }
  const end = endOf(stored.events);
  const row = (await engine.hub.instances.get(childId)) ?? newRow(storedStart);
  const loaded = await revive(
    engine,
    { ...row, executionId: storedStart.OrchestrationInstance.ExecutionId },
    stored,
    false,
  );
  if (loaded) resume(engine, loaded);
  const { InstanceId, ExecutionId } = parent.OrchestrationInstance;
  if (end) engine.deliver(InstanceId, ExecutionId, childOutcome(parent, storedStart.Name, end));
}

async function load(engine: Engine, row: InstanceRow): Promise<Loaded | undefined> {
  return await revive(engine, row, await engine.hub.history.load(row.instanceId), true);
}

/** Makes the instance live again, or only corrects its row when the history shows that it has ended. */
async function revive(
  engine: Engine,
  row: InstanceRow,
  stored: StoredHistory,
  hasRow: boolean,
): Promise<Loaded | undefined> {
  const start = startOf(stored.events);
  const end = endOf(stored.events);
  if (end) {
    const completedTime = new Date(stored.events.at(-1)?.Timestamp ?? Date.now());
    await engine.hub.instances.put({ ...row, status: end.OrchestrationStatus, output: end.Result, completedTime });
    return undefined;
  }
  if (!start) return { instance: engine.begin(row, stored.etag), stored };
  const { ExecutionId: executionId } = start.OrchestrationInstance;
  const status = isSuspended(stored.events) ? 'Suspended' : 'Running';
  const seed: InstanceSeed = {
    row: { ...row, executionId, status, input: start.Input, generation: start.Generation },
    start,
    history: stored.events,
    etag: stored.etag,
    // A row that belongs to an earlier execution is written whole.
    hasRow: hasRow && row.executionId === executionId,
  };
  return { instance: engine.adopt(seed), stored };
}

function resume(engine: Engine, { instance, stored }: Loaded): void {
  const { executionId } = instance.row;
  const answered = new Set(
    stored.parked.filter((each) => each.executionId === executionId).map(({ body }) => settledTask(body)),
  );
  for (const event of instance.openTasks) if (!answered.has(event.EventId)) engine.dispatch(instance, event, true);
  for (const message of stored.parked) instance.deliver(message);
}

function startOf(events: readonly HistoryEvent[]): ExecutionStarted | undefined {
  return events.find((event) => event.EventType === 'ExecutionStarted');
}

function endOf(events: readonly HistoryEvent[]): ExecutionCompleted | undefined {
  return events.find((event) => event.EventType === 'ExecutionCompleted');
}

function isSuspended(events: readonly HistoryEvent[]): boolean {
  const last = events.findLast(
    (event) => event.EventType === 'ExecutionSuspended' || event.EventType === 'ExecutionResumed',
  );
  return last?.EventType === 'ExecutionSuspended';
}
