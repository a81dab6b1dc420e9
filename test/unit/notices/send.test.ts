import { QueueServiceClient } from '@azure/storage-queue';
import { expect, test } from 'vitest';
import { noticeOf } from '../../../src/job/notice.js';
import { createNotices } from '../../../src/notices/send.js';
import type { Delivery } from '../../../src/notices/webhook.js';

const notice = noticeOf('notice-1', {
  jobId: 'coast-k3v9q2xa',
  outcome: 'done',
  message: '',
  output: 'outbox/coast.mp4',
  manifest: 'https://m.blob.core.windows.net/job-coast/manifest.json',
  startedBy: undefined,
  finishedAt: '2026-11-26T10:00:00.000Z',
});
const sent: Delivery[] = [];
const ports = {
  queues: QueueServiceClient.fromConnectionString('UseDevelopmentStorage=true'),
  webhook: (delivery: Delivery) => {
    sent.push(delivery);
    return Promise.resolve();
  },
  login: () => ({ getToken: () => Promise.resolve(null) }),
};
const notices = createNotices({ usual: [], topic: undefined, secrets: { MAIN: 's3cret' } }, ports);
const hook = (secret: string) => ({ webhook: 'https://example.com/hook', secret });

test('a webhook gets the notice, its id, and the secret that its setting holds', async () => {
  await notices.send(hook('MAIN'), notice);
  expect(sent).toEqual([
    { url: 'https://example.com/hook', id: 'notice-1', secret: 's3cret', body: JSON.stringify(notice) },
  ]);
});

test('what a setting is missing for is said by its name, and is not tried again', async () => {
  await expect(notices.send(hook('OTHER'), notice)).rejects.toMatchObject({
    blame: 'user',
    message: expect.stringMatching(/WEBHOOK_SECRET_OTHER/) as string,
  });
  await expect(notices.send({ eventGrid: true }, notice)).rejects.toMatchObject({
    blame: 'user',
    message: expect.stringMatching(/EVENT_GRID_TOPIC/) as string,
  });
});
