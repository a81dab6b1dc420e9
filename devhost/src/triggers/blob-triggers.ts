import { setTimeout as sleep } from 'node:timers/promises';
import {
  type BlobGetPropertiesResponse,
  BlobServiceClient,
  type ContainerClient,
  RestError,
} from '@azure/storage-blob';
import type { DequeuedMessageItem, QueueClient } from '@azure/storage-queue';
import pMap from 'p-map';
import type { HostStorage } from '../backend/host-storage.js';
import type { AppFunction } from '../app/function-registry.js';
import { firstLineOf, messageOf, UserFault } from '../log.js';
import { connectionOf, textOf } from './app-settings.js';
import { type BlobPattern, parseBlobPath } from './blob-path.js';
import { BlobReceipts, type BlobVersion } from './blob-receipts.js';
import { QueueListener, type QueueOptions } from './queue-listener.js';
import { queueService } from './queue-triggers.js';
import { runOnce, type Services, type TriggerInput } from './trigger-run.js';

/** How blobs are found and handed out: `extensions.blobs` in host.json, under the same names. */
export interface BlobOptions {
  /** How many functions run at once. */
  maxDegreeOfParallelism: number;
  /** Tries until a message about the blob moves to the poison queue. */
  poisonBlobThreshold: number;
  /** Milliseconds between two looks into a container. */
  pollInterval: number;
}

const POISON_QUEUE = 'webjobs-blobtrigger-poison';

/** How many blobs are written into the queue at the same time. */
const ENQUEUED_AT_ONCE = 8;

/** What the host puts into its queue about a blob, and into the poison queue, as the real host names it. */
interface BlobMessage {
  FunctionId: string;
  BlobType: string;
  ContainerName: string;
  BlobName: string;
  ETag: string;
}

/** A blob function with what it listens to. */
interface Source {
  target: AppFunction;
  id: string;
  pattern: BlobPattern;
  container: ContainerClient;
  receipts: BlobReceipts;
  /** In the storage account of the blobs. */
  poison: QueueClient;
}

/**
 * What calls the app's blob functions, if there are any; nothing is read yet.
 * @throws UserFault for a path or a connection that cannot be used.
 */
export function blobListeners(
  functions: AppFunction[],
  { queues, blobs, storage }: { queues: QueueOptions; blobs: BlobOptions; storage: HostStorage },
  services: Services,
): BlobListener[] {
  const sources = functions.map((target) => sourceOf(target, storage));
  return sources.length > 0 ? [new BlobListener(sources, queues, blobs, storage, services)] : [];
}

/**
 * Finds blobs as the real host does (ScanBlobScanLogHybridPollingStrategy.cs, BlobQueueTriggerExecutor.cs of the Storage extension): it
 * lists the containers again and again and writes one message about each new version of a blob that a function wants into a queue of its
 * own. From there the functions get the blobs, whole, with tries and poison as for any queue.
 */
class BlobListener {
  readonly #stopping = new AbortController();
  readonly #queue: QueueClient;
  readonly #messages: QueueListener;
  #scanning: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly sources: Source[],
    queues: QueueOptions,
    private readonly options: BlobOptions,
    storage: HostStorage,
    private readonly services: Services,
  ) {
    this.#queue = storage.queues.getQueueClient(`azure-webjobs-blobtrigger-${storage.id}`);
    const { maxDegreeOfParallelism, poisonBlobThreshold, pollInterval } = options;
    const batchSize = Math.min(32, Math.ceil(maxDegreeOfParallelism / 2));
    this.#messages = new QueueListener(
      {
        queue: this.#queue,
        poison: (message) => this.#sourceOf(read(message))?.poison ?? storage.queues.getQueueClient(POISON_QUEUE),
        handle: async (message) => await this.#handle(message),
      },
      {
        ...queues,
        batchSize,
        newBatchThreshold: maxDegreeOfParallelism - batchSize,
        visibilityTimeout: 0,
        maxDequeueCount: poisonBlobThreshold,
        maxPollingInterval: Math.max(pollInterval, 100),
      },
      services.log,
    );
  }

  start(): void {
    this.#messages.start();
    this.#scanning = Promise.all(this.sources.map(async (source) => await this.#scan(source)));
  }

  /** Looks for no more blobs, and resolves when the functions under way are over. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([this.#scanning, this.#messages.stop()]);
  }

  async #scan(source: Source): Promise<void> {
    const { signal } = this.#stopping;
    let known: Map<string, Set<string>> | undefined;
    let isAway = false;
    while (!signal.aborted) {
      try {
        known ??= await source.receipts.complete();
        known = await this.#look(source, known);
        isAway = false;
      } catch (error) {
        if (!isAway && !signal.aborted)
          this.services.log.warn(
            `The container ${source.container.containerName} cannot be read: ${firstLineOf(error)}`,
          );
        isAway = true;
      }
      await sleep(this.options.pollInterval, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Looks at every blob once. `known` are the versions that are done with; returns those of them that there still are, and the new ones. */
  async #look(source: Source, known: Map<string, Set<string>>): Promise<Map<string, Set<string>>> {
    const seen = new Map<string, Set<string>>();
    const found: BlobVersion[] = [];
    const { container, pattern } = source;
    try {
      for await (const { name, properties } of container.listBlobsFlat({
        prefix: pattern.prefix,
        abortSignal: this.#stopping.signal,
      })) {
        if (!pattern.match(name)) continue;
        const version = { container: pattern.container, name, etag: withoutQuotes(properties.etag) };
        const key = `${version.container}/${name}`;
        seen.set(key, new Set([version.etag]));
        if (!known.get(key)?.has(version.etag)) found.push(version);
      }
    } catch (error) {
      // The container may be made later.
      if (isMissing(error)) return known;
      throw error;
    }
    await pMap(found, async (version) => await this.#enqueue(source, version), { concurrency: ENQUEUED_AT_ONCE });
    return seen;
  }

  async #enqueue({ receipts, id }: Source, version: BlobVersion): Promise<void> {
    const message: BlobMessage = {
      FunctionId: id,
      BlobType: 'BlockBlob',
      ContainerName: version.container,
      BlobName: version.name,
      ETag: version.etag,
    };
    const text = Buffer.from(JSON.stringify(message)).toString('base64');
    const send = async () => void (await this.#queue.sendMessage(text));
    await receipts.once(version, () =>
      send().catch(async (error: unknown) => {
        if (!isMissing(error)) throw error;
        await this.#queue.createIfNotExists();
        await send();
      }),
    );
  }

  async #handle(queued: DequeuedMessageItem): Promise<boolean> {
    const message = read(queued);
    const source = this.#sourceOf(message);
    // What a function that is no more was to get is dropped, as is a version that is no more: a new one has its own message.
    if (!message || !source) return true;
    const blob = source.container.getBlobClient(message.BlobName);
    let input: TriggerInput;
    try {
      const properties = await blob.getProperties();
      if (withoutQuotes(properties.etag) !== message.ETag) return true;
      const bytes = await blob.downloadToBuffer(0, undefined, { conditions: { ifMatch: properties.etag ?? '' } });
      input = blobInput(source, message.BlobName, { url: blob.url, properties, bytes });
    } catch (error) {
      if (isMissing(error) || (error instanceof RestError && error.statusCode === 412)) return true;
      this.services.log.warn(
        `The blob ${message.ContainerName}/${message.BlobName} cannot be read: ${firstLineOf(error)}`,
      );
      return false;
    }
    return await runOnce(source.target, input, this.services);
  }

  #sourceOf(message: BlobMessage | undefined): Source | undefined {
    return this.sources.find(({ id }) => id === message?.FunctionId);
  }
}

function sourceOf(target: AppFunction, storage: HostStorage): Source {
  const path = textOf(target, 'path');
  let pattern: BlobPattern;
  try {
    pattern = parseBlobPath(path);
  } catch (error) {
    throw new UserFault(`The path '${path}' of function '${target.name}' cannot be used: ${messageOf(error)}`);
  }
  const connection = connectionOf(target);
  const id = `Host.Functions.${target.name}`;
  return {
    target,
    id,
    pattern,
    container: blobService(connection, target.name).getContainerClient(pattern.container),
    receipts: new BlobReceipts(storage, id),
    poison: queueService(connection, target.name).getQueueClient(POISON_QUEUE),
  };
}

/** @throws UserFault for text that is no connection string; it is not shown. */
function blobService(connection: string, functionName: string): BlobServiceClient {
  try {
    return BlobServiceClient.fromConnectionString(connection, { retryOptions: { maxTries: 3, retryDelayInMs: 200 } });
  } catch {
    throw new UserFault(
      `The connection of function '${functionName}' is no connection string for blobs: it needs an account with its key, or a SAS and a Blob endpoint.`,
    );
  }
}

/** Undefined for a message that is none of the host's. */
function read({ messageText }: DequeuedMessageItem): BlobMessage | undefined {
  try {
    return JSON.parse(Buffer.from(messageText, 'base64').toString()) as BlobMessage;
  } catch {
    return undefined;
  }
}

/** What a blob function receives. */
function blobInput(
  { pattern }: Source,
  name: string,
  { url, properties, bytes }: { url: string; properties: BlobGetPropertiesResponse; bytes: Buffer },
): TriggerInput {
  const { metadata = {} } = properties;
  const parameters = Object.entries(pattern.match(name) ?? {}).map(([key, value]) => [key, { string: value }]);
  return {
    data: { bytes },
    triggerMetadata: {
      BlobTrigger: { string: `${pattern.container}/${name}` },
      // A connection with a SAS has it in every address.
      Uri: { json: JSON.stringify(url.split('?')[0]) },
      Properties: { json: JSON.stringify(propertiesOf(properties)) },
      Metadata: { json: JSON.stringify(metadata) },
      ...(Object.fromEntries(parameters) as Record<string, { string: string }>),
    },
  };
}

/** Those members of .NET's BlobProperties that are texts, times and numbers. */
function propertiesOf(properties: BlobGetPropertiesResponse): Record<string, unknown> {
  return {
    LastModified: properties.lastModified,
    CreatedOn: properties.createdOn,
    Metadata: properties.metadata ?? {},
    ContentLength: properties.contentLength,
    ContentType: properties.contentType,
    ContentHash: properties.contentMD5 ? Buffer.from(properties.contentMD5).toString('base64') : null,
    ContentEncoding: properties.contentEncoding ?? null,
    ContentDisposition: properties.contentDisposition ?? null,
    ContentLanguage: properties.contentLanguage ?? null,
    CacheControl: properties.cacheControl ?? null,
  };
}

function withoutQuotes(etag = ''): string {
  return etag.replaceAll('"', '');
}

function isMissing(error: unknown): boolean {
  return error instanceof RestError && error.statusCode === 404;
}
