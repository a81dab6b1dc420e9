import { expect, test } from 'vitest';
import { fewWarnings, shorten } from '../../../src/job/failure.js';
import { parseSpec } from '../../../src/job/spec.js';
import { ok } from '../../support/drive.js';
import { type Kept, runHub } from '../../support/whole-hub.js';

const MOST_EVENTS = 300;
const MOST_BYTES = 4096;

const JOB = 'coast-abcd2345';
/** Names as long as they may be, each letter of which takes three bytes. */
const LONG = '海'.repeat(280);
/** What a program prints that reads a file as text which is none. */
const NOISE = '\u0001\u0007😀'.repeat(400);

interface Way {
  items?: number;
  size?: number;
  lanes?: number;
  spec?: object;
  input?: object;
  answers?: Record<string, (input: Record<string, number>) => unknown>;
}

function run({ items = 40, size = 4, lanes = 2, spec = {}, input = {}, answers = {} }: Way): Kept[] {
  const usual: NonNullable<Way['answers']> = {
    prepareJob: () =>
      ok({ expectedItems: items, parallel: lanes, splitChunks: 1, delivers: 'images', enlarged: 0, warnings: [] }),
    listImages: () => ok({ items, warnings: [] }),
    launchBatch: ({ attempt, count }) => ok({ attempt, remaining: count, stopped: false }),
    observeBatch: () => ok({ watchEnd: 'ended', pollSeconds: 1 }),
    settleBatch: () => ok({ failed: 0, missing: 0, ended: { end: 'complete', message: '' } }),
    giveUpBatch: ({ count }) => ok({ failed: 0, missing: count }),
    findLost: () => ok({ batches: [], message: '' }),
    collectItems: () => ok({ output: 'outbox/coast/', bytes: 1 }),
    measureFrames: () => ok({ encodeChunks: 400 }),
    encodeChunk: () => ok({}),
    splitChunk: () => ok({}),
    splitVideo: () => ok({ frames: items, encodeChunks: 400 }),
    stitchVideo: () => ok({ output: 'outbox/coast.mp4', bytes: 1 }),
    collectPredictions: () => ok({ output: 'outbox/coast/', bytes: 1 }),
    finishJob: ({ outcome: reason, blame, message }) =>
      ok({ end: { reason, blame, message }, done: items, failed: 0, attempts: 1, warnings: [] }),
  };
  const whole = parseSpec(
    JSON.stringify({ input: { images: 'inbox/coast/' }, model: 'starry-night', batch: { size }, ...spec }),
  );
  return runHub({ jobId: JOB, spec: whole, ...input } as { jobId: string }, (name, of) =>
    (answers[name] ?? usual[name])?.(of as Record<string, number>),
  );
}

function expectSmall(kept: Kept[]): void {
  const [first] = kept;
  if (!first) throw new Error('Nothing ran.');
  expect(kept.reduce((most, each) => (each.events > most.events ? each : most), first).events).toBeLessThanOrEqual(
    MOST_EVENTS,
  );
  expect(kept.reduce((most, each) => (each.payload > most.payload ? each : most), first)).toEqual(
    expect.objectContaining({ payload: expect.toSatisfy((bytes: number) => bytes <= MOST_BYTES) as number }),
  );
}

const executionsOf = (kept: Kept[], id: string) => kept.filter((each) => each.id === id).length;

test.each([
  [600, 1],
  [1200, 100],
])('of %i batches in so few or many lanes (%i) no history is long', (batches, lanes) => {
  const kept = run({ items: 4 * batches, lanes });
  expect(new Set(kept.flatMap(({ id }) => /-batch-\d+$/.exec(id) ?? [])).size).toBe(batches);
  expectSmall(kept);
});

test('of a batch that is watched for hours no history is long', () => {
  let looks = 0;
  const kept = run({
    items: 4,
    answers: { observeBatch: () => ok(++looks < 2000 ? { pollSeconds: 10 } : { watchEnd: 'ended', pollSeconds: 10 }) },
  });
  expect(looks).toBe(2000);
  expectSmall(kept);
});

test('of a batch that waits for its turn, or for a platform, for hours no history is long', () => {
  const refused = {
    ok: false,
    failure: { blame: 'platform', message: NOISE.slice(0, 600), inLine: true, retryAfterSeconds: 5 },
  };
  let tries = 0;
  const kept = run({
    items: 4,
    answers: {
      launchBatch: ({ attempt, count }) =>
        ++tries < 500 ? refused : ok({ attempt, remaining: count, stopped: false }),
    },
  });
  expect(tries).toBe(500);
  expectSmall(kept);
});

test('of a batch that looks for room on many computes, and is watched for hours on the one that has some, no history is long', () => {
  const names = Array.from({ length: 5 }, (_, k) => `container-apps in ${'a'.repeat(59)}${k}`);
  const failure = {
    blame: 'platform',
    message: NOISE.slice(0, 600),
    inLine: true,
    noRoom: true,
    retryAfterSeconds: 60,
  };
  let [tries, looks] = [0, 0];
  const settled: unknown[] = [];
  const prepared = { expectedItems: 4, parallel: 1, splitChunks: 0, delivers: 'images', enlarged: 0, warnings: [] };
  const kept = run({
    items: 4,
    answers: {
      prepareJob: () => ok({ ...prepared, room: { computes: names, afterSeconds: 300 } }),
      launchBatch: ({ attempt, count, compute }) =>
        ++tries < 300 || compute !== 3 ? { ok: false, failure } : ok({ attempt, remaining: count, stopped: false }),
      observeBatch: ({ compute, moved }) =>
        compute !== 3 || !moved || ++looks === 1000
          ? ok({ watchEnd: 'ended', pollSeconds: 10 })
          : ok({ pollSeconds: 10 }),
      settleBatch: (input) => {
        settled.push(input);
        return ok({ failed: 0, missing: 0, ended: { end: 'complete', message: '' } });
      },
    },
  });
  expect(looks).toBe(1000);
  expect(settled).toMatchObject([{ compute: 3, moved: true, attempt: 1 }]);
  expectSmall(kept);
});

test('of a job that waits a week for its images no history is long', () => {
  let looks = 0;
  const gathered = () => ok({ there: ++looks < 400 ? 1 : 2, expected: 2, examples: ['a', 'b', LONG] });
  const kept = run({ input: { waitHours: 168 }, answers: { lookForItems: gathered, takePlace: () => ok({}) } });
  expect(looks).toBe(400);
  expect(executionsOf(kept, JOB)).toBeGreaterThan(5);
  expectSmall(kept);
});

test('of a million images, or frames, no history is long', () => {
  expectSmall(run({ items: 1_000_000, size: 5000, lanes: 50 }));
  const video = { input: { images: 'inbox/coast/', frameRate: 25 } };
  expectSmall(run({ items: 1_000_000, size: 5000, lanes: 50, spec: video }));
});

test('of a video of days no history is long', () => {
  const prepared = { expectedItems: 40, parallel: 2, splitChunks: 2000, delivers: 'video', enlarged: 4, warnings: [] };
  expectSmall(run({ spec: { input: { video: 'inbox/coast.mp4' } }, answers: { prepareJob: () => ok(prepared) } }));
});

test('of a job that scores again what storage has lost no history is long', () => {
  const gone = Array.from({ length: 200 }, (_, k) => 900_000 + k);
  expectSmall(
    run({
      items: 1000,
      lanes: 100,
      input: { firstBatch: 900_000, run: 2 },
      answers: { findLost: () => ok({ batches: gone, message: 'gone', rest: 1, accounted: 5 }) },
    }),
  );
});

/** What activities return at worst: `failureOf` and `fewWarnings` bound it. */
const failure = (blame: string) => ({ ok: false, failure: { blame, message: shorten(NOISE) } });
const manyWarnings = fewWarnings(Array.from({ length: 30 }, (_, k) => `${k} ${LONG} ${NOISE}`));

const worstSpec = {
  input: { images: `inbox/${LONG}/` },
  notify: Array.from({ length: 2 }, () => ({
    webhook: `https://example.com/${'h'.repeat(380)}`,
    secret: 'S'.repeat(40),
  })),
};
const worst: Way = {
  lanes: 12,
  spec: worstSpec,
  input: {
    traceParent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
    startedBy: { path: `inbox/${LONG}`, etag: '0x8DE'.padEnd(20, 'F') },
  },
};
const listed = {
  prepareJob: () =>
    ok({ expectedItems: 1, parallel: 12, splitChunks: 0, delivers: 'images', enlarged: 0, warnings: manyWarnings }),
};
const finished = (outcome: object) => () =>
  ok({ end: outcome, done: 1, failed: 1, attempts: 1, warnings: manyWarnings, notify: worstSpec.notify });
const cancelled = {
  reason: 'cancelled',
  blame: 'user',
  message: shorten(NOISE),
  cancelled: { by: 'management', at: new Date(0).toISOString(), reason: shorten(NOISE) },
};

test.each([
  ['fails before it is prepared', { prepareJob: () => failure('user') }],
  [
    'is done with warnings',
    {
      ...listed,
      listImages: () => ok({ items: 40, warnings: manyWarnings }),
      finishJob: finished({ reason: 'done', blame: 'user', message: '' }),
    },
  ],
  [
    'delivers to long names',
    {
      ...listed,
      collectPredictions: () => ok({ output: `outbox/${LONG}/`, predictions: `outbox/${LONG}/`, bytes: 1 }),
      finishJob: finished({ reason: 'done', blame: 'user', message: '' }),
    },
  ],
  ['is cancelled', { ...listed, finishJob: finished(cancelled) }],
  [
    'is stopped while batches run',
    {
      ...listed,
      settleBatch: () => ok({ failed: 0, missing: 4, ended: { end: 'stopped', stop: cancelled } }),
      finishJob: finished(cancelled),
    },
  ],
  [
    'has batches whose attempts all fail',
    {
      ...listed,
      settleBatch: () => ok({ failed: 1, missing: 3, ended: { end: 'failed', failure: failure('attempt').failure } }),
    },
  ],
  [
    'cannot launch anything',
    { ...listed, launchBatch: () => failure('platform'), giveUpBatch: () => failure('platform') },
  ],
  ['cannot be finished', { ...listed, finishJob: () => failure('platform') }],
] as [string, Way['answers']][])('of a job with long names and sentences that %s nothing is large', (_, answers) => {
  expectSmall(run({ ...worst, answers }));
});
