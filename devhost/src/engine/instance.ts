import { randomUUID } from 'node:crypto';
import { messageOf } from '../fault.js';
import type { Log } from '../log.js';
import type { HistoryTable } from '../store/history-table.js';
import type { InstanceRow, InstanceTable } from '../store/instance-table.js';
import {
  type CompletionBody,
  type ExecutionCompleted,
  type ExecutionStarted,
  type HistoryEvent,
  isScheduled,
  type ScheduledEvent,
  settledTask,
  type TimerCreated,
} from './history-events.js';
import type { Limiter } from './limiter.js';
import { Mailbox, type Message } from './mailbox.js';
import type { ReplayEnd } from './replay.js';
import { RowWriter } from './row-writer.js';
import { runTurn, type Turn, type TurnRequest } from './turn.js';
import { Timers } from './timers.js';

/** What an instance needs from the engine around it. */
export interface InstanceServices {
  history: HistoryTable;
  instances: InstanceTable;
  turns: Limiter;
  log: Log;
  call: TurnRequest['call'];
  isKnown: TurnRequest['isKnown'];
  /** New work is durable now: start it. */
  dispatch(instance: Instance, event: ScheduledEvent): void;
  ended(instance: Instance, end: ExecutionCompleted): void;
  /** A turn could not be stored: this object is of no use any more, load the instance afresh. */
  lost(instance: Instance): void;
}

export interface InstanceSeed {
  row: InstanceRow;
  start: ExecutionStarted;
  history: HistoryEvent[];
  etag: string | undefined;
  /** False for a child whose row is written with its first checkpoint. */
  hasRow: boolean;
}

/** A living orchestration: its history in memory, one turn at a time, each turn durable before its work starts. */
export class Instance {
  readonly row: InstanceRow;
  readonly #services: InstanceServices;
  readonly #mailbox = new Mailbox();
  readonly #timers = new Timers();
  readonly #warned = new Set<string>();
  readonly #rowWriter = new RowWriter(() => this.#writeRow());
  #start: ExecutionStarted;
  #history: HistoryEvent[];
  #etag: string | undefined;
  #hasRow: boolean;
  #open: Map<number, ScheduledEvent>;
  #consumed: string[] = [];
  #pump: Promise<void> = Promise.resolve();
  #pumping = false;
  #closed = false;

  constructor(seed: InstanceSeed, services: InstanceServices) {
    this.row = seed.row;
    this.#services = services;
    this.#start = seed.start;
    this.#history = seed.history;
    this.#etag = seed.etag;
    this.#hasRow = seed.hasRow;
    this.#open = openTasks(seed.history);
    this.#mailbox.suspended = seed.row.status === 'Suspended';
  }

  get id(): string {
    return this.row.instanceId;
  }

  get start(): ExecutionStarted {
    return this.#start;
  }

  get openTasks(): ScheduledEvent[] {
    return [...this.#open.values()];
  }

  /** Hands over a message; the turn that takes it in makes it durable unless it is parked already. */
  deliver(message: Message): void {
    if (this.#closed) return;
    this.#mailbox.add(message);
    if (this.#mailbox.suspended && message.key === undefined) void this.#park(message);
    if (this.#pumping) return;
    this.#pumping = true;
    this.#pump = this.#run();
  }

  arm(event: TimerCreated & { EventId: number }): void {
    const executionId = this.row.executionId;
    const body: CompletionBody = { EventType: 'TimerFired', TimerId: event.EventId, FireAt: event.FireAt };
    this.#timers.set(event.EventId, new Date(event.FireAt), () => this.deliver({ body, executionId }));
  }

  /** Resolves when every message that can be taken in has been. */
  async settled(): Promise<void> {
    await this.#pump;
  }

  /** Takes no more messages and resolves when the turn under way, if any, has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timers.clear();
    await this.#pump;
    await this.#rowWriter.idle();
  }

  async #run(): Promise<void> {
    try {
      while (!this.#closed) {
        const messages = this.#mailbox.take(this.#open, this.row.executionId, this.#consumed.length);
        if (messages.length === 0) break;
        await this.#turn(messages);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#pumping = false;
    }
  }

  #fail(error: unknown): void {
    this.#services.log.warn(`Instance ${this.id} is loaded again from storage: ${messageOf(error)}`);
    this.#closed = true;
    this.#timers.clear();
    this.#services.lost(this);
  }

  async #turn(messages: Message[]): Promise<void> {
    for (const { key } of messages) if (key !== undefined) this.#consumed.push(key);
    const { call, isKnown, turns } = this.#services;
    const request = { start: this.#start, past: this.#history, messages: messages.map(({ body }) => body), call, isKnown };
    const turn = await turns.run(() => runTurn({ ...request, warn: (text) => this.#warnOnce(text) }));
    if (turn.end && 'kind' in turn.end) await this.#startOver(turn.end);
    else await this.#commit(turn, messages, turn.end);
  }

  /**
   * ContinueAsNew: a new execution takes over at once. Nothing of the old turn is stored; until the first turn of the new
   * execution is, a restart repeats the old one.
   */
  async #startOver(end: Extract<ReplayEnd, { kind: 'continuedAsNew' }>): Promise<void> {
    const executionId = randomUUID().replaceAll('-', '');
    const { InstanceId } = this.#start.OrchestrationInstance;
    this.#start = {
      ...this.#start,
      OrchestrationInstance: { InstanceId, ExecutionId: executionId },
      Input: JSON.stringify(end.input ?? null),
      Generation: this.#start.Generation + 1,
    };
    this.#history = [];
    this.#open = new Map();
    this.#timers.clear();
    Object.assign(this.row, { executionId, input: this.#start.Input, createdTime: new Date(), generation: this.#start.Generation });
    this.#hasRow = false;
    this.#mailbox.addFirst([{ body: this.#start }, ...end.carried.map((body) => ({ body }))]);
    // An orchestrator that never waits must not keep the process from everything else.
    await new Promise((resolve) => setImmediate(resolve));
  }

  async #commit(turn: Turn, messages: Message[], end: ExecutionCompleted | undefined): Promise<void> {
    const { history } = this.#services;
    this.#etag = await history.append({
      instanceId: this.id,
      executionId: this.row.executionId,
      etag: this.#etag,
      firstIndex: this.#history.length,
      events: turn.events,
      consumed: this.#consumed,
    });
    this.#consumed = [];
    this.#history.push(...turn.events);
    this.#open = new Map([...this.#open.values(), ...turn.scheduled].filter(({ EventId }) => turn.open.has(EventId)).map((each) => [each.EventId, each]));
    this.#timers.keepOnly(turn.open);
    this.#updateRow(turn, messages, end);
    if (end) {
      this.#closed = true;
      this.#timers.clear();
    } else {
      for (const event of turn.scheduled) this.#services.dispatch(this, event);
    }
    const saved = this.#rowWriter.save();
    if (end) {
      await saved;
      this.#services.ended(this, end);
    } else saved.catch((error: unknown) => this.#fail(error));
  }

  #updateRow(turn: Turn, messages: Message[], end: ExecutionCompleted | undefined): void {
    const { row } = this;
    row.lastUpdatedTime = new Date();
    if (turn.customStatus !== undefined) row.customStatus = turn.customStatus;
    for (const { body } of messages) {
      if (body.EventType === 'ExecutionSuspended' || body.EventType === 'ExecutionResumed') row.output = body.Reason;
    }
    row.status = end?.OrchestrationStatus ?? (this.#mailbox.suspended ? 'Suspended' : 'Running');
    if (!end) return;
    row.output = end.Result;
    row.completedTime = row.lastUpdatedTime;
  }

  async #writeRow(): Promise<void> {
    const { instances } = this.#services;
    await (this.#hasRow ? instances.update(this.row) : instances.put(this.row));
    this.#hasRow = true;
  }

  async #park(message: Message): Promise<void> {
    try {
      message.key = await this.#services.history.park(this.id, message.body, message.executionId);
    } catch (error) {
      this.#services.log.debug(`Instance ${this.id}: ${messageOf(error)}. After a restart the activity would run again.`);
    }
  }

  #warnOnce(text: string): void {
    if (this.#warned.has(text)) return;
    this.#warned.add(text);
    this.#services.log.warn(`Instance ${this.id} (${this.row.name}): ${text}`);
  }
}

function openTasks(history: readonly HistoryEvent[]): Map<number, ScheduledEvent> {
  const open = new Map<number, ScheduledEvent>();
  for (const event of history) {
    const settled = settledTask(event);
    if (settled !== undefined) open.delete(settled);
    if (isScheduled(event)) open.set(event.EventId, event);
  }
  return open;
}
