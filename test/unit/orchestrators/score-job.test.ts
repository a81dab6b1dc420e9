import { describe, expect, test } from 'vitest';
import type { PublishedStatus } from '../../../src/job/progress.js';
import { parseSpec } from '../../../src/job/spec.js';
import type { BatchResult } from '../../../src/orchestrators/score-batch.js';
import { chunkLane } from '../../../src/orchestrators/chunk-lane.js';
import { scoreJob } from '../../../src/orchestrators/score-job.js';
import { scoreLane } from '../../../src/orchestrators/score-lane.js';
import { type Call, drive, expectPauses, ok } from '../../support/drive.js';

const spec = (more: object = {}) =>
  parseSpec(JSON.stringify({ input: { video: 'inbox/coast.mp4' }, model: 'starry-night', ...more }));
const lane = (more: Partial<BatchResult> = {}): BatchResult => ({
  failed: 0,
  missing: 0,
  message: '',
  ...more,
});

const standard: Record<string, () => unknown> = {
  prepareJob: () => ok({ expectedItems: 170, parallel: 2, splitChunks: 1, warnings: [] }),
  chunkLane: () => ({}),
  splitVideo: () => ok({ frames: 168, encodeChunks: 1 }),
  scoreLane: () => lane(),
  stitchVideo: () => ok({ output: 'outbox/coast.mp4', bytes: 1000 }),
  finishJob: () => ok({ done: 168, failed: 0, attempts: 4 }),
};

function run(answers: Partial<Record<string, (call: Call) => unknown>> = {}, more: object = {}) {
  return drive(scoreJob.run, { jobId: 'coast-abcd2345', spec: spec(more) }, (call) => {
    const name = call.type === 'timer' ? '' : call.name;
    return (answers[name] ?? standard[name])?.(call);
  });
}

/** The calls and the status of a job that fails. */
function fail(answers: Partial<Record<string, (call: Call) => unknown>>, more: object = {}) {
  const calls: Call[] = [];
  const wrapped = Object.fromEntries(
    Object.keys(standard).map((name) => [
      name,
      (call: Call) => {
        calls.push(call);
        return (answers[name] ?? standard[name])?.(call);
      },
    ]),
  );
  let message = '';
  try {
    run(wrapped, more);
  } catch (error) {
    message = (error as Error).message;
  }
  const finish = calls.find((call) => call.type === 'activity' && call.name === 'finishJob');
  return {
    message,
    names: calls.map((call) => (call.type === 'timer' ? 'timer' : call.name)),
    finish: finish?.type === 'activity' ? finish.input : undefined,
  };
}

describe('a job', () => {
  test('goes through its stages in order and returns where the video is', () => {
    const { result, calls, customStatus } = run();
    expect(result).toEqual({ output: 'outbox/coast.mp4', bytes: 1000, items: 168, failed: 0, attempts: 4 });
    expect(calls.map((call) => (call.type === 'timer' ? 'timer' : call.name))).toEqual([
      'prepareJob',
      'splitVideo',
      'scoreLane',
      'scoreLane',
      'stitchVideo',
      'finishJob',
    ]);
    expect((customStatus as PublishedStatus).stages.map(({ stage }) => stage)).toEqual([
      'prepare',
      'split',
      'score',
      'stitch',
      'finish',
    ]);
  });

  test('fans out as many lanes as the compute allows, with readable ids', () => {
    const { calls } = run();
    expect(calls.flatMap((call) => (call.type === 'sub-orchestrator' ? [call.id] : []))).toEqual([
      'coast-abcd2345-lane-00',
      'coast-abcd2345-lane-01',
    ]);
  });

  test('that cannot be prepared ends with that sentence, splits nothing and is finished as failed', () => {
    const { message, names, finish } = fail({
      prepareJob: () => ({ ok: false, failure: { blame: 'user', message: 'There is no sound in space.' } }),
    });
    expect(message).toBe('There is no sound in space.');
    expect(names).toEqual(['prepareJob', 'finishJob']);
    expect(finish).toMatchObject({ outcome: 'failed', message: 'There is no sound in space.' });
  });

  test('tries again when storage is away for a moment', () => {
    let tries = 0;
    const { result, calls } = run({
      splitVideo: () =>
        (tries += 1) < 3
          ? { ok: false, failure: { blame: 'platform', message: 'away' } }
          : ok({ frames: 168, encodeChunks: 1 }),
    });
    expect(result.items).toBe(168);
    expectPauses(calls, [2, 4]);
  });

  test('is not stitched when more items are missing than it tolerates', () => {
    const { message, names } = fail(
      { scoreLane: () => lane({ failed: 1, missing: 3, message: 'Batch 1: broken' }) },
      { tolerate: { failedItems: 7 } },
    );
    expect(message).toBe('8 items could not be scored and tolerate.failedItems is 7 (Batch 1: broken).');
    expect(names).not.toContain('stitchVideo');
  });

  test('is stitched when the missing items are tolerated', () => {
    expect(
      run({ scoreLane: () => lane({ failed: 1, missing: 3 }) }, { tolerate: { failedItems: 8 } }).result.output,
    ).toBe('outbox/coast.mp4');
  });

  test('that was cancelled is finished as cancelled', () => {
    const { message, finish } = fail({
      scoreLane: () => lane({ missing: 40, stop: { reason: 'cancelled', message: 'The job was cancelled.' } }),
    });
    expect(message).toBe('The job was cancelled.');
    expect(finish).toMatchObject({ outcome: 'cancelled' });
  });
});

describe('a job with images', () => {
  const images = { input: { images: 'inbox/holiday/' }, output: undefined };
  const answers = (items: number) => ({
    prepareJob: () => ok({ expectedItems: 0, parallel: 2, warnings: ['a'] }),
    listImages: () => ok({ items, warnings: ['b'] }),
    collectItems: () => ok({ bytes: 10 }),
    collectPredictions: () => ok({ output: 'outbox/holiday/', bytes: 5 }),
    finishJob: () => ok({ done: items, failed: 0, attempts: 4 }),
  });

  test('is listed and collected, and returns where its outputs are', () => {
    const { result, calls, customStatus } = run(answers(168), images);
    expect(result).toEqual({ output: 'outbox/holiday/', bytes: 15, items: 168, failed: 0, attempts: 4 });
    expect(calls.map((call) => (call.type === 'timer' ? 'timer' : call.name))).toEqual([
      'prepareJob',
      'listImages',
      'scoreLane',
      'scoreLane',
      'collectItems',
      'collectPredictions',
      'finishJob',
    ]);
    const { stages, warnings, items } = customStatus as PublishedStatus;
    expect(stages.map(({ stage }) => stage)).toEqual(['prepare', 'list', 'score', 'collect', 'finish']);
    expect(warnings).toEqual(['a', 'b']);
    expect(items).toBe(168);
  });

  test('is collected in ranges that cover a million items once, in few and small calls', () => {
    const { calls } = run(answers(1_000_001), images);
    const ranges = calls.flatMap((call) =>
      call.type === 'activity' && call.name === 'collectItems' ? [call.input] : [],
    );
    let next = 0;
    for (const { first, count } of ranges) {
      expect(first).toBe(next);
      next += Number(count);
    }
    expect(next).toBe(1_000_001);
    expect(ranges).toHaveLength(201);
    for (const call of calls) expect(JSON.stringify(call).length).toBeLessThan(1000);
  });

  test('tries a range again when storage is away for a moment', () => {
    let tries = 0;
    const away = { ok: false, failure: { blame: 'platform', message: 'away' } };
    const { result } = run(
      { ...answers(7000), collectItems: () => ((tries += 1) < 3 ? away : ok({ bytes: 1 })) },
      images,
    );
    expect(tries).toBe(4);
    expect(result.bytes).toBe(7);
  });

  test('without pictures ends with that sentence', () => {
    const listImages = () => ({ ok: false, failure: { blame: 'user', message: 'There is no picture.' } });
    expect(() => run({ ...answers(1), listImages }, images)).toThrow('There is no picture.');
  });
});

describe('a long video', () => {
  const long = {
    prepareJob: () => ok({ expectedItems: 170, parallel: 2, splitChunks: 3, warnings: [] }),
    splitVideo: () => ok({ frames: 168, encodeChunks: 5 }),
  };

  test('is split and encoded by chunks, some at a time, before the parts are put together', () => {
    const { calls } = run(long);
    expect(calls.map((call) => (call.type === 'timer' ? 'timer' : call.name))).toEqual([
      'prepareJob',
      ...Array.from({ length: 3 }, () => 'chunkLane'),
      'splitVideo',
      'scoreLane',
      'scoreLane',
      ...Array.from({ length: 4 }, () => 'chunkLane'),
      'stitchVideo',
      'finishJob',
    ]);
    const lanes = calls.flatMap((call) =>
      call.type === 'sub-orchestrator' && call.name === 'chunkLane' ? [call.id] : [],
    );
    expect(lanes.slice(2, 4)).toEqual(['coast-abcd2345-splitChunk-2', 'coast-abcd2345-encodeChunk-0']);
  });

  test('fails with the sentence of the chunk that failed', () => {
    const broken = () => ({ failure: { blame: 'user', message: 'The disk is full.' } });
    expect(fail({ ...long, chunkLane: broken }).message).toBe('The disk is full.');
  });

  test('has lanes that handle every so many chunks, and again when the platform fails', () => {
    const input = { activity: 'splitChunk', chunks: 9, lane: 1, lanes: 4, jobId: 'coast' };
    let tries = 0;
    const { result, calls } = drive(chunkLane.run, input, () => {
      tries += 1;
      return tries === 2 ? { ok: false, failure: { blame: 'platform', message: 'away' } } : ok({});
    });
    expect(calls.map((call) => (call.type === 'activity' ? call.input.chunk : 'pause'))).toEqual([1, 5, 'pause', 5]);
    expect(result).toEqual({});
  });
});

describe('a lane', () => {
  const plan = { items: 10, size: 2, batches: 5, lanes: 2 };
  const input = { jobId: 'coast-abcd2345', lane: 0, plan, retry: spec().retry };

  test('runs every second batch, one after another, and adds them up', () => {
    const { result, calls } = drive(scoreLane.run, input, () => ({ failed: 1, missing: 0, message: '' }));
    expect(
      calls.map((call) => (call.type === 'sub-orchestrator' ? [call.id, call.input.first, call.input.count] : [])),
    ).toEqual([
      ['coast-abcd2345-batch-0000', 0, 2],
      ['coast-abcd2345-batch-0002', 4, 2],
      ['coast-abcd2345-batch-0004', 8, 2],
    ]);
    expect(result).toEqual({ failed: 3, missing: 0, message: '' });
  });

  test('ends at a batch that stops the job', () => {
    const stop = { reason: 'failed', message: 'no' };
    const { result, calls } = drive(scoreLane.run, input, () => ({ failed: 0, missing: 2, message: 'no', stop }));
    expect(calls).toHaveLength(1);
    expect(result.stop).toEqual(stop);
  });
});
