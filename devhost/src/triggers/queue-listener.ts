import { setTimeout as sleep } from 'node:timers/promises';
import type { DequeuedMessageItem, QueueClient } from '@azure/storage-queue';
import { firstLineOf, type Log } from '../log.js';

/** How a queue is read: `extensions.queues` in host.json, under the same names. Times in milliseconds. */
export interface QueueOptions {
  /** How many messages are taken at once, 1 to 32. */
  batchSize: number;
  /** The next batch is taken when no more messages than this are being worked on. */
  newBatchThreshold: number;
  /** How long a message stays invisible after a failed try. */
  visibilityTimeout: number;
  maxDequeueCount: number;
  /** The longest pause between two looks into an empty queue. */
  maxPollingInterval: number;
  /** How long a message stays invisible that nobody works on any more, because its host was killed. */
  lease: number;
}

/** What happens with the messages of a queue. */
export interface QueueWork {
  queue: QueueClient;
  /** Where a message goes that failed too often. Without one it stays in the queue, invisible until its lease ends. */
  poison: (message: DequeuedMessageItem) => QueueClient | undefined;
  /** Says whether the message is done with. Never throws. */
  handle(message: DequeuedMessageItem): Promise<boolean>;
}

const SHORTEST_PAUSE_MS = 100;

/**
 * Takes messages from a queue as the Functions host does (QueueListener.cs, QueueProcessor.cs of the Storage extension): in batches,
 * with pauses that grow while the queue is empty. A message is deleted when it is done, comes back when it failed, and moves to the
 * poison queue after its last try. While it is worked on it is kept invisible, so that it comes back by itself when the host dies.
 */
export class QueueListener {
  readonly #running = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  #listening: Promise<void> = Promise.resolve();

  constructor(
    private readonly work: QueueWork,
    private readonly options: QueueOptions,
    private readonly log: Log,
  ) {}

  start(): void {
    this.#listening = this.#listen();
  }

  /** Takes no more messages, and resolves when those under way are done. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#listening;
    await Promise.all(this.#running);
  }

  async #listen(): Promise<void> {
    const { signal } = this.#stopping;
    let emptyLooks = 0;
    let isAway = false;
    while (!signal.aborted) {
      let batch: DequeuedMessageItem[] = [];
      try {
        batch = await this.#receive();
        isAway = false;
      } catch (error) {
        if (signal.aborted) return;
        if (!isAway) this.log.warn(`The queue ${this.work.queue.name} cannot be read: ${firstLineOf(error)}`);
        isAway = true;
      }
      for (const message of batch) this.#begin(message);
      if (batch.length === 0) await pause(pauseAfter(emptyLooks++, this.options.maxPollingInterval), signal);
      else emptyLooks = 0;
      while (this.#running.size > this.options.newBatchThreshold) await Promise.race(this.#running);
    }
  }

  async #receive(): Promise<DequeuedMessageItem[]> {
    const { batchSize, lease } = this.options;
    try {
      const { receivedMessageItems } = await this.work.queue.receiveMessages({
        numberOfMessages: batchSize,
        visibilityTimeout: seconds(lease),
        abortSignal: this.#stopping.signal,
      });
      return receivedMessageItems;
    } catch (error) {
      // A queue may be made later.
      if (isGone(error)) return [];
      throw error;
    }
  }

  #begin(message: DequeuedMessageItem): void {
    const running = this.#process(message)
      .catch((error: unknown) =>
        this.log.warn(
          `A message of the queue ${this.work.queue.name} comes again: storage failed (${firstLineOf(error)}).`,
        ),
      )
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #process(message: DequeuedMessageItem): Promise<void> {
    const { maxDequeueCount, visibilityTimeout } = this.options;
    // Another host may have died while it had the message for the last time.
    if (message.dequeueCount > maxDequeueCount) return await this.#giveUp(message, message.popReceipt);
    const lease = this.#keepInvisible(message);
    const done = await this.work.handle(message);
    const popReceipt = await lease.end();
    if (done) await this.#delete(message, popReceipt);
    else if (message.dequeueCount >= maxDequeueCount) await this.#giveUp(message, popReceipt);
    else if (this.work.poison(message)) await this.#update(message, popReceipt, visibilityTimeout);
  }

  /** Renews the invisibility at half of its time. `end` gives the receipt with which the message can be changed last. */
  #keepInvisible(message: DequeuedMessageItem): { end(): Promise<string> } {
    const ended = new AbortController();
    const renew = async (): Promise<string> => {
      let { popReceipt } = message;
      const { lease } = this.options;
      while (await pause(lease / 2, ended.signal)) {
        try {
          popReceipt = (await this.#update(message, popReceipt, lease)) ?? popReceipt;
        } catch {
          // Storage is away for a moment: half of the time is left for the next try.
        }
      }
      return popReceipt;
    };
    const renewing = renew();
    return {
      end: async () => {
        ended.abort();
        return await renewing;
      },
    };
  }

  async #giveUp(message: DequeuedMessageItem, popReceipt: string): Promise<void> {
    const { queue } = this.work;
    const poison = this.work.poison(message);
    if (!poison) return;
    this.log.warn(
      `A message of the queue ${queue.name} failed ${this.options.maxDequeueCount} times and moves to ${poison.name}.`,
    );
    await poison.createIfNotExists();
    await poison.sendMessage(message.messageText);
    await this.#delete(message, popReceipt);
  }

  async #delete({ messageId }: DequeuedMessageItem, popReceipt: string): Promise<void> {
    await unlessTaken(this.work.queue.deleteMessage(messageId, popReceipt));
  }

  /** The new receipt; undefined when somebody else has the message by now. */
  async #update(
    { messageId }: DequeuedMessageItem,
    popReceipt: string,
    invisible: number,
  ): Promise<string | undefined> {
    const updated = await unlessTaken(
      this.work.queue.updateMessage(messageId, popReceipt, undefined, seconds(invisible)),
    );
    return updated?.popReceipt;
  }
}

/** How long to wait after so many looks into an empty queue: 100 ms at first, then about twice as long each time, a fifth more or less. */
export function pauseAfter(emptyLooks: number, longest: number, random = Math.random()): number {
  const growth = SHORTEST_PAUSE_MS * (2 ** Math.min(emptyLooks, 30) - 1) * (0.8 + 0.4 * random);
  return Math.min(SHORTEST_PAUSE_MS + growth, longest);
}

/** False when the signal came before the end. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  return await sleep(milliseconds, true, { signal }).catch(() => false);
}

async function unlessTaken<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (isGone(error) || codeOf(error) === 'PopReceiptMismatch') return undefined;
    throw error;
  }
}

/** Message or queue are not there, or the queue is being deleted. */
function isGone(error: unknown): boolean {
  return ['QueueNotFound', 'MessageNotFound', 'QueueBeingDeleted', 'QueueDisabled'].includes(codeOf(error) ?? '');
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string }).code;
}

function seconds(milliseconds: number): number {
  return Math.ceil(milliseconds / 1000);
}
