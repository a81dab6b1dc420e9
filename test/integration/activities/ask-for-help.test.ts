import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, inject, test } from 'vitest';
import { createObserveBatch, type LaunchedRun } from '../../../src/activities/batches/observe-batch.js';
import { type AttemptProgress, progressMetadata } from '../../../src/container-contract/progress.js';
import { shareOf } from '../../../src/container-contract/share.js';
import { parseSpec } from '../../../src/job/spec.js';
import { takeHelperPlace } from '../../../src/job-store/batches/helpers.js';
import { jobOf, progressBlob, RESOLVED_JOB, shareBlob } from '../../../src/job-store/layout.js';
import { writeJson } from '../../../src/storage/storage.js';
import { notSetUp } from '../../support/aci.js';
import { openAzurite } from '../../support/storage.js';

const connection = inject('storage');
const ITEMS = 100;
const PARALLEL = 4;
const now = Date.now();
const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString();
/** Its model was loaded 2 seconds after the launch; since then it has scored an item a second. */
const progress: AttemptProgress = {
  batch: 0,
  attempt: 1,
  total: ITEMS,
  done: 10,
  skipped: 0,
  failed: 0,
  phase: 'scoring',
  startedAt: ago(12),
  lastItemAt: ago(0),
  updatedAt: ago(0),
  times: { modelLoaded: ago(10) },
  failedItems: [],
};
const local = { ...notSetUp().local, observe: () => Promise.resolve({ state: 'running' as const }) };

let jobId = '';
let storage = openAzurite(connection);

/** Looks at the only batch that is left of the job, as a host does that has just started. */
async function look({ batch = {}, ...others }: { batch?: object; batches?: number; helpers?: LaunchedRun[] } = {}) {
  const spec = parseSpec(JSON.stringify({ input: { video: 'inbox/a.mp4' }, model: 'starry-night', batch }));
  const job = { jobId, spec, card: { output: {} }, video: {}, parallel: PARALLEL, pack: 1 };
  await writeJson(jobOf(storage, jobId), RESOLVED_JOB, job);
  const observe = createObserveBatch({ storage, compute: { ...notSetUp(), local } });
  const attempt = { jobId, batch: 0, first: 0, count: ITEMS, attempt: 1, launchedAt: now - 12_000 };
  return (await observe({ ...attempt, batches: 1, ...others })).help ?? 0;
}

const report = (more: Partial<AttemptProgress> = {}) => {
  const said = { ...progress, ...more };
  return writeJson(jobOf(storage, jobId), progressBlob(0, 1), said, progressMetadata(said));
};
const shareUpTo = (taken: number) => {
  const [span] = shareOf(1, { first: 0, last: ITEMS - 1 }).spans;
  return writeJson(jobOf(storage, jobId), shareBlob(0, 1), { spans: [{ ...span, taken }] });
};

beforeEach(async () => {
  storage = openAzurite(connection);
  jobId = `coast-${randomBytes(4).toString('hex')}`;
  await jobOf(storage, jobId).create();
  await report();
});

test('a batch that has much left is to be helped by all containers that the job has idle', async () => {
  expect(await look()).toBe(PARALLEL - 1);
});

test('before anybody has helped, what is left is what the container has not handled', async () => {
  await report({ done: ITEMS - 3 });
  expect(await look()).toBe(0);
});

describe('no help is asked for', () => {
  test('while other batches need all containers', async () => {
    expect(await look({ batches: PARALLEL })).toBe(0);
  });

  test('where the job does not want it', async () => {
    expect(await look({ batch: { splitStragglers: false } })).toBe(0);
  });

  test('when the containers have taken up nearly everything', async () => {
    await shareUpTo(ITEMS - 3);
    const helper = { batch: 0, attempt: 2 };
    await writeJson(
      jobOf(storage, jobId),
      progressBlob(0, 2),
      {},
      progressMetadata({ ...progress, ...helper, helps: 1 }),
    );
    expect(await look({ helpers: [{ attempt: 2, launchedAt: now - 12_000 }] })).toBe(0);
  });

  test('while an item is scored alone that containers may have died of', async () => {
    await report({ alone: 10 });
    expect(await look()).toBe(0);
  });

  test('before the container has scored anything', async () => {
    await report({ done: 0 });
    expect(await look()).toBe(0);
  });
});

test('containers that help already are not idle', async () => {
  const run = { parallel: PARALLEL, batches: 1 };
  for (const attempt of [2, 3]) expect(await takeHelperPlace(storage, jobId, { batch: 0, attempt }, run)).toBe(true);
  expect(await look()).toBe(1);
});
