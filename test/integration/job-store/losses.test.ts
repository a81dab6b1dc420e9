import { randomBytes } from 'node:crypto';
import diagnostics from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import { expect, inject, test } from 'vitest';
import { lossesWith } from '../../../src/job-store/batches/losses.js';
import { writeSettled } from '../../../src/job-store/batches/settled.js';
import { jobOf } from '../../../src/job-store/layout.js';
import type { Losses } from '../../../src/job/tolerance.js';
import { openAzurite } from '../../support/storage.js';

const connection = inject('storage');
const BATCHES = 40;

/** A job, and hosts that settle its batches, each of which loses an item. */
async function newJob() {
  const jobId = `losses-${randomBytes(4).toString('hex')}`;
  const storage = openAzurite(connection);
  await jobOf(storage, jobId).create();
  const newHost = () => {
    const own = openAzurite(connection);
    return async (batch: number, most = Infinity): Promise<Losses> => {
      const lost = { batch, failed: 1, missing: 0 };
      const observation = { state: 'succeeded' } as const;
      const counts = { ...lost, attempt: 1, done: 9, state: 'done', message: '', observation } as const;
      await writeSettled(own, jobId, { ...counts, phases: [], unscored: [batch] });
      return lossesWith(own, jobId, lost, ({ failed }) => failed > most);
    };
  };
  return { jobId, newHost };
}

test('the losses of many batches are known from few listings', async () => {
  const { jobId, newHost } = await newJob();
  const settle = newHost();
  let listings = 0;
  const count = (message: unknown) => {
    const { path } = (message as { request: ClientRequest }).request;
    if (path.includes(jobId) && path.includes('prefix=')) listings += 1;
  };
  diagnostics.subscribe('http.client.request.start', count);
  for (let batch = 0; batch < BATCHES; batch += 1) expect((await settle(batch)).failed).toBe(batch + 1);
  diagnostics.unsubscribe('http.client.request.start', count);
  expect(listings).toBeLessThanOrEqual(BATCHES / 2);
});

test('too much is found out from storage, with what other hosts have told of', async () => {
  const { newHost } = await newJob();
  const [settle, elsewhere] = [newHost(), newHost()];
  for (let batch = 0; batch < 16; batch += 1) await settle(batch);
  await elsewhere(16);
  expect((await settle(17, 16)).failed).toBe(18);
  // A host that has been killed has seen nothing.
  expect((await newHost()(17)).failed).toBe(18);
  // Settling a batch again counts it once.
  expect((await settle(17)).failed).toBe(18);
});
