import { setTimeout as sleep } from 'node:timers/promises';
import { pMapIterable } from 'p-map';
import PQueue from 'p-queue';
import { type FunctionRegistry, unknownFunction } from '../app/function-registry.js';
import type { Invoker } from '../app/invoker.js';
import type { Backend, InstanceRow } from '../backend/backend.js';
import { type Log, messageOf } from '../log.js';
import { activitySpan, orchestrationTrace, taskTrace } from '../tracing/orchestration-spans.js';
import type { ExportSpans } from '../tracing/spans.js';
import type {
  CompletionBody,
  ExecutionCompleted,
  ExecutionStarted,
  RuntimeStatus,
  ScheduledEvent,
} from '../protocol/history.js';
import { Activities } from './activities.js';
import {
  childFailed,
  childOutcome,
  type ChildStarted,
  childStart,
  isAnswerTo,
  isChild,
  newRow,
  startOf,
} from './execution.js';
import { Instance, type InstanceSeed, type InstanceServices } from './instance.js';
import { answeredTasks, endedRow, find, type Found, isLater, messagesFor, seedOf } from './recovery.js';
import { rewindHistory } from './rewind.js';

const NOT_ENDED: RuntimeStatus[] = ['Pending', 'Running', 'Suspended', 'ContinuedAsNew'];
const PARALLEL_LOADS = 8;
/** Pause between two tries of work on storage, and before an instance is loaded again. */
const RETRY_MS = 1000;
/** How long turns under way may take to be stored when the engine stops. */
const TURN_PATIENCE_MS = 2000;

export interface EngineOptions {
  backend: Backend;
  functions: FunctionRegistry;
  invoker: Invoker;
  log: Pick<Log, 'debug' | 'warn'>;
  /** How many activities run at the same time. */
  maxActivities: number;
  /** How many turns run at the same time. */
  maxOrchestrators: number;
  /** Fail what only Azure would punish. */
  strict: boolean;
  /** Takes the spans of what has ended; without it none are made. */
  exportSpans?: ExportSpans | undefined;
}

/** Drives all orchestrations of a hub: every instance that has not ended lives in memory, its state in storage. */
export class Engine {
  readonly backend: Backend;
  readonly exportSpans: ExportSpans | undefined;
  /** Every instance that has not ended, or whose last row is being written. */
  readonly live = new Map<string, Instance>();
  readonly log: Pick<Log, 'debug' | 'warn'>;
  readonly #services: InstanceServices;
  readonly #activities: Activities;
  /** What was Pending at the last look though nobody told of it. */
  #pending = new Set<string>();
  #stopping = false;

  constructor({ backend, functions, invoker, log, exportSpans, ...options }: EngineOptions) {
    const { maxActivities, maxOrchestrators, strict } = options;
    this.backend = backend;
    this.exportSpans = exportSpans;
    this.log = log;
    this.#activities = new Activities(maxActivities, {
      call: ({ start, scheduled }, data, triggerMetadata) => {
        const target = functions.find('activityTrigger', scheduled.Name);
        if (!target) throw new Error(unknownFunction('activity', scheduled.Name, functions));
        const metadata = { ...triggerMetadata, ...(Object.keys(data).length > 0 && { [target.trigger.name]: data }) };
        const trace = taskTrace(start, scheduled.EventId, 'server');
        return invoker.invoke(target, { data, triggerMetadata: metadata, trace });
      },
      ended: ({ start, scheduled }, times, ok) => exportSpans?.([activitySpan(start, scheduled, times, ok)]),
      deliver: ({ start }, outcome) => {
        const { InstanceId, ExecutionId } = start.OrchestrationInstance;
        this.#deliver(InstanceId, ExecutionId, outcome);
      },
    });
    this.#services = {
      backend,
      turns: new PQueue({ concurrency: maxOrchestrators }),
      log,
      exportSpans,
      call: (start, payload) => {
        const target = functions.find('orchestrationTrigger', start.Name);
        if (!target) throw new Error(unknownFunction('orchestrator', start.Name, functions));
        return invoker.invoke(target, { data: { string: payload }, trace: orchestrationTrace(start) });
      },
      isKnown: (kind, name) =>
        functions.find(kind === 'activity' ? 'activityTrigger' : 'orchestrationTrigger', name) !== undefined,
      strict,
      dispatch: (instance, event) => this.#dispatch(instance, event),
      ended: (instance, end) => this.#ended(instance, end),
      lost: (instance) => {
        if (this.live.get(instance.id) !== instance) return;
        this.live.delete(instance.id);
        this.#reload(instance);
      },
    };
  }

  /** Brings back every instance that has not ended: open activities run again, timers are armed, missing children made. */
  async recover(): Promise<number> {
    // pMap itself loses an error of its source while several loads wait for the next row (p-map 7.1.1).
    const revived = pMapIterable(
      this.backend.instances.all({ statuses: NOT_ENDED }),
      async (row) => (isLater(row) ? undefined : await this.#revive(await find(this.backend, row.instanceId, row))),
      { concurrency: PARALLEL_LOADS },
    );
    // Children must be known before their parents look for them.
    const instances = [];
    for await (const resume of revived) if (resume !== undefined) instances.push(resume);
    for (const resume of instances) resume();
    return instances.length;
  }

  /** Running activities get `patience` milliseconds; their results and the turns under way are stored. */
  async stop(patience: number): Promise<void> {
    this.#stopping = true;
    await this.#activities.stop(patience);
    const instances = [...this.live.values()];
    await Promise.race([
      Promise.all(instances.map((instance) => instance.settled())),
      sleep(TURN_PATIENCE_MS, undefined, { ref: false }),
    ]);
    await Promise.all(instances.map((instance) => instance.close()));
  }

  /** Resolves when the rows of all instances tell what is durable now. */
  async flushRows(): Promise<void> {
    await Promise.all([...this.live.values()].map((instance) => instance.flushRow()));
  }

  /** Begins a top-level instance whose row is already stored as Pending. */
  begin(row: InstanceRow): void {
    if (this.live.has(row.instanceId)) return;
    const start = startOf(row);
    this.#adopt({ row, start, history: [], etag: undefined, hasRow: true }).deliver({ body: start });
  }

  /** As `begin`, once storage can say whether it has the row. */
  beginWhenStored(row: InstanceRow): void {
    void this.#untilStored(async () => {
      const stored = await this.backend.instances.get(row.instanceId);
      if (stored?.executionId === row.executionId && !this.live.has(row.instanceId)) this.begin(row);
    }, RETRY_MS);
  }

  /** Lets a failed instance run again what failed, and its sub-orchestrations too. */
  async rewind(instanceId: string, reason: string): Promise<void> {
    // Children must be known before their parents look for them.
    for (const id of await rewindHistory(this.backend, instanceId, reason)) await this.wake(id);
  }

  /** Resolves when an instance is done with ending: it shows its end before, while its row is still being written. */
  async ending(instanceId: string): Promise<void> {
    const instance = this.live.get(instanceId);
    if (instance?.hasEnded === true) await instance.settled();
  }

  /** Makes an instance live that is not. */
  async wake(instanceId: string): Promise<void> {
    if (this.live.has(instanceId)) return;
    (await this.#revive(await find(this.backend, instanceId)))?.();
  }

  /**
   * Wakes instances that are Pending in storage though nobody told of them: a client's message was lost, or it rewound them. One that is
   * seen for the first time may just be about to begin.
   */
  async wakePending(): Promise<void> {
    const before = this.#pending;
    this.#pending = new Set();
    for await (const row of this.backend.instances.all({ statuses: ['Pending'] })) {
      const { instanceId, executionId } = row;
      if (this.live.has(instanceId) || isLater(row)) continue;
      const seen = `${instanceId}\n${executionId}`;
      if (before.has(seen)) await this.wake(instanceId);
      else this.#pending.add(seen);
    }
  }

  #adopt(seed: InstanceSeed): Instance {
    const instance = new Instance(seed, this.#services);
    this.live.set(instance.id, instance);
    return instance;
  }

  #deliver(instanceId: string, executionId: string, body: CompletionBody): void {
    this.live.get(instanceId)?.deliver({ body: { ...body, Timestamp: new Date().toISOString() }, executionId });
  }

  /** Starts work that the history already shows; after a restart a child may exist already. */
  #dispatch(instance: Instance, event: ScheduledEvent, recovering = false): void {
    if (this.#stopping) return;
    const { start } = instance;
    if (event.EventType === 'TaskScheduled') {
      this.#activities.start({ start, scheduled: event });
    } else if (event.EventType === 'TimerCreated') {
      instance.arm(event);
    } else {
      const child = childStart(start, event);
      void this.#untilStored(() => (recovering ? this.#recoverChild(child) : this.#createChild(child)));
    }
  }

  /**
   * Makes a sub-orchestration. Its row is written with its first checkpoint; until then the parent's history is what a
   * restart goes by. An ended instance of the same id is overwritten, a running one fails the call.
   */
  async #createChild(start: ChildStarted): Promise<void> {
    const parent = start.ParentInstance;
    const { InstanceId } = start.OrchestrationInstance;
    await this.ending(InstanceId);
    if (this.#isTaken(start)) return;
    const child = this.#adopt({ row: newRow(start), start, history: [], etag: undefined, hasRow: false });
    const isNamedByApp = !InstanceId.startsWith(`${parent.OrchestrationInstance.ExecutionId}:`);
    try {
      if (isNamedByApp) await this.backend.histories.clear(InstanceId);
    } catch (error) {
      this.live.delete(InstanceId);
      throw error;
    }
    child.deliver({ body: start });
  }

  /** Whether an instance of the child's id is running: the child, which was made before, or another's, which fails the call. */
  #isTaken({ ParentInstance: parent, OrchestrationInstance: { InstanceId: childId } }: ChildStarted): boolean {
    const running = this.live.get(childId);
    if (running && !isAnswerTo(running.start, parent)) {
      const reason = `An orchestration instance with the id '${childId}' is already running.`;
      const { InstanceId, ExecutionId } = parent.OrchestrationInstance;
      this.#deliver(InstanceId, ExecutionId, childFailed(parent, reason, reason));
    }
    return running !== undefined;
  }

  /** A parent's history asks for a child: it may be alive, may have ended unnoticed, may never have been made. */
  async #recoverChild(start: ChildStarted): Promise<void> {
    const { InstanceId: childId } = start.OrchestrationInstance;
    await this.ending(childId);
    if (this.#isTaken(start)) return;
    const found = await find(this.backend, childId);
    if (found.start && isAnswerTo(found.start, start.ParentInstance)) {
      (await this.#revive(found))?.();
      return;
    }
    // A first checkpoint that was cut short leaves an ETag without events.
    if (found.stored.etag !== undefined) await this.backend.histories.clear(childId);
    await this.#createChild(start);
  }

  /**
   * Makes an instance live again and returns what sets it going. One that has ended meanwhile only gets the row that its
   * history implies, and its parent is told.
   */
  async #revive(found: Found): Promise<(() => void) | undefined> {
    const { start, end } = found;
    if (start && end) {
      await this.backend.instances.put(endedRow(found, start, end));
      this.#tellParent(start, end);
      return undefined;
    }
    const seed = seedOf(found);
    if (!seed || this.live.has(seed.row.instanceId)) return undefined;
    const instance = this.#adopt(seed);
    return () => {
      const answered = answeredTasks(found);
      for (const event of instance.openTasks) if (!answered.has(event.EventId)) this.#dispatch(instance, event, true);
      instance.deliver(...messagesFor(found));
    };
  }

  #ended(instance: Instance, end: ExecutionCompleted): void {
    this.live.delete(instance.id);
    this.log.debug(`Instance ${instance.id} (${instance.row.name}) ended: ${end.OrchestrationStatus}.`);
    this.#tellParent(instance.start, end);
  }

  /** A parent that has heard it already drops the message. */
  #tellParent(child: ExecutionStarted, end: ExecutionCompleted): void {
    const parent = child.ParentInstance;
    if (!parent) return;
    const { InstanceId, ExecutionId } = parent.OrchestrationInstance;
    this.#deliver(InstanceId, ExecutionId, childOutcome(parent, child.Name, end));
  }

  /** Storage and memory may disagree: what storage holds is what counts. Of a child that it knows nothing of, the parent still waits. */
  #reload({ id, start }: Instance): void {
    void this.#untilStored(async () => {
      const found = await find(this.backend, id);
      const isGone = found.row === undefined && found.start === undefined;
      if (!isGone) (await this.#revive(found))?.();
      else if (isChild(start)) await this.#recoverChild(start);
      else
        this.log.warn(
          `Instance ${id} (${start.Name}) is not in storage any more and does not go on: storage has lost it, or somebody else removed it.`,
        );
    }, RETRY_MS);
  }

  /** Repeats work on storage until it succeeds or the host stops. */
  async #untilStored(work: () => Promise<void>, firstDelay = 0): Promise<void> {
    if (firstDelay > 0) await sleep(firstDelay);
    while (!this.#stopping) {
      try {
        await work();
        return;
      } catch (error) {
        this.log.warn(`Storage: ${messageOf(error)}. Trying again in a second.`);
        await sleep(RETRY_MS);
      }
    }
  }
}
