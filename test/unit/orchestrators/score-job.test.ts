import { describe, expect, test } from 'vitest';
import type { PublishedStatus } from '../../../src/job/progress.js';
import { parseSpec } from '../../../src/job/spec.js';
import type { BatchResult } from '../../../src/orchestrators/score-batch.js';
import { chunkLane } from '../../../src/orchestrators/chunk-lane.js';
import { itemLane } from '../../../src/orchestrators/item-lane.js';
import { scoreJob } from '../../../src/orchestrators/score-job.js';
import { scoreLane } from '../../../src/orchestrators/score-lane.js';
import { type Call, drive, expectPauses, ok } from '../../support/drive.js';
import { fakeContext } from '../../support/fake-context.js';

const spec = (more: object = {}) =>
  parseSpec(JSON.stringify({ input: { video: 'inbox/coast.mp4' }, model: 'starry-night', ...more }));
const lane = (more: Partial<BatchResult> = {}): BatchResult => ({
  failed: 0,
  missing: 0,
  message: '',
  ...more,
});

const standard: Record<string, (call: Call) => unknown> = {
  prepareJob: () =>
    ok({ expectedItems: 170, parallel: 2, splitChunks: 1, delivers: 'video', enlarged: 4, warnings: [] }),
  chunkLane: () => ({}),
  splitVideo: () => ok({ frames: 168, encodeChunks: 1 }),
  scoreLane: () => lane(),
  findLost: () => ok({ batches: [], message: '' }),
  stitchVideo: () => ok({ output: 'outbox/coast.mp4', bytes: 1000 }),
  finishJob: (call) => finished(call, 168),
};

/** The job ends as it asks for. */
function finished(call: Call, done: number) {
  if (call.type !== 'activity') return undefined;
  const { outcome: reason, blame, message } = call.input;
  return ok({ end: { reason, blame, message }, done, failed: 0, attempts: 4, warnings: ['odd'] });
}

function run(answers: Partial<Record<string, (call: Call) => unknown>> = {}, more: object = {}) {
  const below: Call[] = [];
  const answer = (call: Call): unknown => {
    const name = call.type === 'timer' ? '' : call.name;
    if (call.type !== 'sub-orchestrator' || name !== itemLane.name) return (answers[name] ?? standard[name])?.(call);
    const { result, calls } = drive(itemLane.run, call.input, answer);
    below.push(...calls);
    return result;
  };
  const driven = drive(scoreJob.run, { jobId: 'coast-abcd2345', spec: spec(more) }, answer);
  return { ...driven, below };
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
  let status: PublishedStatus | undefined;
  const { context, customStatus } = fakeContext({ jobId: 'coast-abcd2345', spec: spec(more) }, Date.now);
  try {
    drive(
      () => scoreJob.run(context),
      {},
      (call) => (call.type === 'timer' ? undefined : wrapped[call.name]?.(call)),
    );
  } catch (error) {
    message = (error as Error).message;
    status = customStatus() as PublishedStatus;
  }
  const finish = calls.find((call) => call.type === 'activity' && call.name === 'finishJob');
  return {
    message,
    status,
    names: calls.map((call) => (call.type === 'timer' ? 'timer' : call.name)),
    finish: finish?.type === 'activity' ? finish.input : undefined,
  };
}

test('a job that is to be told of is over before that is done, and says in the end where it could not be told', () => {
  const notify = [{ webhook: 'https://example.com/hook', secret: 'MAIN' }];
  const seen: unknown[] = [];
  const { context, customStatus } = fakeContext({ jobId: 'coast-abcd2345', spec: spec({ notify }) }, Date.now);
  drive(
    () => scoreJob.run(context),
    {},
    (call) => {
      if (call.type === 'timer') return undefined;
      if (call.name === 'finishJob') return ok({ ...finished(call, 168)?.value, notify });
      if (call.name !== 'notify') return standard[call.name]?.(call);
      seen.push(structuredClone(customStatus()));
      return { ok: false, failure: { blame: 'user', message: 'The webhook at example.com answered 404.' } };
    },
  );
  expect(seen).toMatchObject([{ over: { output: 'outbox/coast.mp4' } }]);
  expect((customStatus() as PublishedStatus).warnings?.at(-1)).toMatch(/could not be told: The webhook/);
});

test('a job hands on where it was started in its trace, so that nothing of it is told elsewhere', () => {
  const traceParent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
  const handedOn = new Map<string, unknown>();
  drive(scoreJob.run, { jobId: 'coast-abcd2345', spec: spec(), traceParent }, (call) => {
    if (call.type === 'timer') return undefined;
    if (call.type === 'activity') handedOn.set(call.name, call.input.traceParent);
    return standard[call.name]?.(call);
  });
  expect(handedOn.get('prepareJob')).toBe(traceParent);
  expect(handedOn.get('finishJob')).toBe(traceParent);
});

describe('a job', () => {
  test('that was not started by the app fails before any activity, with a sentence that says how to start one', () => {
    const wrong = [null, 'coast', 7, [[]], {}, { x: 1 }, { jobId: 'coast-abcd2345' }, { jobId: '../x', spec: spec() }];
    for (const input of wrong)
      expect(() =>
        drive(scoreJob.run, input, (call) => {
          throw new Error(`${call.type} was called`);
        }),
      ).toThrow(/not started by the app.*POST \/api\/jobs/);
  });

  test('goes through its stages in order and returns where the video is', () => {
    const { result, calls, customStatus } = run();
    expect(result).toEqual({ output: 'outbox/coast.mp4', bytes: 1000, items: 168, failed: 0, attempts: 4 });
    expect(calls.map((call) => (call.type === 'timer' ? 'timer' : call.name))).toEqual([
      'prepareJob',
      'splitVideo',
      'scoreLane',
      'scoreLane',
      'findLost',
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

  test('publishes what it does in words and in times that people can read', () => {
    const { customStatus } = run();
    const { now, stages } = customStatus as PublishedStatus;
    expect(now).toBe('done with 168 items');
    expect(stages[0]).toMatchObject({
      stage: 'prepare',
      startedAt: expect.stringMatching(/^2026-01-01T.*Z$/) as string,
    });
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

  test('is stitched without what tolerated batches have left behind, and not without more', () => {
    const answers = { scoreLane: () => lane({ missing: 30, givenUp: 1, message: 'Batch 1: lost' }) };
    expect(run(answers, { tolerate: { failedBatches: 2 } }).result.output).toBe('outbox/coast.mp4');
    expect(fail(answers, { tolerate: { failedBatches: 1 } }).message).toBe(
      '2 batches were given up with 60 items missing and tolerate.failedBatches is 1 (Batch 1: lost).',
    );
    expect(fail(answers, { tolerate: { failedPercent: 35 } }).message).toMatch(
      /^60 of 168 items .*failedPercent is 35/,
    );
  });

  test('whose platform was given up for one batch fails as the mistake of nobody', () => {
    const stop = { reason: 'failed', blame: 'platform', message: 'Batch 3: the platform failed.' } as const;
    const { message, status, finish } = fail({ scoreLane: () => lane({ missing: 40, message: 'x', stop }) });
    expect(message).toBe(stop.message);
    expect(status?.error).toEqual({ kind: 'platform', message });
    expect(finish).toMatchObject({ outcome: 'failed', blame: 'platform', message });
  });

  test('with a lane that the host fails again and again is finished, and fails as the mistake of nobody', () => {
    const { message, status, finish } = fail({
      scoreLane: () => {
        throw new Error("Orchestrator function 'scoreLane' failed: odd. \n at Core");
      },
    });
    expect(message).toBe('The Functions host ended scoreLane: odd.');
    expect(status?.error?.kind).toBe('platform');
    expect(finish).toMatchObject({ outcome: 'failed', message });
  });

  test('goes on when the host has failed a lane and its activities once each', () => {
    const seen = new Set<string>();
    const dies = (call: Call) => {
      const key =
        call.type === 'timer'
          ? ''
          : `${call.name} ${call.type === 'sub-orchestrator' ? JSON.stringify(call.input.lane) : ''}`;
      if (seen.has(key)) return standard[key.split(' ')[0] ?? '']?.(call);
      seen.add(key);
      throw new Error('node exited with code 137 (0x89) \n {}');
    };
    const { result } = run(Object.fromEntries(Object.keys(standard).map((name) => [name, dies])));
    expect(result.output).toBe('outbox/coast.mp4');
    expect(seen.size).toBe(7);
  });

  test('that somebody cancelled before it ended is cancelled, whatever it had reached', () => {
    const end = { reason: 'cancelled', blame: 'user', message: 'The job was cancelled.' };
    const finishJob = () => ok({ end, done: 168, failed: 0, attempts: 4, warnings: [] });
    const done = fail({ finishJob });
    expect(done.message).toBe('The job was cancelled.');
    expect(done.finish).toMatchObject({ outcome: 'done' });
    expect(done.status).toMatchObject({ cancelled: true, error: { kind: 'user', message: 'The job was cancelled.' } });
    const stopped = () => lane({ missing: 40, stop: { reason: 'cancelled', blame: 'user', message: 'x' } });
    expect(fail({ finishJob, scoreLane: stopped })).toMatchObject({ status: { cancelled: true } });
    const split = () => ({ ok: false, failure: { blame: 'user', message: 'The job was cancelled.' } });
    expect(fail({ finishJob, splitVideo: split })).toMatchObject({ status: { cancelled: true } });
  });

  test('that cannot be finished tries so for long and then says why', () => {
    const { message, names, status } = fail({
      finishJob: () => ({ ok: false, failure: { blame: 'platform', message: 'Storage is away.' } }),
    });
    expect(message).toBe('Storage is away.');
    expect(status?.error?.kind).toBe('platform');
    expect(names.filter((name) => name === 'finishJob')).toHaveLength(12);
  });
});

describe('a job whose outputs go away', () => {
  const lostOnce = (...lost: number[][]) => {
    const rounds = [...lost];
    return () => {
      const batches = rounds.shift() ?? [];
      const isLost = batches.length > 0;
      return ok({ batches, items: isLost ? 2 : 0, message: isLost ? 'The outputs of 2 items have gone.' : '' });
    };
  };
  const lanes = (calls: Call[]) =>
    calls.flatMap((call) => (call.type === 'sub-orchestrator' ? [[call.id, call.input.only]] : []));
  const gone = { ok: false, failure: { blame: 'item', message: 'The scored frame 7 is gone.' } };

  test('scores those batches again, and no other, before it makes the result', () => {
    const { result, calls } = run({ findLost: lostOnce([1, 3]) }, { batch: { size: 42 } });
    expect(result.output).toBe('outbox/coast.mp4');
    expect(lanes(calls).slice(2)).toEqual([['coast-abcd2345-round-1-lane-01', [1, 3]]]);
  });

  test('looks again when one goes away while the result is made', () => {
    let stitches = 0;
    const stitchVideo = () => ((stitches += 1) === 1 ? gone : ok({ output: 'outbox/coast.mp4', bytes: 1 }));
    const { result, calls, customStatus } = run({ findLost: lostOnce([], [0]), stitchVideo });
    expect(result.output).toBe('outbox/coast.mp4');
    expect(lanes(calls).at(-1)).toEqual(['coast-abcd2345-round-2-lane-00', [0]]);
    const { stages } = customStatus as PublishedStatus;
    expect(stages.map(({ stage }) => stage)).toEqual([
      'prepare',
      'split',
      'score',
      'stitch',
      'score',
      'stitch',
      'finish',
    ]);
  });

  test('makes again what was left by the split, and refuses a video that is not the same any more', () => {
    let stitches = 0;
    const stitchVideo = () => ((stitches += 1) === 1 ? gone : ok({ output: 'outbox/coast.mp4', bytes: 1 }));
    expect(run({ stitchVideo }).calls.flatMap((call) => ('name' in call ? [call.name] : []))).toEqual([
      'prepareJob',
      'splitVideo',
      'scoreLane',
      'scoreLane',
      'findLost',
      'stitchVideo',
      'splitVideo',
      'findLost',
      'stitchVideo',
      'finishJob',
    ]);
    stitches = 0;
    let splits = 0;
    const splitVideo = () => ok({ frames: 168 - splits++, encodeChunks: 1 });
    expect(fail({ stitchVideo, splitVideo }).message).toMatch(/input .* has changed/);
  });

  test('tells the end of the job what it has made again, and nothing where that was nothing', () => {
    const healed = (calls: Call[]) =>
      calls.flatMap((call) => (call.type === 'activity' && call.name === 'finishJob' ? [call.input.healed] : []));
    let stitches = 0;
    const stitchVideo = () => ((stitches += 1) === 1 ? gone : ok({ output: 'outbox/coast.mp4', bytes: 1 }));
    expect(healed(run({ findLost: lostOnce([1, 3]) }, { batch: { size: 42 } }).calls)).toEqual([{ scoredAgain: 2 }]);
    expect(healed(run({ findLost: lostOnce([], [0]), stitchVideo }).calls)).toEqual([{ scoredAgain: 2 }]);
    stitches = 0;
    expect(healed(run({ stitchVideo }).calls)).toEqual([{ scoredAgain: 0, madeAgain: 'The scored frame 7 is gone.' }]);
    expect(healed(run().calls)).toEqual([undefined]);
  });

  test('fails by name when they go away again and again', () => {
    const { message, names } = fail({ findLost: lostOnce([0], [0], [0]) });
    expect(message).toBe('The outputs of 2 items have gone.');
    expect(names.filter((name) => name === 'scoreLane')).toHaveLength(4);
    expect(names).not.toContain('stitchVideo');
    expect(fail({ stitchVideo: () => gone }).message).toBe('The scored frame 7 is gone.');
  });
});

describe('a job with images that are frames', () => {
  const input = { images: 'inbox/shots/', frameRate: 24 };
  const answers = (items: number) => ({
    prepareJob: () =>
      ok({ expectedItems: items, parallel: 2, splitChunks: 0, delivers: 'video', enlarged: 1, warnings: [], pack: 8 }),
    measureFrames: () => ok({ encodeChunks: 1 }),
    finishJob: (call: Call) => finished(call, items),
  });

  test('measures them before any is scored, and makes a video of them', () => {
    const { result, calls, customStatus } = run(answers(168), { input });
    expect(result).toMatchObject({ output: 'outbox/coast.mp4', items: 168 });
    expect(calls.map((call) => (call.type === 'timer' ? 'timer' : call.name))).toEqual([
      'prepareJob',
      'measureFrames',
      'scoreLane',
      'scoreLane',
      'findLost',
      'stitchVideo',
      'finishJob',
    ]);
    const { stages } = customStatus as PublishedStatus;
    expect(stages.map(({ stage }) => stage)).toEqual(['prepare', 'list', 'score', 'stitch', 'finish']);
  });

  test('measures a million in ranges that cover them once', () => {
    const { calls, below } = run(answers(1_000_001), { input });
    const ranges = [...calls, ...below].flatMap((call) =>
      call.type === 'activity' && call.name === 'measureFrames' ? [call.input] : [],
    );
    const ends = ranges.map(({ first, count }) => Number(first) + Number(count));
    expect(ranges.map(({ first }) => first)).toEqual([0, ...ends.slice(0, -1)]);
    expect(ends.at(-1)).toBe(1_000_001);
  });

  test('scores none when one has another size', () => {
    const measureFrames = () => ({ ok: false, failure: { blame: 'user', message: 'The frames differ.' } });
    expect(() => run({ ...answers(9), measureFrames, scoreLane: undefined }, { input })).toThrow('The frames differ.');
  });
});

describe('a job with images', () => {
  const images = { input: { images: 'inbox/holiday/' }, output: undefined };
  const answers = (items: number) => ({
    prepareJob: () => ok({ expectedItems: 0, parallel: 2, delivers: 'images', warnings: ['a'] }),
    listImages: () => ok({ items, warnings: ['b'] }),
    collectItems: () => ok({ bytes: 10 }),
    collectPredictions: () => ok({ output: 'outbox/holiday/', bytes: 5 }),
    finishJob: (call: Call) => finished(call, items),
  });

  test('is listed and collected, and returns where its outputs are', () => {
    const { result, calls, customStatus } = run(answers(168), images);
    expect(result).toEqual({ output: 'outbox/holiday/', bytes: 15, items: 168, failed: 0, attempts: 4 });
    expect(calls.map((call) => (call.type === 'timer' ? 'timer' : call.name))).toEqual([
      'prepareJob',
      'listImages',
      'scoreLane',
      'scoreLane',
      'findLost',
      'collectItems',
      'collectPredictions',
      'finishJob',
    ]);
    const { stages, warnings, items } = customStatus as PublishedStatus;
    expect(stages.map(({ stage }) => stage)).toEqual(['prepare', 'list', 'score', 'collect', 'finish']);
    expect(warnings).toEqual(['a', 'b', 'odd']);
    expect(items).toBe(168);
  });

  test('is collected in ranges that cover a million items once, in few and small calls', () => {
    const { calls, below } = run(answers(1_000_001), images);
    const ranges = below.flatMap((call) =>
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

describe('a video whose frames become predictions', () => {
  const prepared = (delivers: string) => ({
    prepareJob: () => ok({ expectedItems: 170, parallel: 2, splitChunks: 1, delivers, warnings: [] }),
    collectItems: () => ok({ bytes: 10 }),
    collectPredictions: () => ok({ output: 'outbox/coast/', predictions: 'outbox/coast/', bytes: 5 }),
  });
  const ending = (calls: Call[]) => calls.map((call) => (call.type === 'timer' ? '' : call.name)).slice(5);

  test('is collected in place of being stitched', () => {
    const { result, calls, customStatus } = run(prepared('predictions'));
    expect(result).toMatchObject({ output: 'outbox/coast/', predictions: 'outbox/coast/', bytes: 15, items: 168 });
    expect(ending(calls)).toEqual(['collectItems', 'collectPredictions', 'finishJob']);
    const { stages } = customStatus as PublishedStatus;
    expect(stages.map(({ stage }) => stage)).toEqual(['prepare', 'split', 'score', 'collect', 'finish']);
  });

  test('is stitched and collected where they are drawn into it', () => {
    const { result, calls } = run(prepared('video and predictions'));
    expect(result).toMatchObject({ output: 'outbox/coast.mp4', predictions: 'outbox/coast/', bytes: 1015 });
    expect(ending(calls)).toEqual(['stitchVideo', 'collectItems', 'collectPredictions', 'finishJob']);
  });
});

describe('a long video', () => {
  const long = {
    prepareJob: () =>
      ok({ expectedItems: 170, parallel: 2, splitChunks: 3, delivers: 'video', enlarged: 4, warnings: [] }),
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
      'findLost',
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
      ['coast-k3v9q2xa-batch-0000', 0, 2],
      ['coast-k3v9q2xa-batch-0002', 4, 2],
      ['coast-k3v9q2xa-batch-0004', 8, 2],
    ]);
    expect(result).toEqual({ failed: 3, missing: 0, message: '' });
  });

  test('ends at a batch that stops the job', () => {
    const stop = { reason: 'failed', blame: 'user', message: 'no' };
    const { result, calls } = drive(scoreLane.run, input, () => ({ failed: 0, missing: 2, message: 'no', stop }));
    expect(calls).toHaveLength(1);
    expect(result.stop).toEqual(stop);
  });

  test('starts a batch that the host has failed once more, and goes on', () => {
    const { result, calls } = drive(scoreLane.run, input, (call) => {
      if (call.type === 'sub-orchestrator' && call.id === 'coast-k3v9q2xa-batch-0002') throw new Error('odd');
      return { failed: 1, missing: 0, message: '' };
    });
    const started = calls.flatMap((call) => (call.type === 'sub-orchestrator' ? [[call.id, call.input.again]] : []));
    expect(started[2]).toEqual(['coast-k3v9q2xa-batch-0002-again-1', true]);
    expect(result).toEqual({ failed: 3, missing: 0, message: '' });
  });

  test('that was started again itself lets its batches go on with the attempts that may still run', () => {
    const { calls } = drive(scoreLane.run, { ...input, again: true }, () => ({ failed: 0, missing: 0, message: '' }));
    expect(calls.map((call) => 'input' in call && call.input.again)).toEqual([true, true, true]);
  });

  test('ends when the host fails a batch again and again', () => {
    const { result } = drive(scoreLane.run, input, () => {
      throw new Error('odd');
    });
    expect(result).toMatchObject({ missing: 2, stop: { reason: 'failed', blame: 'platform' } });
  });
});
