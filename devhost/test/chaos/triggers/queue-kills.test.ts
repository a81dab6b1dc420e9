import { randomBytes } from 'node:crypto';
import { QueueServiceClient } from '@azure/storage-queue';
import { expect, inject, it, onTestFinished } from 'vitest';
import { startHost } from '../../support/host-process.js';
import { temporaryApp } from '../../support/temporary-app.js';
import { until } from '../../support/until.js';

it('a message that a killed host was working on comes back when its lease ends, and is worked on once more', async () => {
  const queueName = `q${randomBytes(6).toString('hex')}`;
  const queue = QueueServiceClient.fromConnectionString(inject('storage')).getQueueClient(queueName);
  await queue.create();
  const code = `
    import { app } from '@azure/functions';
    app.storageQueue('work', { queueName: '${queueName}', connection: 'AzureWebJobsStorage', handler: async (entry, context) => {
      context.log('begun ' + context.triggerMetadata.dequeueCount + ' ' + entry.job);
      if (process.env.HANG) await new Promise((resolve) => setTimeout(resolve, 60_000));
    } });`;
  const options = { app: temporaryApp({ 'main.js': code }) };
  const env = { DEVHOST_QUEUE_LEASE_SECONDS: '1' };
  const first = await startHost({ ...options, env: { ...env, HANG: '1' } });
  await queue.sendMessage(Buffer.from('{"job":7}').toString('base64'));
  await until(() => first.log.includes('begun 1 7'));
  await first.stop('SIGKILL');

  const second = await startHost({ ...options, hub: first.hub, env });
  onTestFinished(async () => void (await second.stop()));
  await until(() => second.log.includes('begun 2 7'));
  await until(async () => (await queue.getProperties()).approximateMessagesCount === 0);
  expect(second.log.match(/begun/g)).toHaveLength(1);
});
