import { randomBytes } from 'node:crypto';
import { QueueServiceClient } from '@azure/storage-queue';
import { expect, inject, it, onTestFinished } from 'vitest';
import { newHub, startHost } from '../../support/host-process.js';
import { temporaryApp } from '../../support/temporary-app.js';
import { until } from '../../support/until.js';

/** Starts hosts, one after another, whose function takes messages of a queue and the given time for each. */
async function queueApp(milliseconds: number) {
  const queueName = `q${randomBytes(6).toString('hex')}`;
  const queue = QueueServiceClient.fromConnectionString(inject('storage')).getQueueClient(queueName);
  await queue.create();
  const code = `
    import { app } from '@azure/functions';
    app.storageQueue('work', { queueName: '${queueName}', connection: 'AzureWebJobsStorage', handler: async (entry, context) => {
      context.log('begun ' + context.triggerMetadata.dequeueCount + ' ' + entry.job);
      await new Promise((resolve) => setTimeout(resolve, Number(process.env.TAKES ?? ${milliseconds})));
      context.log('done');
    } });`;
  const folder = temporaryApp({ 'main.js': code });
  const start = async (env: NodeJS.ProcessEnv, hub = newHub()) => {
    const host = await startHost({ app: folder, hub, env });
    onTestFinished(async () => void (await host.stop('SIGKILL')));
    return host;
  };
  const isEmpty = async () => (await queue.getProperties()).approximateMessagesCount === 0;
  return {
    start,
    isEmpty,
    send: async (text: string) => await queue.sendMessage(Buffer.from(text).toString('base64')),
  };
}

it('a message that a killed host was working on comes back when its lease ends, and is worked on once more', async () => {
  const { start, send, isEmpty } = await queueApp(0);
  const lease = { DEVHOST_QUEUE_LEASE_SECONDS: '2' };
  const first = await start({ ...lease, TAKES: '60000' });
  await send('{"job":7}');
  await until(() => first.log.includes('begun 1 7'));
  await first.stop('SIGKILL');

  const second = await start(lease, first.hub);
  await until(() => second.log.includes('begun 2 7'));
  await until(isEmpty);
  expect(second.log.match(/begun/g)).toHaveLength(1);
});

it('a function keeps its message for longer than the lease', async () => {
  const { start, send, isEmpty } = await queueApp(7500);
  const host = await start({ DEVHOST_QUEUE_LEASE_SECONDS: '5' });
  await send('{"job":8}');
  await until(() => host.log.includes('done'));
  await until(isEmpty);
  expect(host.log.match(/begun/g)).toHaveLength(1);
});
