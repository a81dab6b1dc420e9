import { randomBytes } from 'node:crypto';
import type { StorageQueueHandler } from '@azure/functions';
import { type QueueClient, QueueServiceClient } from '@azure/storage-queue';
import { afterAll, beforeAll, describe, inject, it as test, type TestContext, vi } from 'vitest';
import type { QueueListener, QueueOptions } from '../../../src/triggers/queue-listener.js';
import type { MessageEncoding } from '../../../src/triggers/queue-message.js';
import { queueListeners } from '../../../src/triggers/queue-triggers.js';
import { core, invoker, log } from '../../support/app-in-process.js';
import { until } from '../../support/until.js';

const { app } = await import('@azure/functions');

let service: QueueServiceClient;
beforeAll(() => {
  service = QueueServiceClient.fromConnectionString(inject('storage'));
  vi.stubEnv('QUEUES', inject('storage'));
});
afterAll(() => void vi.unstubAllEnvs());

type Options = QueueOptions & { messageEncoding: MessageEncoding };
const USUAL: Options = {
  messageEncoding: 'base64',
  batchSize: 16,
  newBatchThreshold: 8,
  visibilityTimeout: 0,
  maxDequeueCount: 3,
  maxPollingInterval: 100,
  lease: 30_000,
};

interface Listened {
  queue: QueueClient;
  poison: QueueClient;
  listener: QueueListener;
  send: (text: string) => Promise<void>;
}

/** A queue that a function listens to until the test ends. */
async function listen(
  { onTestFinished }: TestContext,
  handler: StorageQueueHandler,
  { suffix = '', started = true, ...options }: Partial<Options> & { suffix?: string; started?: boolean } = {},
): Promise<Listened> {
  const name = `q${randomBytes(6).toString('hex')}`;
  const queue = service.getQueueClient(name + suffix);
  await queue.create();
  app.storageQueue(name, { queueName: name + suffix, connection: 'QUEUES', handler });
  const functions = core.functions.all().filter((each) => each.name === name);
  const services = { invoker, log, exportSpans: undefined };
  const listeners = queueListeners(functions, { ...USUAL, ...options }, services);
  const [listener] = listeners;
  if (!listener) throw new Error('no listener');
  if (started) listener.start();
  onTestFinished(() => listener.stop());
  const send = async (text: string) => void (await queue.sendMessage(Buffer.from(text).toString('base64')));
  return { queue, poison: service.getQueueClient(`${name}-poison`), listener, send };
}

const count = async (queue: QueueClient) => (await queue.getProperties()).approximateMessagesCount;

describe.concurrent('a queue function', () => {
  test('gets JSON as a value and other text as it is, and its messages are gone when it is done', async (context) => {
    const got: unknown[] = [];
    const { queue, send } = await listen(context, (entry) => void got.push(entry));
    for (const text of ['{"a":[1]}', 'plain', '"quoted"', '12', '{broken']) await send(text);
    await until(() => got.length === 5);
    await until(async () => (await count(queue)) === 0);
    context.expect(got).toEqual(context.expect.arrayContaining([{ a: [1] }, 'plain', 'quoted', 12, '{broken']));
  });

  test('is told what the queue knows about the message', async (context) => {
    const told: Record<string, unknown>[] = [];
    const { queue } = await listen(context, (_entry, { triggerMetadata = {} }) => void told.push(triggerMetadata));
    const { messageId } = await queue.sendMessage(Buffer.from('text').toString('base64'));
    await until(() => told.length > 0);
    const isTime = context.expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/) as unknown;
    context.expect(told).toEqual([
      {
        queueTrigger: 'text',
        id: messageId,
        dequeueCount: 1,
        popReceipt: context.expect.any(String) as unknown,
        insertionTime: isTime,
        expirationTime: isTime,
        nextVisibleTime: isTime,
      },
    ]);
  });

  test('takes messages that are not encoded where host.json says so', async (context) => {
    const got: unknown[] = [];
    const { queue } = await listen(context, (entry) => void got.push(entry), { messageEncoding: 'none' });
    await queue.sendMessage('{"text":"<ä> & more"}');
    await until(() => got.length > 0);
    context.expect(got).toEqual([{ text: '<ä> & more' }]);
  });

  test('that keeps failing is tried so often as host.json says, then the message is poison', async (context) => {
    const tries: unknown[] = [];
    const fail: StorageQueueHandler = (_entry, { triggerMetadata }) => {
      tries.push(triggerMetadata?.['dequeueCount']);
      throw new Error('fails on purpose');
    };
    const { queue, poison, send } = await listen(context, fail);
    await send('bad');
    await until(async () => (await poison.exists()) && (await count(queue)) === 0);
    context.expect(tries).toEqual([1, 2, 3]);
    const { receivedMessageItems } = await poison.receiveMessages();
    context
      .expect(receivedMessageItems.map((each) => Buffer.from(each.messageText, 'base64').toString()))
      .toEqual(['bad']);
  });

  test('is not called for a message in the wrong encoding, which becomes poison as it was', async (context) => {
    const got: unknown[] = [];
    const { queue, poison } = await listen(context, (entry) => void got.push(entry));
    await queue.sendMessage('{"plain":true}');
    await until(async () => (await poison.exists()) && (await count(queue)) === 0);
    const { receivedMessageItems } = await poison.receiveMessages();
    context.expect(receivedMessageItems.map((each) => each.messageText)).toEqual(['{"plain":true}']);
    context.expect(got).toEqual([]);
  });

  test('is not called for a message whose last try ended with its host', async (context) => {
    const got: unknown[] = [];
    const { queue, poison, listener, send } = await listen(context, (entry) => void got.push(entry), {
      maxDequeueCount: 1,
      started: false,
    });
    await send('lost');
    await queue.receiveMessages({ visibilityTimeout: 1 });
    listener.start();
    await until(async () => (await poison.exists()) && (await count(poison)) === 1);
    context.expect(got).toEqual([]);
  });

  test('runs for no more messages at once than a batch and the threshold of the next allow', async (context) => {
    let [started, running, most, done] = [0, 0, 0, 0];
    const handler: StorageQueueHandler = async () => {
      const isFirst = started++ === 0;
      most = Math.max(most, ++running);
      await (isFirst ? until(() => done === 8) : new Promise((resolve) => setTimeout(resolve, 10)));
      running--;
      done++;
    };
    const { send } = await listen(context, handler, { batchSize: 2, newBatchThreshold: 1 });
    await Promise.all(Array.from({ length: 9 }, () => send('x')));
    await until(() => done === 9);
    context.expect(most).toBe(3);
  });

  test('gets a message that it failed again after the time that host.json gives', async (context) => {
    const tries: number[] = [];
    const fail: StorageQueueHandler = () => {
      tries.push(Date.now());
      if (tries.length === 1) throw new Error('fails once');
    };
    const { send } = await listen(context, fail, { visibilityTimeout: 1000 });
    await send('again');
    await until(() => tries.length === 2);
    context.expect((tries[1] ?? 0) - (tries[0] ?? 0)).toBeGreaterThan(400);
  });

  test('of a poison queue has no poison queue of its own: what fails comes again later', async (context) => {
    let runs = 0;
    const fail: StorageQueueHandler = () => {
      runs++;
      if (runs < 3) throw new Error('fails twice');
    };
    const { queue, send } = await listen(context, fail, { suffix: '-poison', lease: 1000, maxDequeueCount: 5 });
    await send('poison');
    await until(async () => runs === 3 && (await count(queue)) === 0);
  });

  test('finds a queue that is made later, and one that is made anew', async (context) => {
    const got: unknown[] = [];
    const { queue, send } = await listen(context, (entry) => void got.push(entry));
    await queue.delete();
    await new Promise((resolve) => setTimeout(resolve, 150));
    await queue.create();
    await send('after');
    await until(() => got.length === 1);
  });

  test('that runs while the host stops may end, and its message is gone', async (context) => {
    let runs = 0;
    const { queue, listener, send } = await listen(context, async () => {
      runs++;
      await new Promise((resolve) => setTimeout(resolve, 200));
    });
    await send('last');
    await until(() => runs === 1);
    await listener.stop();
    context.expect(await count(queue)).toBe(0);
  });
});
