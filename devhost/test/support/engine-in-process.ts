import type { Backend } from '../../src/backend/backend.js';
import { MemoryBackend } from '../../src/backend/memory-backend.js';
import { OrchestrationClient } from '../../src/engine/client.js';
import { Engine } from '../../src/engine/engine.js';
import { statusBody } from '../../src/management/bodies.js';
import { core, invoker } from './app-in-process.js';
import { Orchestrations, type Status } from './orchestrations.js';

/** An engine in this process that runs the functions registered with `core`. */
export class EngineInProcess extends Orchestrations {
  readonly warnings: string[] = [];
  readonly #engine: Engine;
  readonly #client: OrchestrationClient;

  constructor(backend: Backend = new MemoryBackend()) {
    super();
    const { functions } = core;
    const log = { debug: () => undefined, warn: (text: string) => void this.warnings.push(text) };
    this.#engine = new Engine({ backend, functions, invoker, log, maxActivities: 20, maxOrchestrators: 20 });
    this.#client = new OrchestrationClient(this.#engine, functions);
  }

  async recover(): Promise<this> {
    await this.#engine.recover();
    return this;
  }

  async stop(): Promise<void> {
    await this.#engine.stop(0);
  }

  async start(name: string, input: unknown = null, instanceId?: string): Promise<string> {
    return await this.#client.start({ name, instanceId, input: JSON.stringify(input), version: '' });
  }

  async status(id: string): Promise<Status> {
    const row = await this.#client.get(id);
    if (!row) throw new Error(`There is no instance ${id}.`);
    return statusBody(row, true) as Status;
  }

  async raise(id: string, name: string, data: unknown = null): Promise<void> {
    await this.#client.send(id, { EventType: 'EventRaised', Name: name, Input: JSON.stringify(data) });
  }

  async terminate(id: string, reason: string): Promise<void> {
    await this.#client.send(id, { EventType: 'ExecutionTerminated', Input: reason });
  }
}
