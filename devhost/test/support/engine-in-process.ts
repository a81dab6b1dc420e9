import type { Backend, InstanceQuery } from '../../src/backend/backend.js';
import { MemoryBackend } from '../../src/backend/memory-backend.js';
import { type ClientError, OrchestrationClient } from '../../src/engine/client.js';
import { ClientMessages } from '../../src/engine/client-messages.js';
import { Engine } from '../../src/engine/engine.js';
import type { Span } from '../../src/tracing/spans.js';
import type { TraceContext } from '../../src/tracing/trace-context.js';
import { statusBody } from '../../src/management/bodies.js';
import { core, invoker } from './app-in-process.js';
import { Orchestrations, type Status } from './orchestrations.js';

/** An engine in this process that runs the functions registered with `core`. */
export class EngineInProcess extends Orchestrations {
  readonly warnings: string[] = [];
  readonly spans: Span[] = [];
  /** What the client says that it is doing. */
  caller: TraceContext | undefined;
  readonly #engine: Engine;
  readonly #client: OrchestrationClient;
  readonly #messages: ClientMessages;

  constructor(backend: Backend = new MemoryBackend(), strict = false) {
    super();
    const { functions } = core;
    const log = { debug: () => undefined, warn: (text: string) => void this.warnings.push(text) };
    const limits = { maxActivities: 20, maxOrchestrators: 20, strict };
    const exportSpans = (spans: readonly Span[]) => void this.spans.push(...spans);
    this.#engine = new Engine({ backend, functions, invoker, log, ...limits, exportSpans });
    this.#client = new OrchestrationClient(this.#engine);
    this.#messages = new ClientMessages(this.#engine, { longestPause: 0, log });
  }

  async recover(): Promise<this> {
    await this.#engine.recover();
    return this;
  }

  /** Acts upon the messages that wait in the inbox. */
  async takeMessages(): Promise<number> {
    return await this.#messages.take();
  }

  async wakePending(): Promise<void> {
    await this.#engine.wakePending();
  }

  async stop(): Promise<void> {
    await this.#messages.stop();
    await this.#engine.stop(0);
  }

  async start(name: string, input: unknown = null, instanceId?: string, version = ''): Promise<string> {
    return await this.#client.start({
      name,
      instanceId,
      input: JSON.stringify(input),
      version,
      caller: this.caller,
    });
  }

  async status(id: string): Promise<Status> {
    const row = await this.#client.get(id);
    if (!row) throw new Error(`There is no instance ${id}.`);
    return statusBody(row, true) as Status;
  }

  /** The ids of a query's first page. */
  async list(query: InstanceQuery): Promise<string[]> {
    return (await this.#client.page(query, 100, undefined)).rows.map(({ instanceId }) => instanceId);
  }

  async purge(query: InstanceQuery): Promise<number> {
    return await this.#client.purgeAll(query);
  }

  async raise(id: string, name: string, data: unknown = null): Promise<void> {
    const event = { EventType: 'EventRaised', Name: name, Input: JSON.stringify(data) } as const;
    await this.#client.raise(id, event, this.caller);
  }

  /** Undefined, or why not. */
  async rewind(id: string, reason: string): Promise<ClientError | undefined> {
    return await this.#client.rewind(id, reason);
  }

  async terminate(id: string, reason: string): Promise<void> {
    await this.#client.send(id, { EventType: 'ExecutionTerminated', Input: reason });
  }
}
