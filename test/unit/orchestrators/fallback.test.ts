import { describe, expect, test } from 'vitest';
import type { RoomPolicy } from '../../../src/job/attempts/room.js';
import { scoreBatch } from '../../../src/orchestrators/score-batch.js';
import { scoreLane } from '../../../src/orchestrators/score-lane.js';
import { type Call, drive, ok, pauses } from '../../support/drive.js';

const room: RoomPolicy = { computes: ['aci in westeurope', 'aci in northeurope', 'container-apps'], afterSeconds: 60 };
const retry = { maxAttempts: 3, firstDelaySeconds: 5 };
const input = { jobId: 'coast-abcd2345', batch: 3, first: 126, count: 42, retry, room };

const full = { ok: false, failure: { blame: 'platform', message: 'Azure has no room.', noRoom: true } };
const settled = (missing: number, failure?: object) =>
  ok({ failed: 0, missing, ended: failure ? { end: 'failed', failure } : { end: 'complete', message: '' } });

type Answers = Partial<Record<string, (input: Record<string, unknown>, times: number) => unknown>>;

/** Runs the batch; what is not answered goes well. */
function run(answers: Answers, more: object = {}) {
  const times: Record<string, number> = {};
  const standard: Answers = {
    launchBatch: ({ attempt }) => ok({ attempt, remaining: 1, stopped: false }),
    observeBatch: () => ok({ watchEnd: 'ended', pollSeconds: 1 }),
    settleBatch: () => settled(0),
    giveUpBatch: () => ok({ failed: 0, missing: 42 }),
  };
  return drive(scoreBatch.run, { ...input, ...more }, (call) => {
    if (call.type === 'timer') return undefined;
    times[call.name] = (times[call.name] ?? 0) + 1;
    return (
      answers[call.name]?.(call.input, times[call.name] ?? 0) ??
      standard[call.name]?.(call.input, times[call.name] ?? 0)
    );
  });
}

const named = (calls: Call[], name: string) =>
  calls.flatMap((call) => (call.type === 'activity' && call.name === name ? [call.input] : []));
const START = Date.UTC(2026, 0, 1);

describe('a batch of a job with several computes', () => {
  test('has the first one, says so, and knows where it would turn to and when', () => {
    const { calls, customStatus, result } = run({});
    expect(named(calls, 'launchBatch')).toMatchObject([
      { compute: 0, turn: { compute: 'aci in northeurope', at: START + 60_000 } },
    ]);
    expect(named(calls, 'settleBatch')).toMatchObject([{ compute: 0 }]);
    expect(customStatus).toBe('scores items 126 to 167, attempt 1 on aci in westeurope');
    expect(result.search).toEqual({ compute: 0, full: [] });
  });

  test('turns to the next one with the same attempt, which was never launched, and says that it was asked for elsewhere', () => {
    const { calls, result } = run({ launchBatch: ({ compute }) => (compute === 0 ? full : undefined) });
    const launches = named(calls, 'launchBatch');
    expect(launches.map(({ attempt }) => attempt)).toEqual(launches.map(() => 1));
    expect(launches.at(-1)).toMatchObject({ compute: 1, moved: true });
    expect(launches.slice(0, -1).every((each) => !('moved' in each))).toBe(true);
    expect(named(calls, 'observeBatch')).toMatchObject([{ attempt: 1, compute: 1 }]);
    expect(named(calls, 'settleBatch')).toMatchObject([{ attempt: 1, compute: 1, moved: true }]);
    expect(pauses(calls).reduce((sum, seconds) => sum + seconds, 0)).toBeCloseTo(60, 1);
    expect(result.search).toMatchObject({ compute: 1, full: [{ compute: 0, times: 1 }] });
  });

  test('turns to the next one with a new attempt when a container that was launched got no place', () => {
    const noPlace = { blame: 'platform', message: 'no room after all', noRoom: true };
    const { calls, result } = run({
      settleBatch: ({ compute }) => (compute === 0 ? settled(42, noPlace) : undefined),
      observeBatch: ({ compute }, times) => (compute === 0 && times < 100 ? ok({ pollSeconds: 61 }) : undefined),
    });
    expect(named(calls, 'launchBatch').slice(0, 2)).toMatchObject([
      { attempt: 1, compute: 0 },
      { attempt: 2, compute: 1 },
    ]);
    expect(named(calls, 'launchBatch')[1]).not.toHaveProperty('moved');
    expect(result.missing).toBe(0);
  });

  test.each(['attempt', 'platform'])('stays where it is when a container fails with "%s" to blame', (blame) => {
    const { calls } = run({
      settleBatch: (_, times) => (times === 1 ? settled(20, { blame, message: 'evicted' }) : undefined),
    });
    expect(named(calls, 'launchBatch').map(({ compute }) => compute)).toEqual([0, 0]);
  });

  test('stays where it is while nothing but the way to Azure is broken', () => {
    const away = { ok: false, failure: { blame: 'platform', message: 'Azure was not reached.' } };
    const { calls } = run({ launchBatch: (_, times) => (times < 8 ? away : undefined) });
    expect(new Set(named(calls, 'launchBatch').map(({ compute }) => compute))).toEqual(new Set([0]));
  });

  test('turns away from a machine whose cores others use', () => {
    const inLine = { ok: false, failure: { ...full.failure, inLine: true, retryAfterSeconds: 7 } };
    const { calls } = run({ launchBatch: ({ compute }) => (compute === 0 ? inLine : undefined) });
    expect(named(calls, 'launchBatch').at(-1)).toMatchObject({ compute: 1 });
  });

  test('fails with the sentence of the second when that can only be mended by its user', () => {
    const broken = { ok: false, failure: { blame: 'user', message: 'There is no image.' } };
    const { calls, result } = run({ launchBatch: ({ compute }) => (compute === 0 ? full : broken) });
    expect(result.stop).toMatchObject({ reason: 'failed', blame: 'user', message: 'There is no image.' });
    expect(named(calls, 'giveUpBatch')).toMatchObject([{ compute: 1 }]);
  });

  test('gives up when none of them has room for two hours, having asked each of them, and not too often', () => {
    const { calls, result } = run({ launchBatch: () => full });
    expect(result.stop).toMatchObject({ reason: 'failed', blame: 'platform' });
    const asked = named(calls, 'launchBatch').map(({ compute }) => compute);
    expect(new Set(asked)).toEqual(new Set([0, 1, 2]));
    expect(asked.length).toBeLessThan(45);
    const waited = pauses(calls).reduce((sum, seconds) => sum + seconds, 0);
    expect(waited).toBeGreaterThan(7000);
    expect(waited).toBeLessThan(8000);
  });

  test('goes on where its last container was launched when its orchestration is started again', () => {
    const { calls } = run(
      { launchBatch: () => ok({ attempt: 2, compute: 2, remaining: 5, stopped: false }) },
      { again: true },
    );
    expect(named(calls, 'observeBatch')).toMatchObject([{ attempt: 2, compute: 2 }]);
    expect(named(calls, 'settleBatch')).toMatchObject([{ attempt: 2, compute: 2 }]);
  });

  test('passes on small inputs only', () => {
    const { calls, result } = run({ launchBatch: () => full });
    for (const call of calls) expect(JSON.stringify(call).length).toBeLessThan(1024);
    expect(JSON.stringify(result).length).toBeLessThan(1024);
  });
});

test('a batch of a job with one compute knows nothing of any of this', () => {
  const { calls, result } = drive(scoreBatch.run, { ...input, room: undefined }, (call) => {
    if (call.type === 'timer') return undefined;
    if (call.name === 'launchBatch') return ok({ attempt: 1, remaining: 1, stopped: false });
    return call.name === 'observeBatch' ? ok({ watchEnd: 'ended', pollSeconds: 1 }) : settled(0);
  });
  for (const { type, ...call } of calls)
    if (type === 'activity') expect(JSON.stringify(call)).not.toMatch(/compute|turn|moved/);
  expect(result).not.toHaveProperty('search');
});

test('a lane hands on what a batch found out about room to the next one', () => {
  const plan = { items: 84, batches: 2, lanes: 1, size: 42, pack: 1 };
  const search = { compute: 1, full: [{ compute: 0, times: 1, until: START }] };
  const { calls, result } = drive(scoreLane.run, { jobId: 'coast-abcd2345', lane: 0, plan, retry, room }, () => ({
    failed: 0,
    missing: 0,
    message: '',
    search,
  }));
  const inputs = calls.flatMap((call) => (call.type === 'sub-orchestrator' ? [call.input] : []));
  expect(inputs).toMatchObject([{ room }, { room, search }]);
  expect(inputs[0]).not.toHaveProperty('search');
  expect(result).not.toHaveProperty('search');
});
