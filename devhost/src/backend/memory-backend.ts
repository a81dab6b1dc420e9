import type { MessageBody } from '../protocol/history.js';
import {
  type Backend,
  type Checkpoint,
  HistoryConflict,
  type Histories,
  type InstancePage,
  type InstanceQuery,
  type InstanceRow,
  type Instances,
  type ParkedMessage,
  type StoredHistory,
} from './backend.js';

/**
 * A hub in this process's memory, for tests: it forgets everything when the process ends, but not when an engine does, so
 * a second engine on the same backend recovers as it would from storage. What goes in and out is copied.
 */
export class MemoryBackend implements Backend {
  readonly hub = 'memory';
  readonly instances: Instances = new MemoryInstances();
  readonly histories: Histories = new MemoryHistories();

  /** No other host can reach this memory. */
  async hold(): Promise<void> {}

  async release(): Promise<void> {}
}

class MemoryInstances implements Instances {
  readonly #rows = new Map<string, InstanceRow>();

  async get(instanceId: string): Promise<InstanceRow | undefined> {
    return structuredClone(this.#rows.get(instanceId));
  }

  async put(row: InstanceRow): Promise<void> {
    this.#rows.set(row.instanceId, structuredClone(row));
  }

  async update(row: InstanceRow): Promise<void> {
    const { input = null, parentTraceContext = null } = this.#rows.get(row.instanceId) ?? {};
    this.#rows.set(row.instanceId, structuredClone({ ...row, input, parentTraceContext }));
  }

  async remove(instanceId: string): Promise<void> {
    this.#rows.delete(instanceId);
  }

  async *all(query: InstanceQuery): AsyncGenerator<InstanceRow> {
    yield* this.#find(query);
  }

  /** The token is the id of the last row of the page before. */
  async page(query: InstanceQuery, top: number, token: string | undefined): Promise<InstancePage> {
    const found = this.#find(query).filter((row) => token === undefined || row.instanceId > token);
    const rows = found.slice(0, top);
    return { rows, next: found.length > top ? rows.at(-1)?.instanceId : undefined };
  }

  #find({ idPrefix, createdFrom, createdTo, statuses }: InstanceQuery): InstanceRow[] {
    const found = [...this.#rows.values()].filter((row) => {
      if (idPrefix && !row.instanceId.startsWith(idPrefix)) return false;
      if (createdFrom && row.createdTime < createdFrom) return false;
      if (createdTo && row.createdTime > createdTo) return false;
      return !statuses?.length || statuses.includes(row.status);
    });
    return structuredClone(found.toSorted((a, b) => (a.instanceId < b.instanceId ? -1 : 1)));
  }
}

class MemoryHistories implements Histories {
  readonly #stored = new Map<string, StoredHistory>();
  /** Numbers ETags and keys of parked messages. */
  #count = 0;

  async read(instanceId: string): Promise<StoredHistory> {
    return structuredClone(this.#of(instanceId));
  }

  async load(instanceId: string): Promise<StoredHistory> {
    return await this.read(instanceId);
  }

  async append(checkpoint: Checkpoint): Promise<string> {
    const { instanceId, executionId, etag, firstIndex, events, consumed } = checkpoint;
    const before = this.#of(instanceId);
    if (before.etag !== etag) throw new HistoryConflict('Somebody else has written to this instance.');
    for (const key of consumed)
      if (!before.parked.some((each) => each.key === key)) throw new Error(`No message is parked as ${key}.`);
    const kept = before.executionId === executionId ? before.events.slice(0, firstIndex) : [];
    const next = `etag-${this.#count++}`;
    this.#stored.set(instanceId, {
      executionId,
      etag: next,
      events: [...kept, ...structuredClone(events)],
      parked: before.parked.filter(({ key }) => !consumed.includes(key)),
    });
    return next;
  }

  async park(instanceId: string, body: MessageBody, executionId?: string): Promise<string> {
    const key = `parked-${this.#count++}`;
    const before = this.#of(instanceId);
    const message: ParkedMessage = { key, body: structuredClone(body), executionId };
    this.#stored.set(instanceId, { ...before, parked: [...before.parked, message] });
    return key;
  }

  async clear(instanceId: string): Promise<void> {
    this.#stored.delete(instanceId);
  }

  #of(instanceId: string): StoredHistory {
    return this.#stored.get(instanceId) ?? { executionId: undefined, etag: undefined, events: [], parked: [] };
  }
}
