import { setTimeout as sleep } from 'node:timers/promises';
import type { Delivery, InstanceRow } from '../backend/backend.js';
import { type Log, messageOf } from '../log.js';
import { type ClientMessage, MalformedMessage } from '../protocol/client-message.js';
import { type ExecutionStarted, isTerminal, type ParentLink } from '../protocol/history.js';
import { checkId, ClientError } from './client.js';
import type { Engine } from './engine.js';
import { newRow } from './execution.js';
import { isLater } from './recovery.js';

const SHORTEST_PAUSE_MS = 100;
/** Pause between two tries of one message while storage fails: the messages behind it must not overtake it. */
const RETRY_MS = 1000;
/** Instances that nobody told of are looked for once in so many of the longest pauses. */
const LOOK_EVERY = 8;

interface Options {
  /** The longest pause between two looks into empty queues, in milliseconds. */
  longestPause: number;
  log: Pick<Log, 'debug' | 'warn'>;
}

/**
 * Acts upon the messages of the hub's other clients: Durable Functions Monitor, Core Tools, apps with a durable client.
 *
 * A message is taken exactly once, whenever the host dies: it is parked with its instance under a key that is its own, then removed from
 * the queue, then handed over. What finds it parked after a crash removes it first (`find`). A start is known by its execution id.
 */
export class ClientMessages {
  readonly #engine: Engine;
  readonly #options: Options;
  readonly #stopping = new AbortController();
  #listening: Promise<void> = Promise.resolve();

  constructor(engine: Engine, options: Options) {
    this.#engine = engine;
    this.#options = options;
  }

  start(): void {
    this.#listening = this.#listen();
  }

  /** Takes no more messages, and resolves when the one in hand is stored. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#listening;
  }

  /** Acts upon what waits, queue by queue in order; returns how many messages that were. */
  async take(): Promise<number> {
    const deliveries = await this.#engine.backend.inbox.receive();
    const queues = new Set(deliveries.map(({ queue }) => queue));
    const takeAll = async (queue: string): Promise<void> => {
      for (const delivery of deliveries) if (delivery.queue === queue) await this.#persist(delivery);
    };
    await Promise.all([...queues].map(takeAll));
    return deliveries.length;
  }

  async #listen(): Promise<void> {
    const { longestPause, log } = this.#options;
    let pause = SHORTEST_PAUSE_MS;
    let lookAt = Date.now();
    let isAway = false;
    while (!this.#stopping.signal.aborted) {
      try {
        pause = (await this.take()) > 0 ? SHORTEST_PAUSE_MS : Math.min(2 * pause, longestPause);
        if (Date.now() >= lookAt) {
          await this.#engine.wakePending();
          lookAt = Date.now() + LOOK_EVERY * longestPause;
        }
        isAway = false;
      } catch (error) {
        if (!isAway) log.warn(`The messages of other clients cannot be read: ${messageOf(error)}`);
        isAway = true;
        pause = longestPause;
      }
      await this.#wait(Math.min(pause, longestPause));
    }
  }

  async #persist(delivery: Delivery): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      try {
        await this.#act(delivery);
        return;
      } catch (error) {
        this.#options.log.warn(`Storage: ${messageOf(error)}. Trying again in a second.`);
        await this.#wait(RETRY_MS);
      }
    }
  }

  async #wait(ms: number): Promise<void> {
    const { signal } = this.#stopping;
    await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
  }

  async #act(delivery: Delivery): Promise<void> {
    const { inbox } = this.#engine.backend;
    try {
      const message = await inbox.open(delivery);
      checkId(message.instanceId);
      await this.#engine.ending(message.instanceId);
      const { body } = message;
      if (body.EventType === 'ExecutionStarted') await this.#begin(delivery, { ...message, body });
      else await this.#handOver(delivery, message);
    } catch (error) {
      if (!(error instanceof MalformedMessage) && !(error instanceof ClientError)) throw error;
      const place = await inbox.setAside(delivery);
      this.#options.log.warn(`A message in the queue ${delivery.queue} was set aside in ${place}. ${error.message}`);
    }
  }

  async #handOver(delivery: Delivery, { instanceId, body, time, sequence }: ClientMessage): Promise<void> {
    const engine = this.#engine;
    const { instances, histories, inbox } = engine.backend;
    const row = engine.live.has(instanceId) ? undefined : await instances.get(instanceId);
    if (!engine.live.has(instanceId) && (!row || isTerminal(row.status))) {
      await this.#discard(delivery, body.EventType, instanceId, row);
      return;
    }
    const startsLater = isLater(row);
    if (body.EventType !== 'GenericEvent' && !startsLater) await engine.wake(instanceId);
    const { queue, id, popReceipt, insertedAt } = delivery;
    const timed = { Timestamp: time.toISOString(), ...body };
    const taken = { receipt: { queue, id, popReceipt }, insertedAt, sequence };
    const key = await histories.parkTaken(instanceId, timed, taken);
    if (!(await inbox.remove(delivery))) return;
    if (body.EventType === 'ExecutionTerminated' || !startsLater) await engine.wake(instanceId);
    engine.live.get(instanceId)?.deliver({ body: timed, key });
    // The others of a family were rewound with it, and no message tells them.
    if (body.EventType === 'GenericEvent') await this.#wakeAbove(instanceId);
  }

  async #wakeAbove(instanceId: string): Promise<void> {
    let parent: ParentLink | null | undefined = this.#engine.live.get(instanceId)?.start.ParentInstance;
    while (parent) {
      const { InstanceId } = parent.OrchestrationInstance;
      await this.#engine.wake(InstanceId);
      parent = this.#engine.live.get(InstanceId)?.start.ParentInstance;
    }
  }

  /**
   * The client puts its message into the queue first and writes the row of the instance afterwards, unless there is one that it did not
   * expect; so the row that is written here stands.
   */
  async #begin(delivery: Delivery, message: ClientMessage & { body: ExecutionStarted }): Promise<void> {
    const engine = this.#engine;
    const { instances, histories, inbox } = engine.backend;
    const { instanceId, time, startAt } = message;
    const start = withExecutionId(message.body, delivery);
    const row = await instances.get(instanceId);
    const isOwn = row?.executionId === start.OrchestrationInstance.ExecutionId;
    const isOver = row !== undefined && isTerminal(row.status) && row.createdTime < time;
    if (engine.live.has(instanceId) || (row && !isOver && !(isOwn && row.status === 'Pending'))) {
      if (isOwn) await inbox.remove(delivery);
      else await this.#discard(delivery, 'ExecutionStarted', instanceId, engine.live.get(instanceId)?.row ?? row);
      return;
    }
    if (!isOwn) await histories.clear(instanceId);
    const created = isOwn ? row : { ...newRow(start), createdTime: time, ...(startAt ? { startAt } : {}) };
    await instances.put({ ...created, parentTraceContext: start.ParentTraceContext });
    await inbox.remove(delivery);
    if (!isLater({ ...created, ...(startAt ? { startAt } : {}) })) await engine.wake(instanceId);
  }

  /** As Azure's host does with what nobody waits for. */
  async #discard(delivery: Delivery, what: string, instanceId: string, row: InstanceRow | undefined): Promise<void> {
    await this.#engine.backend.inbox.remove(delivery);
    const why = row ? `the instance is ${row.status}` : 'there is no such instance';
    this.#options.log.warn(`${what} for instance ${instanceId} was discarded: ${why}.`);
  }
}

/** Clients that name no execution leave it to the message. */
function withExecutionId(start: ExecutionStarted, { id }: Delivery): ExecutionStarted {
  const { InstanceId, ExecutionId } = start.OrchestrationInstance;
  return { ...start, OrchestrationInstance: { InstanceId, ExecutionId: ExecutionId || id.replaceAll('-', '') } };
}
