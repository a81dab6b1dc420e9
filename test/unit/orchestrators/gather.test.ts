import { describe, expect, test } from 'vitest';
import { parseSpec } from '../../../src/job/spec.js';
import { scoreJob } from '../../../src/orchestrators/score-job.js';
import { type Call, drive, ok, pauses } from '../../support/drive.js';

const spec = parseSpec(JSON.stringify({ input: { images: 'inbox/shots/7/' }, model: 'starry-night' }));
const HOURS = 2;

const rest: Record<string, (call: Call) => unknown> = {
  takePlace: () => ok({}),
  prepareJob: () =>
    ok({ expectedItems: 0, parallel: 1, splitChunks: 0, delivers: 'images', enlarged: 0, warnings: [] }),
  listImages: () => ok({ items: 9, warnings: [] }),
  scoreLane: () => ({ failed: 0, missing: 0, message: '' }),
  findLost: () => ok({ batches: [], message: '' }),
  collectItems: () => ok({ bytes: 1 }),
  collectPredictions: () => ok({ output: 'outbox/7/', bytes: 1 }),
  finishJob: (call) => {
    const { outcome: reason, blame, message } = call.type === 'activity' ? call.input : {};
    return ok({ end: { reason, blame, message }, done: 9, failed: 0, attempts: 1, warnings: [] });
  },
};

/** Runs the job; `there`: how many images the looks find, one after another, the last number again and again. */
function gather(there: number[], waitHours: number | undefined = HOURS) {
  let looks = 0;
  const look = () => {
    const count = there[Math.min(looks, there.length - 1)] ?? 0;
    looks += 1;
    return ok({ there: count, expected: 9, examples: [] });
  };
  const { result: error, calls } = drive(
    function* (context) {
      try {
        yield* scoreJob.run(context);
        return '';
      } catch (thrown) {
        return (thrown as Error).message;
      }
    },
    { jobId: 'seven-abcd2345', spec, waitHours },
    (call) => (call.type === 'timer' ? undefined : call.name === 'lookForItems' ? look() : rest[call.name]?.(call)),
  );
  const names = calls.flatMap((call) => (call.type === 'timer' ? [] : [call.name]));
  return { names, pauses: pauses(calls), looks, error };
}

describe('a job whose folder is expected to hold something', () => {
  test('begins at once when all is there', () => {
    const { names, pauses: waits, error } = gather([9]);
    expect(names.slice(0, 3)).toEqual(['lookForItems', 'takePlace', 'prepareJob']);
    expect(waits).toEqual([]);
    expect(error).toBe('');
  });

  test('waits until all is there, and looks again after pauses that grow', () => {
    const { looks, pauses: waits, names } = gather([0, 3, 8, 9]);
    expect(looks).toBe(4);
    expect(waits).toHaveLength(3);
    expect(waits[0]).toBeGreaterThanOrEqual(10);
    expect(waits.toSorted((a, b) => a - b)).toEqual(waits);
    expect(names).toContain('prepareJob');
  });

  test('ends in time with a sentence when the last one never comes, and has spent nothing', () => {
    const { error, names, pauses: waits } = gather([8]);
    expect(error).toMatch(/^After 2 hours there are 8 of 9 expected images below inbox\/shots\/7\//);
    expect(names).not.toContain('prepareJob');
    expect(names.at(-1)).toBe('finishJob');
    const waited = waits.reduce((sum, pause) => sum + pause, 0);
    expect(waited).toBeGreaterThanOrEqual(HOURS * 3600);
    expect(waited).toBeLessThan(HOURS * 3600 * 1.1);
  });

  test('keeps its history small however long it waits', () => {
    const { looks } = gather([8], 168);
    expect(looks).toBeGreaterThan(100);
    expect(looks).toBeLessThan(500);
  });

  test('waits for room when others run that have come meanwhile', () => {
    let asked = 0;
    const { calls } = drive(scoreJob.run, { jobId: 'seven-abcd2345', spec, waitHours: 1 }, (call) => {
      if (call.type === 'timer') return undefined;
      if (call.name === 'lookForItems') return ok({ there: 9, expected: 9, examples: [] });
      if (call.name !== 'takePlace') return rest[call.name]?.(call);
      asked += 1;
      return ok(asked < 3 ? { full: '20 jobs run, and at most 20 do at once' } : {});
    });
    expect(asked).toBe(3);
    expect(pauses(calls)).toHaveLength(2);
    const place = calls.find((call) => call.type === 'activity' && call.name === 'takePlace');
    expect(place).toMatchObject({ input: { jobId: 'seven-abcd2345', items: 9 } });
  });

  test('does not look when it waits for nothing', () => {
    const { calls } = drive(scoreJob.run, { jobId: 'seven-abcd2345', spec }, (call) =>
      call.type === 'timer' ? undefined : rest[call.name]?.(call),
    );
    expect(calls.some((call) => call.type === 'activity' && call.name === 'lookForItems')).toBe(false);
  });
});
