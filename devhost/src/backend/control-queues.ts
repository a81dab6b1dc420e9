import { type QueueClient, type QueueServiceClient, RestError } from '@azure/storage-queue';
import { type ClientMessage, MalformedMessage, readClientMessage } from '../protocol/client-message.js';
import type { Delivery, Inbox, Receipt } from './backend.js';
import type { LargePayloads } from './cells.js';

/** The most that a queue gives at once. */
const BATCH = 32;
/** How long the list of queues is good for. */
const LIST_MS = 30_000;

/** The names of a hub's control queues (DurableTask.AzureStorage): instances are spread over them by a hash of their id. */
export function controlQueueNames(hub: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefixOf(hub)}${String(index).padStart(2, '0')}`);
}

const prefixOf = (hub: string) => `${hub.toLowerCase()}-control-`;

/**
 * The queues into which other clients of the hub put their messages. A client that knows another number of them puts messages into queues
 * of its own making; those are read, too.
 */
export class ControlQueues implements Inbox {
  readonly #service: QueueServiceClient;
  readonly #hub: string;
  readonly #payloads: LargePayloads;
  readonly #hiddenSeconds: number;
  #queues: QueueClient[] = [];
  #listedAt = Number.NEGATIVE_INFINITY;

  /** @param hiddenSeconds how long a message stays hidden that was received: when its host died, it comes again after that. */
  constructor(service: QueueServiceClient, hub: string, payloads: LargePayloads, hiddenSeconds: number) {
    this.#service = service;
    this.#hub = hub;
    this.#payloads = payloads;
    this.#hiddenSeconds = hiddenSeconds;
  }

  /** Creates those that are missing, and the queue of activities, which stays empty: this host runs them itself. */
  async create(count: number): Promise<void> {
    const there = new Set(await this.#list());
    const wanted = [...controlQueueNames(this.#hub, count), `${this.#hub.toLowerCase()}-workitems`];
    const missing = wanted.filter((name) => !there.has(name));
    await Promise.all(missing.map((name) => this.#service.getQueueClient(name).createIfNotExists()));
  }

  async receive(): Promise<Delivery[]> {
    if (Date.now() > this.#listedAt + LIST_MS) {
      const pattern = new RegExp(String.raw`^${prefixOf(this.#hub)}\d+$`);
      const names = (await this.#list()).filter((name) => pattern.test(name));
      this.#queues = names.map((name) => this.#service.getQueueClient(name));
      this.#listedAt = Date.now();
    }
    return (await Promise.all(this.#queues.map((queue) => this.#receiveFrom(queue)))).flat();
  }

  async open({ text }: Delivery): Promise<ClientMessage> {
    const message = readClientMessage(text);
    if (!('blobName' in message)) return message;
    const full = readClientMessage(await this.#longText(message.blobName));
    if ('blobName' in full) throw new MalformedMessage('Its text in storage points to another one.');
    return full;
  }

  async remove({ queue, id, popReceipt }: Receipt): Promise<boolean> {
    try {
      await this.#service.getQueueClient(queue).deleteMessage(id, popReceipt);
      return true;
    } catch (error) {
      if (!(error instanceof RestError)) throw error;
      if (error.statusCode === 404) return true;
      if (error.code === 'PopReceiptMismatch') return false;
      throw error;
    }
  }

  async setAside(delivery: Delivery): Promise<string> {
    const name = `${delivery.queue}-poison`;
    const poison = this.#service.getQueueClient(name);
    await poison.createIfNotExists();
    await poison.sendMessage(delivery.text, { messageTimeToLive: -1 });
    await this.remove(delivery);
    return name;
  }

  async #list(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of this.#service.listQueues({ prefix: `${this.#hub.toLowerCase()}-` })) names.push(name);
    return names;
  }

  async #receiveFrom(queue: QueueClient): Promise<Delivery[]> {
    try {
      const { receivedMessageItems } = await queue.receiveMessages({
        numberOfMessages: BATCH,
        visibilityTimeout: this.#hiddenSeconds,
      });
      return receivedMessageItems.map(({ messageId, popReceipt, messageText, insertedOn }) => {
        return { queue: queue.name, id: messageId, popReceipt, text: messageText, insertedAt: insertedOn };
      });
    } catch (error) {
      if (!(error instanceof RestError && error.statusCode === 404)) throw error;
      // Somebody has deleted the queue; clients make it again when they need it.
      this.#listedAt = Number.NEGATIVE_INFINITY;
      return [];
    }
  }

  async #longText(blobName: string): Promise<string> {
    try {
      return await this.#payloads.get(blobName);
    } catch (error) {
      const { code } = error as { code?: unknown };
      if ((error as { statusCode?: unknown }).statusCode === 404)
        throw new MalformedMessage(`Its text is not in storage: there is no blob ${blobName}.`, { cause: error });
      if (typeof code === 'string' && code.startsWith('Z_'))
        throw new MalformedMessage(`Its text in the blob ${blobName} is not compressed as it should be.`, {
          cause: error,
        });
      throw error;
    }
  }
}
