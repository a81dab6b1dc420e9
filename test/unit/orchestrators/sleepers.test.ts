import { expect, test } from 'vitest';
import { planBatches } from '../../../src/job/plan.js';
import type { PublishedStatus, SettledCounts, Stage } from '../../../src/job/progress.js';
import { sleepersOf } from '../../../src/orchestrators/sleepers.js';

const plan = planBatches(100, 10, 2);
const published = (stage: Stage): PublishedStatus => ({
  stages: [{ stage, startedAt: '2026-01-01T00:00:00.000Z' }],
  plan,
});
const settled = (batch: number, state: SettledCounts['state']): SettledCounts => ({
  batch,
  attempt: 1,
  done: 0,
  failed: 0,
  state,
});

test('of a job that scores, the batch that each lane is at may sleep', () => {
  const batches = [settled(0, 'done'), settled(2, 'failed'), settled(4, 'retrying'), settled(1, 'stopped')];
  expect(sleepersOf('coast', published('score'), batches)).toEqual([
    'coast',
    'coast-lane-00-batch-0004',
    'coast-lane-00-batch-0004-again-1',
    'coast-lane-01-batch-0003',
    'coast-lane-01-batch-0003-again-1',
  ]);
});

test('of a run that leaves some batches alone, a lane is at none of them', () => {
  const status = { ...published('score'), run: 2, only: [3, 6, 8] };
  const lane = (index: number, batch: number) => `coast-run-2-lane-0${index}-batch-000${batch}`;
  expect(sleepersOf('coast', status, [settled(6, 'done')])).toEqual([
    'coast',
    ...[lane(0, 8), lane(1, 3)].flatMap((id) => [id, `${id}-again-1`]),
  ]);
});

test('of a video that is split or stitched, the lanes of its chunks may sleep, and else the job alone', () => {
  expect(sleepersOf('coast', published('split'), [])).toContain('coast-splitChunk-3');
  expect(sleepersOf('coast', published('stitch'), [])).toContain('coast-encodeChunk-0');
  expect(sleepersOf('coast', published('prepare'), [])).toEqual(['coast']);
  expect(sleepersOf('coast', undefined, [])).toEqual(['coast']);
});
