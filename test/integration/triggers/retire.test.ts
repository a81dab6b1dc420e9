import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { InvocationContext } from '@azure/functions';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConfig } from '../../../src/config.js';
import { claimId, claimVersion, readClaim } from '../../../src/job-store/inbox/claims.js';
import { enterJob, findEntries } from '../../../src/job-store/list/job-list.js';
import { jobOf, MANIFEST, mediaBlob, workOf } from '../../../src/job-store/layout.js';
import type { Retention } from '../../../src/job-store/retention.js';
import type { Part } from '../../../src/stack/part.js';
import { type Storage, writeJson } from '../../../src/storage/storage.js';
import { createRetire } from '../../../src/triggers/retire.js';
import { openAzurite } from '../../support/storage.js';

const SETTINGS = { AzureWebJobsStorage: 'UseDevelopmentStorage=true' };
const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-retire-'));
const DAY = 86_400_000;
const start = Date.now();
let azurite: Part;
let storage: Storage;

/** By job: what its manifest says, or nothing; and the state of its orchestration, if the app knows one. */
const JOBS: Record<string, { manifest?: object; state?: string }> = {
  failed: { manifest: { outcome: 'failed' } },
  cancelled: { manifest: { outcome: 'cancelled' } },
  done: { manifest: { outcome: 'done', spec: { output: { keepFrames: false } } } },
  kept: { manifest: { outcome: 'done', spec: { output: { keepFrames: true } } } },
  running: { state: 'Running' },
  suspended: { state: 'Suspended' },
  terminated: { state: 'Terminated' },
  lost: {},
};
const ids = Object.keys(JOBS);
/** Jobs that are in the list and have no records: the state of their orchestration. */
const WITHOUT_RECORDS: Record<string, string> = { waiting: 'Pending', 'never-began': 'Terminated' };
const OUTPUT = 'outbox/failed.mp4';

beforeAll(async () => {
  const { startAzurite } = await import('../../../dist/stack/azurite.js');
  const started = await startAzurite(folder, process.env);
  azurite = started;
  storage = openAzurite(started.connectionString);
  const listed = { acceptedAt: start, run: 1, input: 'inbox/a.mp4', model: 'm', compute: 'local' };
  for (const jobId of Object.keys(WITHOUT_RECORDS)) await enterJob(storage, { jobId, ...listed });
  for (const [id, job] of Object.entries(JOBS)) {
    await Promise.all([workOf(storage, id).create(), jobOf(storage, id).create()]);
    await enterJob(storage, { jobId: id, ...listed });
    await workOf(storage, id).getBlockBlobClient('frames/0000000.ppm').uploadData(Buffer.from('frame'));
    await writeJson(jobOf(storage, id), 'now/stages/split-0.json', {});
    if (job.manifest)
      await writeJson(jobOf(storage, id), MANIFEST, { ...job.manifest, finishedAt: new Date(start).toISOString() });
  }
  await storage.media.getContainerClient('outbox').create();
  await mediaBlob(storage, OUTPUT).uploadData(Buffer.from('delivered'));
});
afterAll(async () => {
  await azurite.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the timer so many days after the jobs. @returns which jobs still have frames, and which have records; and what it says. */
async function retireAfter(days: number, retention: Retention = readConfig(SETTINGS).retention) {
  const said: string[] = [];
  const timer = {
    isPastDue: false,
    schedule: { adjustForDST: true },
    scheduleStatus: { last: '', next: '', lastUpdated: '' },
  };
  await createRetire({
    storage,
    retention,
    stateOf: (_, id) => Promise.resolve(JOBS[id]?.state ?? WITHOUT_RECORDS[id]),
    now: () => start + days * DAY,
  })(timer, new InvocationContext({ logHandler: (_, ...words: unknown[]) => said.push(words.join(' ')) }));
  const left = async (exists: (id: string) => Promise<boolean>) => {
    const there = await Promise.all(ids.map(exists));
    return ids.filter((_, k) => there[k]);
  };
  return {
    frames: await left((id) => workOf(storage, id).exists()),
    records: await left((id) => jobOf(storage, id).exists()),
    said,
  };
}

test('ended jobs lose their frames and then their records when their days are over; running ones and those that were asked for do not', async () => {
  const forEver = { framesDays: 0, recordsDays: 0 };
  expect(await retireAfter(10_000, forEver)).toEqual({ frames: ids, records: ids, said: [] });
  expect(await retireAfter(6)).toEqual({ frames: ids, records: ids, said: [] });
  const alive = ['kept', 'running', 'suspended'];
  const { said, ...left } = await retireAfter(8);
  expect(left).toEqual({ frames: alive, records: ids });
  expect(said.toSorted()).toEqual(
    ['cancelled (cancelled)', 'done (done)', 'failed (failed)', 'lost (unfinished)', 'terminated (unfinished)'].map(
      (job) => `retire: removed the frames of job ${job}`,
    ),
  );
  // What is gone is not removed again every hour.
  expect(await retireAfter(89)).toEqual({ frames: alive, records: ids, said: [] });
  expect((await findEntries(storage)).size).toBe(ids.length + 2);
  expect(await retireAfter(91)).toMatchObject({ frames: alive, records: alive });
  expect([...(await findEntries(storage)).keys()].toSorted()).toEqual([...alive, 'waiting'].toSorted());
  expect((await retireAfter(91)).said).toEqual([]);
  expect((await mediaBlob(storage, OUTPUT).downloadToBuffer()).toString()).toBe('delivered');
});

test('claims to new media go after thirty days, when nothing tells of it any more', async () => {
  const event = {
    id: 'e',
    account: 'a',
    container: 'inbox',
    name: 'a.mp4',
    etag: '0x1',
    time: '',
    bytes: 1,
    type: '',
    api: '',
  };
  await claimVersion(storage, event);
  await retireAfter(29);
  expect(await readClaim(storage, claimId(event))).toBeDefined();
  await retireAfter(31);
  expect(await readClaim(storage, claimId(event))).toBeUndefined();
});

test.each(['-1', '1.5', 'week', '1e9'])('KEEP_FRAMES_DAYS cannot be %s', (text) => {
  expect(() => readConfig({ ...SETTINGS, KEEP_FRAMES_DAYS: text })).toThrow(
    /KEEP_FRAMES_DAYS must be a whole number of days, or 0/,
  );
});
