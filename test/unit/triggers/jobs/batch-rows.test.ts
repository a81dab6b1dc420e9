import { describe, expect, test } from 'vitest';
import { type Settled, settledMetadata, settledOf } from '../../../../src/job-store/batches/settled.js';
import type { Report } from '../../../../src/job-store/now.js';
import { type BatchFacts, batchRows, readSince } from '../../../../src/triggers/jobs/batch-rows.js';

const T0 = Date.parse('2026-11-27T07:00:00Z');
const at = (seconds: number) => T0 + seconds * 1000;
const iso = (seconds: number) => new Date(at(seconds)).toISOString();

const settledRecord = (batch: number, more: Partial<Settled> = {}): Settled => ({
  batch,
  attempt: 1,
  done: 4,
  failed: 0,
  state: 'done',
  message: '',
  observation: { state: 'succeeded' },
  phases: [
    { attempt: 1, launched: iso(0), ended: { started: iso(2), firstItem: iso(5) }, seconds: {}, endedAt: iso(9) },
  ],
  ends: [{ attempt: 1, compute: 'local', end: 'complete', message: '', watchEnd: 'ended' }],
  unscored: [],
  ...more,
});
const settled = (batch: number, more: Partial<Settled> = {}) =>
  settledOf(batch, settledMetadata(settledRecord(batch, more)));

const report = (batch: number, attempt: number, done: number, more: Partial<Report> = {}): Report => ({
  batch,
  attempt,
  done,
  skipped: 0,
  failed: 0,
  at: at(12),
  pauseSeconds: 10,
  isLast: false,
  times: {},
  startedAt: iso(10),
  ...more,
});

/** Four batches of four items, the last one shorter. */
const facts = (more: Partial<BatchFacts> = {}, now: Partial<BatchFacts['now']> = {}): BatchFacts => ({
  published: { stages: [{ stage: 'score', startedAt: iso(0) }], plan: { items: 14, size: 4, batches: 4, lanes: 2 } },
  now: { settled: [], reports: [], waiting: [], changed: new Map(), ...now },
  launched: [],
  here: [],
  placeOf: () => 'local',
  ...more,
});
const statesOf = ({ batches }: ReturnType<typeof batchRows>) => batches.map(({ state }) => state);

describe('the rows of a run', () => {
  test('are one for each planned batch, before any container was asked for', () => {
    const { batches, run } = batchRows(facts());
    expect(run).toBe(1);
    expect(batches.map(({ batch, first, count, state }) => [batch, first, count, state])).toEqual([
      [0, 0, 4, 'pending'],
      [1, 4, 4, 'pending'],
      [2, 8, 4, 'pending'],
      [3, 12, 2, 'pending'],
    ]);
  });

  test('tell of a container that is starting, one that scores, one that has ended, and one that was retried', () => {
    const failed = settledRecord(1, {
      done: 2,
      state: 'retrying',
      message: 'the scorer was killed by SIGKILL',
      ends: [{ attempt: 1, compute: 'local', end: 'failed', blame: 'attempt', message: 'killed', watchEnd: 'ended' }],
    });
    const { batches } = batchRows(
      facts(
        {
          launched: [
            { batch: 0, attempt: 1, at: at(0) },
            { batch: 1, attempt: 1, at: at(0) },
            { batch: 1, attempt: 2, at: at(10) },
            { batch: 2, attempt: 1, at: at(11) },
          ],
        },
        {
          settled: [settled(0), settledOf(1, settledMetadata(failed))],
          reports: [report(0, 1, 4), report(1, 2, 1, { skipped: 2, times: { modelLoaded: iso(11) } })],
        },
      ),
    );
    expect(batches).toMatchObject([
      { state: 'done', done: 4, runs: 1, attempts: [{ attempt: 1, end: 'complete', place: 'local', endedAt: at(9) }] },
      {
        state: 'running',
        done: 3,
        runs: 2,
        message: 'the scorer was killed by SIGKILL',
        attempts: [
          { attempt: 1, end: 'failed', blame: 'attempt', message: 'killed', launchedAt: at(0), firstItemAt: at(5) },
          { attempt: 2, end: null, launchedAt: at(10), startedAt: at(10), modelLoadedAt: at(11), endedAt: null },
        ],
      },
      { state: 'running', runs: 1, attempts: [{ attempt: 1, launchedAt: at(11), startedAt: null, place: 'local' }] },
      { state: 'pending', runs: 0, attempts: [] },
    ]);
  });

  test('say what a batch waits for, and show no container where none was given', () => {
    const waiting = [{ batch: 0, attempt: 0, reason: 'no capacity in westeurope', at: at(3) }];
    const launched = [{ batch: 0, attempt: 1, at: at(2) }];
    const here = [{ batch: 1, reason: 'the disk is full' }];
    const { batches } = batchRows(facts({ launched, here }, { waiting }));
    expect(batches[0]).toMatchObject({ state: 'pending', waiting: 'no capacity in westeurope', attempts: [] });
    expect(batches[1]).toMatchObject({ waiting: 'the disk is full' });
    const reporting = batchRows(facts({ launched }, { waiting, reports: [report(0, 1, 1)] }));
    expect(reporting.batches[0]).toMatchObject({ state: 'running', waiting: null });
  });

  test('of a job that has ended have nothing that runs or waits', () => {
    const waiting = [{ batch: 2, attempt: 0, reason: 'no capacity', at: at(3) }];
    const now = {
      settled: [settled(0), settled(3, { state: 'stopped', done: 1 })],
      reports: [report(1, 1, 2)],
      waiting,
    };
    const { batches } = batchRows(facts({ ended: 'cancelled' }, now));
    expect(batches.map(({ state, done, waiting: reason }) => [state, done, reason])).toEqual([
      ['done', 4, null],
      ['pending', 2, null],
      ['pending', 0, null],
      ['pending', 1, null],
    ]);
  });

  test('of a later run begin behind those of the earlier ones, and batches that it leaves alone are done', () => {
    const { published = { stages: [] } } = facts();
    const plan = { items: 14, size: 4, batches: 4, lanes: 2, firstBatch: 4 };
    const later = { ...published, run: 2, plan, adopted: { batches: 3, items: 10 }, only: [5] };
    const rows = batchRows(facts({ published: later }, { settled: [settled(0), settled(1, { state: 'failed' })] }));
    expect(rows.run).toBe(2);
    expect(rows.batches.map(({ batch }) => batch)).toEqual([4, 5, 6, 7]);
    expect(statesOf(rows)).toEqual(['done', 'pending', 'done', 'done']);
  });
});

describe('what has changed since an answer', () => {
  const changed = new Map([
    [0, at(10)],
    [1, at(100)],
  ]);
  const running = facts({}, { settled: [settled(0)], reports: [report(1, 1, 1)], changed });
  const { next } = batchRows(running);

  test('is what was stored since, and what runs', () => {
    expect(batchRows(running, readSince(next)).batches.map(({ batch }) => batch)).toEqual([1]);
    const later = new Map([...changed, [2, at(120)]]);
    const done = facts({}, { settled: [settled(0), settled(1), settled(2)], changed: later });
    expect(batchRows(done, readSince(next)).batches.map(({ batch }) => batch)).toEqual([1, 2]);
  });

  test('is also a batch that waited and waits no longer, of which no record is left', () => {
    const waiting = [{ batch: 3, attempt: 0, reason: 'no capacity', at: at(1) }];
    const before = batchRows(facts({}, { waiting, changed: new Map([[3, at(1)]]) }));
    const newer = new Map([[0, at(50)]]);
    const after = batchRows(facts({}, { settled: [settled(0)], changed: newer }), readSince(before.next));
    expect(after.batches.map(({ batch, waiting: why }) => [batch, why])).toEqual([
      [0, null],
      [3, null],
    ]);
  });

  test('is everything once the job has ended or another run has begun', () => {
    expect(batchRows({ ...running, ended: 'done' }, readSince(next)).batches).toHaveLength(4);
    const { published = { stages: [] } } = running;
    expect(batchRows({ ...running, published: { ...published, run: 2 } }, readSince(next)).batches).toHaveLength(4);
  });

  test('is refused where the answer gave no such thing', () => {
    expect(readSince(null)).toBeUndefined();
    for (const text of ['x', '1', '1.0.5', '1.2.5.', '1.0.5.1-', '1.0.5.--', '1.0.1e3.', '٣.0.5.', '1.0.5.1\n'])
      expect(() => readSince(text), text).toThrow(/"since" must be/);
  });

  test('has a name that stays short, however many batches wait', () => {
    const waiting = Array.from({ length: 900 }, (_, batch) => ({
      batch,
      attempt: 0,
      reason: 'no capacity',
      at: at(1),
    }));
    const { published = { stages: [] } } = running;
    const many = { ...published, plan: { items: 4000, size: 4, batches: 1000, lanes: 900 } };
    const rows = batchRows(facts({ published: many }, { waiting }));
    expect(rows.next.length).toBeLessThan(100);
    expect(batchRows(facts({ published: many }), readSince(rows.next)).batches).toHaveLength(1000);
  });
});
