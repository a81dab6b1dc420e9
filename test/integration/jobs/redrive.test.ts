import path from 'node:path';
import { expect, test } from 'vitest';
import type { RedriveAnswer } from '../../../src/api/jobs.js';
import { jobContainer, MANIFEST, manifestOfRun } from '../../../src/job-store/layout.js';
import type { Manifest } from '../../../src/job-store/manifest.js';
import { makeClip } from '../../support/clip.js';
import { killHalfWay, scoredVersions } from '../../support/killed-scorer.js';
import { useStack } from '../../support/stack.js';

const stack = useStack();
const BATCH = 12;
const FRAMES = 2 * BATCH;

async function redrive(id: string, changes: object = {}): Promise<{ status: number; body: RedriveAnswer }> {
  const response = await fetch(`${stack.url}/api/jobs/${id}/redrive`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(changes),
  });
  return { status: response.status, body: (await response.json()) as RedriveAnswer };
}

async function readManifest(id: string, blob: string): Promise<Manifest> {
  const bytes = await stack.storage.getContainerClient(jobContainer(id)).getBlobClient(blob).downloadToBuffer();
  return JSON.parse(bytes.toString()) as Manifest;
}

test('a job that has failed scores only the rest when it is started again, once however many ask', async () => {
  const clip = makeClip(path.join(stack.folder, 'clip.mp4'), { size: '320x180', rate: String(BATCH) });
  const id = await stack.client.start({
    input: { video: await stack.client.upload('video', clip) },
    model: 'starry-night',
    output: { keepFrames: true },
    batch: { size: BATCH, maxParallel: 2, pack: 4, splitStragglers: false },
    retry: { maxAttempts: 1, firstDelaySeconds: 0 },
  });
  const stored = await killHalfWay(stack, id, { batch: 0, size: BATCH });
  expect((await redrive(id)).status).toBe(409);
  expect(await stack.ended(id)).toMatchObject({ state: 'failed', run: 1 });

  const answers = await Promise.all([
    redrive(id, { batch: { maxParallel: 1 } }),
    redrive(id, { batch: { maxParallel: 1 } }),
  ]);
  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([202, 409]);
  const ended = await stack.ended(id);
  expect(ended).toMatchObject({
    run: 2,
    state: 'done',
    items: { total: FRAMES, done: FRAMES, failed: 0 },
    batches: { total: 2, done: 2 },
  });
  const versions = await scoredVersions(stack, id);
  expect(versions.size).toBe(FRAMES);
  for (const [index, version] of stored) expect(versions.get(index)).toBe(version);

  const [first, second] = [await readManifest(id, manifestOfRun(1)), await readManifest(id, MANIFEST)];
  // The other batch was ended with the job, if it was not done by then.
  const open = first.batches.map(({ done, count }) => (done < count ? 1 : 0));
  const attempts = open.reduce<number>((sum, each) => sum + each, 0);
  expect(second).toMatchObject({ run: 2, outcome: 'done', totals: { done: FRAMES, failed: 0, attempts } });
  expect(second.earlierRuns).toMatchObject([{ run: 1, outcome: 'failed', totals: first.totals }]);
  expect(second.batches.map(({ batch, runs }) => [batch, runs])).toEqual(open.map((runs, k) => [2 + k, runs]));
  const scored = second.batches.flatMap(({ attempts: runs }) => runs.map((each) => each.scored ?? 0));
  expect(scored.reduce((sum, each) => sum + each, 0)).toBe(FRAMES - first.totals.done);
  expect(ended.itemsPerSecond).toBeCloseTo((FRAMES - first.totals.done) / (ended.stages.score ?? 0), 1);

  expect(await redrive(id)).toMatchObject({ status: 200, body: { run: 2, message: /nothing to do/ } });
});

test('only jobs can be started again that there are, with changes that they can have', async () => {
  expect(await redrive('coast-abcd2345')).toMatchObject({ status: 404 });
  expect(await redrive('coast-abcd2345', { model: 'other' })).toMatchObject({
    status: 400,
    body: { error: /"model"/ },
  });
});
