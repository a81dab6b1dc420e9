import { expect, test } from 'vitest';
import { LINE_PREFIX } from '../../../../src/job/inbox/claim.js';
import { givePlaces, readPlaces, takePlace } from '../../../../src/job-store/inbox/places.js';
import { CLAIMS } from '../../../../src/job-store/layout.js';
import { listBlobs } from '../../../../src/storage/storage.js';
import { base64, cloudEvent, inboxOf, newFolder } from '../../../support/inbox.js';
import { useOwnStack } from '../../../support/stack.js';
import { openAzurite } from '../../../support/storage.js';
import { until } from '../../../support/wait.js';

const stack = useOwnStack({ env: { MOST_RUNNING_JOBS: '1' } });
const inbox = inboxOf(stack);
const READY = JSON.stringify({ model: 'starry-night' });
/** Events at once. */
const COUNT = Number(process.env.EVENTS ?? 100);
const ALL = { jobs: Infinity, items: Infinity, bytes: Infinity };

const inLine = async (): Promise<number> => {
  let count = 0;
  for await (const blob of listBlobs(stack.storage.getContainerClient(CLAIMS), { prefix: LINE_PREFIX }))
    count += blob.name === '' ? 0 : 1;
  return count;
};

/** A folder without pictures, whose job ends at once, and the event of its trigger file. */
async function ready(minute: number) {
  const version = await inbox.put(`${newFolder()}/_READY`, READY);
  const time = new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
  return { version, message: base64(cloudEvent(version, { time })) };
}

test('what comes while other jobs run waits its turn, uses up no tries, and starts one after another in the order of arrival', async () => {
  const storage = openAzurite(stack.connectionString);
  await takePlace(storage, { job: 'holder-k3v9q2xa', items: 0, bytes: 0 }, ALL);
  const arrived = await Promise.all([2, 0, 1].map(ready));
  for (const { message } of arrived) await inbox.send(message);
  await until('a line of three', async () => ((await inLine()) === 3 ? true : undefined));
  const body = JSON.stringify({
    input: { images: `inbox/${arrived[0]?.version.name.split('/')[0]}/` },
    model: 'starry-night',
  });
  const headers = { 'content-type': 'application/json' };
  const refused = await fetch(`${stack.url}/api/jobs`, { method: 'POST', headers, body });
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  await givePlaces(storage, ['holder-k3v9q2xa']);
  const claims = await Promise.all(arrived.map(({ version }) => inbox.decided(version)));
  const ended = await Promise.all(claims.map(({ job }) => stack.ended(job?.jobId ?? '')));
  const order = ended
    .map(({ createdAt }, index) => ({ createdAt, index }))
    .toSorted((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  expect(order.map(({ index }) => index)).toEqual([1, 2, 0]);
  expect((await readPlaces(storage)).places).toEqual([]);
  expect(await inbox.poisoned()).toBe(0);
});

test('many events at once are all claimed, and the app answers meanwhile', { timeout: 600_000 }, async () => {
  const storage = openAzurite(stack.connectionString);
  await takePlace(storage, { job: 'holder-k3v9q2xb', items: 0, bytes: 0 }, ALL);
  const arrived = await Promise.all(Array.from({ length: COUNT }, (_, minute) => ready(minute)));
  const before = await inLine();
  await Promise.all(arrived.map(({ message }) => inbox.send(message)));
  let slowest = 0;
  await until(
    'all to be in line',
    async () => {
      const asked = performance.now();
      expect((await fetch(`${stack.url}/api/jobs/none-k3v9q2xa`)).status).toBe(404);
      slowest = Math.max(slowest, performance.now() - asked);
      return (await inLine()) === before + COUNT ? true : undefined;
    },
    200,
    500,
  );
  expect(slowest).toBeLessThan(5000);
  expect(await inbox.poisoned()).toBe(0);
});
