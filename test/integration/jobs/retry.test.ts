import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { parseLogLine } from '../../../src/container-contract/log-line.js';
import type { AttemptResult } from '../../../src/container-contract/result.js';
import { itemName } from '../../../src/container-contract/places.js';
import {
  containerName,
  jobContainer,
  MANIFEST,
  NOW_PREFIX,
  progressBlob,
  resultBlob,
} from '../../../src/job-store/layout.js';
import { checkManifest } from '../../support/manifest.js';
import { runCli } from '../../support/cli.js';
import { makeClip } from '../../support/clip.js';
import { killHalfWay, scoredVersions } from '../../support/killed-scorer.js';
import { processesWith } from '../../support/processes.js';
import { useStack } from '../../support/stack.js';
import { until } from '../../support/wait.js';

const stack = useStack();
const BATCH = 12;
const FRAMES = 2 * BATCH;

let video = '';
beforeAll(async () => {
  const clip = makeClip(path.join(stack.folder, 'clip.mp4'), { size: '240x136', rate: String(BATCH) });
  video = await stack.client.upload('video', clip);
});

const start = () =>
  stack.client.start({
    input: { video },
    model: 'starry-night',
    output: { keepFrames: true },
    batch: { size: BATCH, maxParallel: 2, pack: 4, splitStragglers: false },
    retry: { maxAttempts: 2, firstDelaySeconds: 0 },
  });

test('a killed scorer is followed by one that scores the missing items only, and other batches are not touched', async () => {
  const id = await start();
  const stored = await killHalfWay(stack, id, { batch: 0, size: BATCH });
  expect(await stack.ended(id)).toMatchObject({
    state: 'done',
    items: { total: FRAMES, done: FRAMES, failed: 0 },
    batches: { total: 2, done: 2, failed: 0 },
  });
  const final = await scoredVersions(stack, id);
  expect(final.size).toBe(FRAMES);
  for (const [index, version] of stored) expect(final.get(index)).toBe(version);

  const container = stack.storage.getContainerClient(jobContainer(id));
  const result = async (batch: number, attempt: number) => {
    const bytes = await container.getBlobClient(resultBlob(batch, attempt)).downloadToBuffer();
    return JSON.parse(bytes.toString()) as AttemptResult;
  };
  const second = await result(0, 2);
  const storedNames = [...stored.keys()].map(itemName);
  expect(second.done.filter((name) => storedNames.includes(name))).toEqual([]);
  expect(second.done.length).toBeGreaterThan(0);
  expect(second.done.length).toBeLessThanOrEqual(BATCH - stored.size);

  const { code, stdout } = await runCli(['logs', id, '--follow', '--json', '--url', stack.url]);
  expect(code).toBe(0);
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => parseLogLine(line));
  expect(lines.map((line) => `${line?.batch}.${line?.attempt} ${line?.level} ${line?.message}`)).toEqual([
    expect.stringMatching(`^0\\.1 info batch 0, attempt 1: ${BATCH} items`),
    expect.stringMatching(/^0\.1 info model loaded on cpu/),
    '0.1 error The container has ended: the scorer was killed by SIGKILL.',
    expect.stringMatching(`^0\\.2 info batch 0, attempt 2: ${second.done.length} items?`),
    expect.stringMatching(/^0\.2 info model loaded on cpu/),
    expect.stringMatching(/^0\.2 info \d+ items? of an earlier container that died (is|are) scored one by one first/),
    `0.2 info completed: ${second.done.length} scored, 0 skipped, 0 failed`,
    expect.stringMatching(`^1\\.1 info batch 1, attempt 1: ${BATCH} items`),
    expect.stringMatching(/^1\.1 info model loaded on cpu/),
    `1.1 info completed: ${BATCH} scored, 0 skipped, 0 failed`,
  ]);

  const other = await result(1, 1);
  expect(other).toMatchObject({ outcome: 'completed', skipped: [], failed: [] });
  expect(other.done).toHaveLength(BATCH);
  const manifest = checkManifest(await container.getBlobClient(MANIFEST).downloadToBuffer());
  const [first, again] = manifest.batches[0]?.attempts ?? [];
  expect(first).toMatchObject({
    container: containerName(id, 0, 1),
    compute: 'local',
    end: 'failed',
    blame: 'attempt',
    message: 'the scorer was killed by SIGKILL',
    watchEnd: 'ended',
  });
  expect(first).not.toHaveProperty('scorer');
  expect(again).toMatchObject({ end: 'complete', scorer: 'completed', scored: second.done.length });
  const scored = (first?.scored ?? 0) + second.done.length + BATCH;
  // Of a scorer that was killed less may be known than it has done.
  const all = Math.max(scored, 2 * BATCH);
  expect(manifest.scorings).toEqual({ all, wasted: all - 2 * BATCH });
  expect(manifest.totals).toMatchObject({ done: 2 * BATCH, failed: 0, givenUp: 0, neverReached: 0 });
  expect(manifest.containerSeconds).toBeGreaterThan(0);
  const [killed, after] = [first?.phases, again?.phases];
  // The app knows when the container has ended; before that, the scorer had been silent for a while.
  expect(lines[2]?.time).toBe(killed?.endedAt);
  expect(killed?.split?.unknown).toBeGreaterThan(0);
  expect(after?.split?.unknown).toBeUndefined();
  expect((await stack.client.status(id)).containerTime).toEqual(manifest.containerTime);

  const attempts: string[] = [];
  for await (const { name } of container.listBlobsFlat({ prefix: `${NOW_PREFIX}progress/` })) attempts.push(name);
  expect(attempts).toEqual([progressBlob(0, 1), progressBlob(0, 2), progressBlob(1, 1)]);
});

test('a cancelled job stops its scorers and ends as cancelled', async () => {
  const id = await start();
  await until('the scorers', () => (processesWith(jobContainer(id)).length === 2 ? true : undefined));
  await stack.client.cancel(id);
  expect((await stack.ended(id)).state).toBe('cancelled');
  expect(processesWith(jobContainer(id))).toEqual([]);
});
