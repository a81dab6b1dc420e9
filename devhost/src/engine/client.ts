import { randomUUID } from 'node:crypto';
import pMap from 'p-map';
import type { InstancePage, InstanceQuery, InstanceRow } from '../backend/backend.js';
import {
  type EventRaised,
  type ExecutionStarted,
  type HistoryEvent,
  isTerminal,
  type MessageBody,
  type RuntimeStatus,
} from '../protocol/history.js';
import { createdSpan, createdTrace, raisedSpan, type Times } from '../tracing/orchestration-spans.js';
import type { TraceContext } from '../tracing/trace-context.js';
import type { Engine } from './engine.js';
import { newId, newRow } from './execution.js';
import { isLater } from './recovery.js';

/** How many rows are removed at the same time. */
const PARALLEL_REMOVALS = 16;

/** A request that cannot be carried out, with the HTTP status the extension answers. */
export class ClientError extends Error {
  readonly status: number;
  /** What is behind it, where the extension tells that too. */
  readonly reason: string | undefined;

  constructor(status: number, message: string, reason?: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

export interface StartRequest {
  name: string;
  instanceId: string | undefined;
  /** JSON text. */
  input: string | null;
  version: string;
  /** What the client is doing, if it says so. */
  caller: TraceContext | undefined;
}

/** What a client of the hub may ask for. Messages are durable when a call returns; they are not yet acted upon. */
export class OrchestrationClient {
  readonly #engine: Engine;
  /** Starts under way by instance; each resolves when it has ended either way. */
  readonly #starting = new Map<string, Promise<unknown>>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Starts an instance and returns its id, whether or not there is such a function. An ended instance of that id is overwritten. */
  async start(request: StartRequest): Promise<string> {
    const id = request.instanceId ?? newId();
    checkId(id);
    await this.#engine.ending(id);
    // Whoever is refused finds what was started.
    for (let other = this.#starting.get(id); other; other = this.#starting.get(id)) await other;
    if (this.#engine.live.has(id)) throw exists(this.status(id) ?? 'Pending');
    const starting = this.#startNew(id, request);
    this.#starting.set(
      id,
      starting.catch(() => undefined),
    );
    try {
      await starting;
      return id;
    } finally {
      this.#starting.delete(id);
    }
  }

  async #startNew(id: string, request: StartRequest): Promise<void> {
    const generation = request.instanceId === undefined ? 0 : await this.#makeRoom(id);
    const executionId = randomUUID();
    const start: ExecutionStarted = {
      EventType: 'ExecutionStarted',
      OrchestrationInstance: { InstanceId: id, ExecutionId: executionId },
      ParentInstance: null,
      ParentTraceContext: createdTrace(request.caller, id, executionId),
      Name: request.name,
      Version: request.version,
      Input: request.input,
      Generation: generation,
    };
    const row = newRow(start);
    let ok = false;
    try {
      await this.#store(row);
      ok = true;
    } finally {
      this.#engine.exportSpans?.([createdSpan(start, request.caller, since(row.createdTime), ok)]);
    }
    this.#engine.begin(row);
  }

  /**
   * Storage may have taken the row of a new instance although its answer says otherwise or never came: then the instance begins all the
   * same.
   */
  async #store(row: InstanceRow): Promise<void> {
    const { instances } = this.#engine.backend;
    try {
      await instances.put(row);
    } catch (error) {
      const stored = await instances.get(row.instanceId).catch(() => 'unknown' as const);
      if (stored === 'unknown') this.#engine.beginWhenStored(row);
      if (stored === 'unknown' || stored?.executionId !== row.executionId) throw error;
    }
  }

  /** The status of an instance that has not ended; undefined for all others. */
  status(instanceId: string): RuntimeStatus | undefined {
    return this.#engine.live.get(instanceId)?.row.status;
  }

  /** The status of any instance; undefined when there is none. */
  async statusOf(instanceId: string): Promise<RuntimeStatus | undefined> {
    return this.status(instanceId) ?? (await this.get(instanceId))?.status;
  }

  async get(instanceId: string): Promise<InstanceRow | undefined> {
    const shown = this.#engine.live.get(instanceId)?.shown;
    return shown ? { ...shown } : await this.#engine.backend.instances.get(instanceId);
  }

  async page(query: InstanceQuery, top: number, token: string | undefined): Promise<InstancePage> {
    await this.#engine.flushRows();
    return await this.#engine.backend.instances.page(query, top, token);
  }

  async history(instanceId: string): Promise<HistoryEvent[]> {
    return (await this.#engine.backend.histories.read(instanceId)).events;
  }

  /** Sends a message: 404 for an unknown instance, 410 for one that has ended. */
  async send(instanceId: string, body: MessageBody): Promise<void> {
    await this.#mustLive(instanceId);
    const timed = { Timestamp: new Date().toISOString(), ...body };
    const key = await this.#engine.backend.histories.park(instanceId, timed);
    // What is to begin later may end without having begun. Others that do not live are just being loaded, perhaps without this message.
    if (body.EventType === 'ExecutionTerminated' || !isLater(await this.get(instanceId)))
      await this.#engine.wake(instanceId);
    this.#engine.live.get(instanceId)?.deliver({ body: timed, key });
  }

  /** As `send`, for an event. */
  async raise(instanceId: string, event: EventRaised, caller: TraceContext | undefined): Promise<void> {
    const began = new Date();
    await this.send(instanceId, event);
    this.#engine.exportSpans?.([raisedSpan(event, instanceId, caller, since(began))]);
  }

  async suspend(instanceId: string, reason: string): Promise<void> {
    await this.#mustLive(instanceId);
    if (this.status(instanceId) === 'Suspended') throw inState('suspend', instanceId, 'Suspended');
    await this.send(instanceId, { EventType: 'ExecutionSuspended', Reason: reason });
  }

  async resume(instanceId: string, reason: string): Promise<void> {
    await this.#mustLive(instanceId);
    const status = this.status(instanceId);
    if (status !== 'Suspended') throw inState('resume', instanceId, status ?? 'Pending');
    await this.send(instanceId, { EventType: 'ExecutionResumed', Reason: reason });
  }

  /** Runs again what failed in a failed instance. Returns why not, if it is another one. */
  async rewind(instanceId: string, reason: string): Promise<ClientError | undefined> {
    await this.#engine.ending(instanceId);
    const row = await this.get(instanceId);
    if (!row) return new ClientError(404, `No orchestration with instance ID "$${instanceId}" found.`);
    const status = this.status(instanceId) ?? row.status;
    if (status !== 'Failed')
      return new ClientError(
        412,
        `This orchestration has status ${status}, but only orchestrations in the "Failed" state can be rewound.`,
      );
    await this.#engine.rewind(instanceId, reason);
    return undefined;
  }

  /** Starts an instance with the name and input of another one, or that one anew. Returns its id; undefined when there is none. */
  async restart(
    instanceId: string,
    { newId: isNew, caller }: { newId: boolean; caller: TraceContext | undefined },
  ): Promise<string | undefined> {
    const row = await this.get(instanceId);
    if (!row) return undefined;
    const { name, input, version } = row;
    return await this.start({ name, instanceId: isNew ? undefined : instanceId, input, version, caller });
  }

  /** Removes an instance whatever its status; false when there is none. */
  async purge(instanceId: string): Promise<boolean> {
    const row = await this.get(instanceId);
    const live = this.#engine.live.get(instanceId);
    if (!row && !live) return false;
    await live?.close();
    this.#engine.live.delete(instanceId);
    await this.#engine.backend.histories.clear(instanceId);
    await this.#engine.backend.instances.remove(instanceId);
    return true;
  }

  async purgeAll(query: InstanceQuery): Promise<number> {
    const { instances, histories } = this.#engine.backend;
    await this.#engine.flushRows();
    if (!query.statuses?.length)
      this.#engine.log.warn(
        'A purge without runtimeStatus takes running instances too, as in Azure: name the statuses Completed, Failed and Terminated.',
      );
    const ids: string[] = [];
    for await (const { instanceId } of instances.all(query)) ids.push(instanceId);
    for (const id of ids) {
      await this.#engine.live.get(id)?.close();
      this.#engine.live.delete(id);
    }
    await histories.clearAll(ids);
    await pMap(ids, (id) => instances.remove(id), { concurrency: PARALLEL_REMOVALS });
    return ids.length;
  }

  async #mustLive(instanceId: string): Promise<void> {
    const live = this.#engine.live.get(instanceId);
    if (live && !live.hasEnded) return;
    const row = await this.get(instanceId);
    if (!row) throw new ClientError(404, '');
    if (isTerminal(row.status)) throw new ClientError(410, '');
  }

  /** Removes the history of an ended instance of this id, and counts how often the id was used. */
  async #makeRoom(id: string): Promise<number> {
    const row = await this.get(id);
    if (!row) return 0;
    if (!isTerminal(row.status)) throw exists(row.status);
    await this.#engine.backend.histories.clear(id);
    return (row.generation ?? 0) + 1;
  }
}

function since(began: Date): Times {
  return { start: began.toISOString(), end: new Date().toISOString() };
}

function exists(status: RuntimeStatus): ClientError {
  return new ClientError(409, `An Orchestration instance with the status ${status} already exists.`);
}

function inState(operation: string, instanceId: string, status: RuntimeStatus): ClientError {
  const text = `Cannot ${operation} the orchestration instance ${instanceId} because instance is in the ${status} state.`;
  return new ClientError(500, text);
}

/** What no storage takes as a key; Azurite takes an entity whose key has one of the last four, but answers 500 when it is to be replaced. */
const BAD_IN_ID = /[\p{Cs}\u2028\u2029\ufffe\uffff]/u;
/** A key has at most 512 characters, and some characters of an id take two in it. */
const MAX_ID = 256;

/**
 * The extension refuses no id.
 * @throws ClientError 400 for one that a table cannot hold.
 */
export function checkId(id: string): void {
  if (id.length > MAX_ID || BAD_IN_ID.test(id)) {
    const text = `it may have at most ${MAX_ID} characters, and no line separators or halves of surrogate pairs`;
    throw new ClientError(400, `'${id}' is not a valid instance id: ${text}.`);
  }
}
