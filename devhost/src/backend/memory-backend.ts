import type { MessageBody } from '../protocol/history.js';
import { type ClientMessage, MalformedMessage, readClientMessage } from '../protocol/client-message.js';
import {
  type Backend,
  type Checkpoint,
  type Delivery,
  HistoryConflict,
  type Histories,
  type Inbox,
  type InstancePage,
  type InstanceQuery,
  type InstanceRow,
  type Instances,
  type ParkedMessage,
  type Receipt,
  type StoredHistory,
  type Taken,
} from './backend.js';

/**
 * A hub in this process's memory, for tests: it forgets everything when the process ends, but not when an engine does, so
 * a second engine on the same backend recovers as it would from storage. What goes in and out is copied.
 */
export class MemoryBackend implements Backend {
  readonly hub = 'memory';
  readonly instances: Instances = new MemoryInstances();
  readonly histories: Histories = new MemoryHistories();
  readonly inbox = new MemoryInbox();

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
    return this.#park(instanceId, { key: `parked-${this.#count++}`, body: structuredClone(body), executionId });
  }

  async parkTaken(instanceId: string, body: MessageBody, { receipt }: Taken): Promise<string> {
    const message = { key: `taken-${receipt.id}`, body: structuredClone(body), executionId: undefined, receipt };
    return this.#park(instanceId, message);
  }

  #park(instanceId: string, message: ParkedMessage): string {
    const before = this.#of(instanceId);
    const others = before.parked.filter(({ key }) => key !== message.key);
    this.#stored.set(instanceId, { ...before, parked: [...others, message] });
    return message.key;
  }

  async clear(instanceId: string): Promise<void> {
    this.#stored.delete(instanceId);
  }

  async clearAll(instanceIds: readonly string[]): Promise<void> {
    for (const id of instanceIds) await this.clear(id);
  }

  #of(instanceId: string): StoredHistory {
    return this.#stored.get(instanceId) ?? { executionId: undefined, etag: undefined, events: [], parked: [] };
  }
}

/** One queue, into which tests put texts. */
class MemoryInbox implements Inbox {
  readonly setAsideTexts: string[] = [];
  #waiting: Delivery[] = [];
  readonly #hidden = new Set<string>();
  #count = 0;

  send(text: string): void {
    const number = this.#count++;
    this.#waiting.push({ queue: 'memory', id: `m${number}`, popReceipt: '', text, insertedAt: new Date() });
  }

  /** Whoever has received a message without removing it has lost it. */
  reappear(): void {
    this.#hidden.clear();
  }

  async receive(): Promise<Delivery[]> {
    const seen = this.#waiting.filter(({ id }) => !this.#hidden.has(id));
    for (const delivery of seen) {
      delivery.popReceipt = `receipt-${this.#count++}`;
      this.#hidden.add(delivery.id);
    }
    return structuredClone(seen);
  }

  async open({ text }: Delivery): Promise<ClientMessage> {
    const message = readClientMessage(text);
    if ('blobName' in message) throw new MalformedMessage('There are no blobs in memory.');
    return message;
  }

  async remove({ id, popReceipt }: Receipt): Promise<boolean> {
    const found = this.#waiting.find((each) => each.id === id);
    if (found && found.popReceipt !== popReceipt) return false;
    this.#waiting = this.#waiting.filter((each) => each !== found);
    return true;
  }

  async setAside(delivery: Delivery): Promise<string> {
    this.setAsideTexts.push(delivery.text);
    await this.remove(delivery);
    return 'memory-poison';
  }
}
