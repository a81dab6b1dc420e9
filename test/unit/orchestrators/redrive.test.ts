import { expect, test } from 'vitest';
import type { PublishedStatus } from '../../../src/job/progress.js';
import { planBatches } from '../../../src/job/plan.js';
import { parseSpec } from '../../../src/job/spec.js';
import { scoreJob } from '../../../src/orchestrators/score-job.js';
import { scoreLane } from '../../../src/orchestrators/score-lane.js';
import { sleepersOf } from '../../../src/orchestrators/sleepers.js';
import { type Call, drive, ok } from '../../support/drive.js';
import { fakeContext } from '../../support/fake-context.js';

const spec = parseSpec(
  JSON.stringify({ input: { video: 'inbox/coast.mp4' }, model: 'starry-night', batch: { size: 42 } }),
);

/** Runs a job for the second time, whose first run had the batches 0 to 3. */
function secondRun(findLost: object, more: object = {}) {
  let looks = 0;
  const answers: Record<string, (call: Call) => unknown> = {
    prepareJob: () =>
      ok({ expectedItems: 170, parallel: 2, splitChunks: 1, delivers: 'video', enlarged: 4, warnings: [] }),
    splitVideo: () => ok({ frames: 168, encodeChunks: 1 }),
    scoreLane: () => ({ failed: 0, missing: 0, message: '' }),
    findLost: () => ok((looks += 1) === 1 ? findLost : { batches: [], message: '', accounted: 168 }),
    stitchVideo: () => ok({ output: 'outbox/coast.mp4', bytes: 1000 }),
    finishJob: () =>
      ok({ end: { reason: 'done', blame: 'user', message: '' }, done: 168, failed: 0, attempts: 1, warnings: [] }),
  };
  const input = { jobId: 'coast-abcd2345', spec, run: 2, firstBatch: 4, ...more };
  return drive(scoreJob.run, input, (call) => answers[call.type === 'timer' ? '' : call.name]?.(call));
}

const names = (calls: Call[]) => calls.flatMap((call) => ('name' in call ? [call.name] : []));

test('a second run scores the batches that are not complete, under ids and numbers of its own', () => {
  const { calls, customStatus } = secondRun({ batches: [6], message: 'gone', accounted: 126 });
  const lanes = calls.filter((call) => call.type === 'sub-orchestrator');
  expect(lanes).toMatchObject([
    { id: 'coast-abcd2345-run-2-lane-00', input: { only: [6], run: 2, plan: { firstBatch: 4, batches: 4 } } },
  ]);
  expect(customStatus).toMatchObject({ run: 2, adopted: { batches: 3, items: 126 }, only: [6] });
});

test('a second run tells from its beginning what earlier runs have scored, also of batches that are not complete', () => {
  const { context, customStatus } = fakeContext(
    { jobId: 'coast-abcd2345', spec, run: 2, firstBatch: 4, kept: { items: 168, done: 150 } },
    Date.now,
  );
  scoreJob.run(context).next();
  expect(customStatus()).toMatchObject({ items: 168, adopted: { done: 150 }, stages: [{ stage: 'prepare' }] });
  const { customStatus: last } = secondRun({ batches: [6], message: 'gone', accounted: 126, done: 150 });
  expect(last).toMatchObject({ adopted: { batches: 3, items: 126, done: 150 } });
});

test('whatever a second run calls is told that it belongs to it', () => {
  const { calls } = secondRun({ batches: [6], message: 'gone', accounted: 126 });
  const activities = calls.filter((call) => call.type === 'activity');
  expect(activities.map(({ name, input }) => [name, input.run])).toEqual(
    ['prepareJob', 'splitVideo', 'findLost', 'findLost', 'stitchVideo', 'finishJob'].map((name) => [name, 2]),
  );
});

test('a second run with nothing left to score goes on with its output', () => {
  const { calls, customStatus } = secondRun({ batches: [], message: '', accounted: 168 });
  expect(names(calls)).toEqual(['prepareJob', 'splitVideo', 'findLost', 'findLost', 'stitchVideo', 'finishJob']);
  const { stages } = customStatus as PublishedStatus;
  expect(stages.map(({ stage }) => stage)).toEqual(['prepare', 'split', 'stitch', 'finish']);
});

test('a second run looks at every batch when more are incomplete than can be named', () => {
  const { calls, customStatus } = secondRun({ batches: [4, 5], message: 'gone', accounted: 0, rest: 2 });
  expect(calls.filter((call) => call.type === 'sub-orchestrator').map(({ input }) => input.only)).toEqual([
    undefined,
    undefined,
  ]);
  expect(customStatus).not.toHaveProperty('adopted');
});

test('the lane of a second run hands its run on to its batches', () => {
  const plan = planBatches(168, 42, 2, 1, 4);
  const { calls } = drive(scoreLane.run, { jobId: 'coast-abcd2345', lane: 1, plan, retry: spec.retry, run: 2 }, () => ({
    failed: 0,
    missing: 0,
    message: '',
  }));
  expect(calls).toMatchObject([
    { input: { batch: 5, first: 42, count: 42, run: 2 } },
    { input: { batch: 7, first: 126, count: 42, run: 2 } },
  ]);
});

test('the orchestrations of a second run are woken by their own ids', () => {
  const plan = planBatches(100, 10, 2, 1, 20);
  const stages = [{ stage: 'score' as const, startedAt: '' }];
  expect(sleepersOf('coast', { run: 2, stages, plan }, [])).toEqual([
    'coast',
    'coast-run-2-lane-00-batch-0020',
    'coast-run-2-lane-00-batch-0020-again-1',
    'coast-run-2-lane-01-batch-0021',
    'coast-run-2-lane-01-batch-0021-again-1',
  ]);
});
