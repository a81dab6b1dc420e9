import type PQueue from 'p-queue';
import type { Backend, InstanceRow } from '../backend/backend.js';
import { type Log, messageOf } from '../log.js';
import {
  type CompletionBody,
  type ExecutionCompleted,
  type ExecutionStarted,
  type HistoryEvent,
  isTerminal,
  type ScheduledEvent,
  type TimerCreated,
} from '../protocol/history.js';
import { turnSpans } from '../tracing/orchestration-spans.js';
import type { ExportSpans } from '../tracing/spans.js';
import { Execution, isLittleNews, rowAfterTurn } from './execution.js';
import { Mailbox, type Message } from './mailbox.js';
import type { ContinuedAsNew } from './replay.js';
import { runTurn, type Turn, type TurnRequest } from './turn.js';

/** What an instance needs from the engine around it. */
export interface InstanceServices {
  backend: Pick<Backend, 'instances' | 'histories'>;
  /** Bounds how many turns run at the same time. */
  turns: PQueue;
  log: Pick<Log, 'debug' | 'warn'>;
  exportSpans: ExportSpans | undefined;
  call: TurnRequest['call'];
  isKnown: TurnRequest['isKnown'];
  strict: TurnRequest['strict'];
  /** New work is durable now: start it. */
  dispatch(instance: Instance, event: ScheduledEvent): void;
  ended(instance: Instance, end: ExecutionCompleted): void;
  /** A turn may not have been stored: this object is of no use any more, load the instance again. */
  lost(instance: Instance): void;
}

export interface InstanceSeed {
  row: InstanceRow;
  start: ExecutionStarted;
  history: HistoryEvent[];
  etag: string | undefined;
  /** False when storage has no row, or one of an earlier execution: the next write is of the whole row. */
  hasRow: boolean;
}

/** A living orchestration: its history in memory, one turn at a time, each turn durable before its work starts. */
export class Instance {
  readonly row: InstanceRow;
  readonly #services: InstanceServices;
  readonly #mailbox = new Mailbox();
  readonly #timers = new Timers();
  readonly #warned = new Set<string>();
  readonly #rowWriter = new RowWriter(
    () => this.#writeRow(),
    (error) => this.#fail(error),
  );
  #execution: Execution;
  #etag: string | undefined;
  #hasRow: boolean;
  /** ContinueAsNew has begun another execution than the one of the row. */
  #overtaken = false;
  #shown: InstanceRow | undefined;
  /** Parked messages that turns have taken in but no checkpoint has removed yet. */
  #consumed: string[] = [];
  #pump: Promise<void> = Promise.resolve();
  #pumping = false;
  #closed = false;

  constructor(seed: InstanceSeed, services: InstanceServices) {
    this.row = seed.row;
    this.#services = services;
    this.#execution = new Execution(seed.start, seed.history);
    this.#etag = seed.etag;
    this.#hasRow = seed.hasRow;
    this.#shown = seed.hasRow ? { ...seed.row } : undefined;
    this.#mailbox.suspended = seed.row.status === 'Suspended';
  }

  get id(): string {
    return this.row.instanceId;
  }

  get start(): ExecutionStarted {
    return this.#execution.start;
  }

  /** The row by what is durable; its row in storage may be a second older. Undefined while storage alone knows what there is. */
  get shown(): InstanceRow | undefined {
    return this.#shown;
  }

  /** Whether it shows its end, which is durable then; its row may not be. */
  get hasEnded(): boolean {
    return isTerminal(this.row.status);
  }

  get openTasks(): ScheduledEvent[] {
    return [...this.#execution.open.values()];
  }

  /**
   * Hands over messages; the turn that takes them in makes them durable unless they are parked already. What is parked and known already
   * is ignored.
   */
  deliver(...messages: Message[]): void {
    if (this.#closed) return;
    for (const message of messages) {
      if (message.key !== undefined && this.#consumed.includes(message.key)) continue;
      this.#mailbox.add(message);
      if (this.#mailbox.suspended && message.key === undefined) void this.#park(message);
    }
    if (this.#pumping) return;
    this.#pumping = true;
    this.#pump = this.#run();
  }

  arm(event: TimerCreated & { EventId: number }): void {
    const executionId = this.#execution.id;
    const body: CompletionBody = { EventType: 'TimerFired', TimerId: event.EventId, FireAt: event.FireAt };
    this.#timers.set(event.EventId, new Date(event.FireAt), () => {
      this.deliver({ body: { ...body, Timestamp: new Date().toISOString() }, executionId });
    });
  }

  /** Resolves when every message that can be taken in has been. */
  async settled(): Promise<void> {
    await this.#pump;
  }

  /** Takes no more messages and resolves when the turn under way, if any, has ended. */
  async close(): Promise<void> {
    this.#shut();
    await this.#pump;
    await this.flushRow().catch(() => undefined);
    await this.#rowWriter.idle();
  }

  /** Resolves when the row in storage is what `shown` says. */
  async flushRow(): Promise<void> {
    await this.#rowWriter.flush();
  }

  async #run(): Promise<void> {
    try {
      while (!this.#closed) {
        const messages = this.#mailbox.take(this.#execution, this.#consumed.length);
        if (messages.length === 0) break;
        await this.#turn(messages);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#pumping = false;
    }
  }

  async #turn(messages: Message[]): Promise<void> {
    for (const { key } of messages) if (key !== undefined) this.#consumed.push(key);
    const { call, isKnown, strict, turns } = this.#services;
    const { start, history: past } = this.#execution;
    const request = { start, past, messages: messages.map(({ body }) => body), call, isKnown, strict };
    const turn = await turns.add(() => runTurn({ ...request, warn: (text, cause) => this.#warnOnce(text, cause) }));
    // Before the turn is stored: a crash in between repeats it, and its spans with the same ids.
    this.#services.exportSpans?.(turnSpans(start, this.#execution.began(turn), turn.events, this.#execution.open));
    if (turn.end && 'kind' in turn.end) await this.#startOver(turn.end, turn);
    else await this.#commit(turn, messages, turn.end);
  }

  /**
   * ContinueAsNew: a new execution takes over at once. Nothing of the old turn is stored; until the first turn of the new
   * execution is, a restart repeats the old one.
   */
  async #startOver(end: ContinuedAsNew, turn: Turn): Promise<void> {
    this.#execution = this.#execution.next(end, turn);
    this.#timers.clear();
    this.#overtaken = true;
    this.#mailbox.addFirst([{ body: this.start }, ...end.carried.map((body) => ({ body }))]);
    // An orchestrator that never waits must not keep the process from everything else.
    await new Promise((resolve) => setImmediate(resolve));
  }

  async #commit(turn: Turn, messages: Message[], end: ExecutionCompleted | undefined): Promise<void> {
    const isFirst = this.#execution.history.length === 0;
    this.#etag = await this.#services.backend.histories.append({
      instanceId: this.id,
      executionId: this.#execution.id,
      etag: this.#etag,
      firstIndex: this.#execution.history.length,
      isFresh: this.start.Generation === 0,
      events: turn.events,
      consumed: this.#consumed,
    });
    this.#consumed = [];
    if (this.#overtaken) this.#renewRow();
    this.#execution.absorb(turn);
    this.#timers.keepOnly(turn.open);
    const bodies = messages.map(({ body }) => body);
    const changes = rowAfterTurn(this.row, turn, bodies, end, this.#mailbox.suspended);
    const canWait = this.#hasRow && isLittleNews(this.row, changes, isFirst);
    Object.assign(this.row, changes);
    this.#shown = { ...this.row };
    if (end) this.#shut();
    else for (const event of turn.scheduled) this.#services.dispatch(this, event);
    if (canWait) this.#rowWriter.saveSoon();
    else if (!end) this.#rowWriter.saveNow();
    else {
      await this.#rowWriter.save();
      this.#services.ended(this, end);
    }
  }

  /** The row tells of a new execution only when that is durable. */
  #renewRow(): void {
    const { Input: input, ParentTraceContext: parentTraceContext } = this.start;
    const executionId = this.#execution.id;
    Object.assign(this.row, { executionId, input, createdTime: new Date(), parentTraceContext });
    this.#hasRow = false;
    this.#overtaken = false;
  }

  async #writeRow(): Promise<void> {
    const { instances } = this.#services.backend;
    const whole = !this.#hasRow;
    this.#hasRow = true;
    await (whole ? instances.put(this.row) : instances.update(this.row));
  }

  async #park(message: Message): Promise<void> {
    try {
      message.key = await this.#services.backend.histories.park(this.id, message.body, message.executionId);
    } catch (error) {
      this.#services.log.debug(
        `Instance ${this.id}: ${messageOf(error)}. After a restart the activity would run again.`,
      );
    }
  }

  #shut(): void {
    this.#closed = true;
    this.#timers.clear();
  }

  #fail(error: unknown): void {
    this.#services.log.warn(`Instance ${this.id} is loaded again from storage: ${messageOf(error)}`);
    this.#shut();
    this.#rowWriter.forget();
    this.#services.lost(this);
  }

  #warnOnce(text: string, cause = text): void {
    if (this.#warned.has(cause)) return;
    this.#warned.add(cause);
    this.#services.log.warn(`Instance ${this.id} (${this.row.name}): ${text}`);
  }
}

/** The longest delay that setTimeout takes, in milliseconds. */
const MAX_DELAY = 2 ** 31 - 1;

/** The armed timers of one instance, by task number. */
class Timers {
  readonly #handles = new Map<number, NodeJS.Timeout>();

  /** Calls back once, never before the time has come. */
  set(id: number, at: Date, fire: () => void): void {
    clearTimeout(this.#handles.get(id));
    const delay = Math.min(Math.max(at.getTime() - Date.now(), 0), MAX_DELAY);
    const handle = setTimeout(() => {
      if (Date.now() < at.getTime()) {
        this.set(id, at, fire);
        return;
      }
      this.#handles.delete(id);
      fire();
    }, delay);
    this.#handles.set(id, handle);
  }

  keepOnly(ids: ReadonlySet<number>): void {
    for (const [id, handle] of this.#handles) {
      if (ids.has(id)) continue;
      clearTimeout(handle);
      this.#handles.delete(id);
    }
  }

  clear(): void {
    this.keepOnly(new Set());
  }
}

/** How long a row may tell of an earlier turn when nothing but its times would change. */
const ROW_DELAY_MS = 1000;

/** Writes a row never twice at once; changes made while a write is under way, or may wait, go out together in the next one. */
class RowWriter {
  readonly #write: () => Promise<void>;
  readonly #failed: (error: unknown) => void;
  #last: Promise<void> = Promise.resolve();
  #queued: Promise<void> | undefined;
  #waiting: NodeJS.Timeout | undefined;

  /** `failed` hears of errors that no caller waits for. */
  constructor(write: () => Promise<void>, failed: (error: unknown) => void) {
    this.#write = write;
    this.#failed = failed;
  }

  /** Resolves when the row as it is now is stored. */
  save(): Promise<void> {
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
    if (!this.#queued) {
      const before = this.#last.catch(() => undefined);
      this.#queued = before.then(() => {
        this.#queued = undefined;
        return this.#write();
      });
      this.#last = this.#queued;
    }
    return this.#queued;
  }

  saveNow(): void {
    this.save().catch((error: unknown) => this.#failed(error));
  }

  saveSoon(): void {
    this.#waiting ??= setTimeout(() => this.saveNow(), ROW_DELAY_MS).unref();
  }

  /** What waits is not written: the row is somebody else's from now on. */
  forget(): void {
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
  }

  /** Resolves when no change waits any more. */
  async flush(): Promise<void> {
    await (this.#waiting ? this.save() : this.#queued);
  }

  /** Resolves when no write is under way, whether it succeeded or not. */
  async idle(): Promise<void> {
    await this.#last.catch(() => undefined);
  }
}
