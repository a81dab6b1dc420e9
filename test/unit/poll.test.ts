import { describe, expect, test } from 'vitest';
import { poll } from '../../src/poll.js';

describe('asking until there is an answer', () => {
  test('it asks again after each pause and gives the first answer', async () => {
    const answers = [undefined, undefined, 'there'];
    let asked = 0;
    expect(await poll(() => Promise.resolve(answers[asked++]), { pauseMs: 1 })).toBe('there');
    expect(asked).toBe(3);
  });

  test('pauses may grow with the number of asks', async () => {
    const told: number[] = [];
    let asked = 0;
    const pauseMs = (count: number) => {
      told.push(count);
      return 0;
    };
    await poll(() => Promise.resolve((asked += 1) === 4 ? true : undefined), { pauseMs });
    expect(told).toEqual([1, 2, 3]);
  });

  test('it asks once even when there is no time at all', async () => {
    let asked = 0;
    const ask = () => Promise.resolve(void (asked += 1));
    expect(await poll(ask, { pauseMs: 1000, withinMs: 0 })).toBeUndefined();
    expect(asked).toBe(1);
  });

  test('a long pause is cut at the end of the time, for a last ask', async () => {
    let asked = 0;
    const answer = await poll(() => Promise.resolve((asked += 1) === 2 ? 'late' : undefined), {
      pauseMs: 3_600_000,
      withinMs: 5,
    });
    expect(answer).toBe('late');
  });

  test('a signal cuts the pause short, and asking goes on', async () => {
    const wake = new AbortController();
    let asked = 0;
    const ask = () => {
      asked += 1;
      wake.abort();
      return Promise.resolve(asked === 3 ? 'awake' : undefined);
    };
    expect(await poll(ask, { pauseMs: 3_600_000, wake: wake.signal })).toBe('awake');
  });

  test('an error of the asker ends it', async () => {
    await expect(poll(() => Promise.reject(new Error('refused')), { pauseMs: 1 })).rejects.toThrow('refused');
  });
});
