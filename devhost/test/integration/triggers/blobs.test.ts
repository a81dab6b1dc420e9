import { randomBytes } from 'node:crypto';
import type { StorageBlobHandler } from '@azure/functions';
import { BlobServiceClient, type ContainerClient } from '@azure/storage-blob';
import { QueueServiceClient } from '@azure/storage-queue';
import { afterAll, beforeAll, describe, inject, it as test, type TestContext, vi } from 'vitest';
import { hostStorage } from '../../../src/backend/host-storage.js';
import { blobListeners } from '../../../src/triggers/blob-triggers.js';
import { core, invoker, log } from '../../support/app-in-process.js';
import { newHub } from '../../support/host-process.js';
import { until } from '../../support/until.js';

const { app } = await import('@azure/functions');

let blobs: BlobServiceClient;
let queues: QueueServiceClient;
beforeAll(() => {
  blobs = BlobServiceClient.fromConnectionString(inject('storage'));
  queues = QueueServiceClient.fromConnectionString(inject('storage'));
  vi.stubEnv('BLOBS', inject('storage'));
});
afterAll(() => void vi.unstubAllEnvs());

const QUEUES = {
  batchSize: 16,
  newBatchThreshold: 8,
  visibilityTimeout: 0,
  maxDequeueCount: 5,
  maxPollingInterval: 100,
  lease: 30_000,
};
const BLOBS = { maxDegreeOfParallelism: 4, poisonBlobThreshold: 2, pollInterval: 100 };

interface Watched {
  container: ContainerClient;
  /** Id of the function and of its host. */
  id: string;
  hub: string;
  /** Starts a host for the function; a host that comes later knows what the first one did. */
  start(this: void): { stop(this: void): Promise<void> };
  upload(this: void, name: string, text: string, metadata?: Record<string, string>): Promise<void>;
}

/** A container, and a function that gets its blobs once a host is started. */
async function watch(
  { onTestFinished }: TestContext,
  handler: StorageBlobHandler,
  pattern = '{name}',
): Promise<Watched> {
  const name = `c${randomBytes(6).toString('hex')}`;
  const hub = newHub();
  const container = blobs.getContainerClient(name);
  await container.create();
  app.storageBlob(name, { path: `${name}/${pattern}`, connection: 'BLOBS', handler });
  const functions = core.functions.all().filter((each) => each.name === name);
  const start = () => {
    const storage = hostStorage(inject('storage'), hub);
    const services = { invoker, log, exportSpans: undefined };
    const listeners = blobListeners(functions, { queues: QUEUES, blobs: BLOBS, storage }, services);
    for (const each of listeners) each.start();
    const stop = async () => void (await Promise.all(listeners.map(async (each) => await each.stop())));
    onTestFinished(stop);
    return { stop };
  };
  const upload = async (blob: string, text: string, metadata: Record<string, string> = {}) =>
    void (await container.getBlockBlobClient(blob).upload(text, Buffer.byteLength(text), { metadata }));
  return { container, id: `Host.Functions.${name}`, hub, start, upload };
}

/** A handler that remembers the texts of blobs. */
function collector(): { got: string[]; handler: StorageBlobHandler } {
  const got: string[] = [];
  return { got, handler: (blob) => void got.push((blob as Buffer).toString()) };
}

describe.concurrent('a blob function', () => {
  test('gets each wanted blob whole, and is told what the container knows about it', async (context) => {
    const { expect } = context;
    const got: unknown[] = [];
    const told: Record<string, unknown>[] = [];
    const handler: StorageBlobHandler = (blob, { triggerMetadata = {} }) => {
      got.push(blob);
      told.push(triggerMetadata);
    };
    const { container, start, upload } = await watch(context, handler, 'jobs/{name}.{ext}');
    start();
    await upload('jobs/ä b.txt', 'content', { style: 'starry' });
    await upload('other/a.txt', 'not wanted');
    await until(() => got.length > 0);
    expect(got).toEqual([Buffer.from('content')]);
    expect(told).toMatchObject([
      {
        blobTrigger: `${container.containerName}/jobs/ä b.txt`,
        name: 'ä b',
        ext: 'txt',
        uri: container.getBlobClient('jobs/ä b.txt').url,
        metadata: { style: 'starry' },
        properties: { contentLength: 7, contentType: 'application/octet-stream' },
      },
    ]);
  });

  test('gets an empty blob', async (context) => {
    const { got, handler } = collector();
    const { start, upload } = await watch(context, handler);
    await upload('empty', '');
    start();
    await until(() => got.length > 0);
    context.expect(got).toEqual(['']);
  });

  test('gets a blob again when it is overwritten, and not for nothing', async (context) => {
    const { got, handler } = collector();
    const { start, upload } = await watch(context, handler);
    start();
    await upload('a', 'first');
    await until(() => got.length === 1);
    await upload('a', 'second');
    await until(() => got.length === 2);
    await upload('b', 'other');
    await until(() => got.length === 3);
    context.expect(got).toEqual(['first', 'second', 'other']);
  });

  test('gets blobs that were there before the host, but none that an earlier host handed out', async (context) => {
    const { got, handler } = collector();
    const { start, upload } = await watch(context, handler);
    await upload('before', 'before');
    const first = start();
    await until(() => got.length === 1);
    await first.stop();
    await upload('between', 'between');
    start();
    await until(() => got.length === 2);
    context.expect(got).toEqual(['before', 'between']);
  });

  test('gets a blob whose host died between receipt and message, and one whose receipt was removed', async (context) => {
    const { got, handler } = collector();
    const { container, id, hub, start, upload } = await watch(context, handler);
    await upload('a', 'a');
    const { etag = '' } = await container.getBlobClient('a').getProperties();
    const hosts = blobs.getContainerClient('azure-webjobs-hosts');
    await hosts.createIfNotExists();
    const path = `blobreceipts/${hub.toLowerCase()}/${id}/${etag.replaceAll('"', '')}/${container.containerName}/a`;
    const receipt = hosts.getBlockBlobClient(path);
    await receipt.upload('', 0, { metadata: { BlobReceipt: 'Incomplete' } });
    const first = start();
    await until(() => got.length === 1);
    await first.stop();
    await receipt.delete();
    start();
    await until(() => got.length === 2);
  });

  test('that keeps failing is tried so often as host.json says, then the blob is poison', async (context) => {
    let tries = 0;
    const fail = () => {
      tries++;
      throw new Error('fails on purpose');
    };
    const { container, id, start, upload } = await watch(context, fail);
    start();
    await upload('bad', 'bad');
    const poison = queues.getQueueClient('webjobs-blobtrigger-poison');
    const found: unknown[] = [];
    await until(async () => {
      if (!(await poison.exists())) return false;
      for (const { messageText } of (await poison.peekMessages({ numberOfMessages: 32 })).peekedMessageItems) {
        const message = JSON.parse(Buffer.from(messageText, 'base64').toString()) as { FunctionId: string };
        if (message.FunctionId === id) found.push(message);
      }
      return found.length > 0;
    });
    const { etag = '' } = await container.getBlobClient('bad').getProperties();
    context.expect(tries).toBe(2);
    context.expect(found[0]).toEqual({
      FunctionId: id,
      BlobType: 'BlockBlob',
      ContainerName: container.containerName,
      BlobName: 'bad',
      ETag: etag.replaceAll('"', ''),
    });
  });

  test('is not called for a version that is gone by the time of its turn', async (context) => {
    const { got, handler } = collector();
    const { container, id, hub, start, upload } = await watch(context, handler);
    const queue = queues.getQueueClient(`azure-webjobs-blobtrigger-${hub.toLowerCase()}`);
    await queue.create();
    await upload('changed', 'new');
    for (const BlobName of ['deleted', 'changed']) {
      const message = {
        FunctionId: id,
        BlobType: 'BlockBlob',
        ContainerName: container.containerName,
        BlobName,
        ETag: '0x1',
      };
      await queue.sendMessage(Buffer.from(JSON.stringify(message)).toString('base64'));
    }
    await queue.sendMessage(Buffer.from('rubbish').toString('base64'));
    start();
    await until(async () => got.length > 0 && (await queue.getProperties()).approximateMessagesCount === 0);
    context.expect(got).toEqual(['new']);
  });

  test('waits for a container that is made later', async (context) => {
    const { got, handler } = collector();
    const { container, start, upload } = await watch(context, handler);
    await container.delete();
    start();
    await new Promise((resolve) => setTimeout(resolve, 150));
    await container.create();
    await upload('a', 'at last');
    await until(() => got.length === 1);
  });
});
