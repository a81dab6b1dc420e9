import { describe, expect, test } from 'vitest';
import { Refusal, type Version } from '../../../src/page/connection.js';
import { type Clock, createPoll } from '../../../src/page/polling.js';

/** A browser whose time passes when it is told to. */
function createBrowser() {
  let time = 0;
  let isVisible = true;
  const waits = new Map<() => void, number>();
  const turns = new Set<() => void>();
  const clock: Clock = {
    now: () => time,
    after: (milliseconds, call) => {
      waits.set(call, time + milliseconds);
      return () => waits.delete(call);
    },
    isVisible: () => isVisible,
    onTurn: (call) => {
      turns.add(call);
      return () => turns.delete(call);
    },
  };
  return {
    clock,
    /** To the next thing that waits. @returns when that is. */
    pass: async () => {
      await settled();
      const [next] = [...waits].toSorted(([, one], [, other]) => one - other);
      if (!next) return undefined;
      const [call] = next;
      [, time] = next;
      waits.delete(call);
      call();
      await settled();
      return time;
    },
    turn: async (visible: boolean) => {
      isVisible = visible;
      for (const call of turns) call();
      await settled();
    },
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Answers one after the other; the last one for ever. */
function answers(...given: (number | 'unchanged' | Refusal)[]) {
  const asked: (string | undefined)[] = [];
  return {
    asked,
    read: (etag: string | undefined): Promise<Version<number> | undefined> => {
      const answer = given[Math.min(asked.length, given.length - 1)];
      asked.push(etag);
      if (answer instanceof Refusal) return Promise.reject(answer);
      return Promise.resolve(typeof answer === 'number' ? { data: answer, etag: `"${answer}"` } : undefined);
    },
  };
}

const away = (retryAfter?: number) => new Refusal('The app does not answer.', 0, retryAfter);

describe('polling', () => {
  test('asks every second while the page is visible, for what is newer than what it has', async () => {
    const { clock, pass } = createBrowser();
    const { asked, read } = answers(7, 'unchanged', 8);
    const polled = createPoll(read, { clock });
    expect([await pass(), await pass(), await pass()]).toEqual([1000, 2000, 3000]);
    expect(asked).toEqual([undefined, '"7"', '"7"', '"8"']);
    expect([polled.data.value, polled.at.value]).toEqual([8, 3000]);
  });

  test('asks every ten seconds while the page is hidden, and at once when it comes to the front', async () => {
    const { clock, pass, turn } = createBrowser();
    const { asked, read } = answers(7);
    createPoll(read, { clock });
    await pass();
    await turn(false);
    expect([await pass(), await pass()]).toEqual([11_000, 21_000]);
    expect(asked).toHaveLength(4);
    await turn(true);
    expect(asked).toHaveLength(5);
    expect(await pass()).toBe(22_000);
  });

  test('asks less and less often while there is no answer, keeps what it has, and is back at once', async () => {
    const { clock, pass } = createBrowser();
    const { read } = answers(7, away(), away(), away(), away(), away(), away(), 8);
    const polled = createPoll(read, { clock });
    const at = [await pass(), await pass(), await pass(), await pass(), await pass(), await pass()];
    expect(at).toEqual([1000, 3000, 7000, 15_000, 31_000, 61_000]);
    expect([polled.data.value, polled.at.value, polled.trouble.value?.message]).toEqual([
      7,
      0,
      'The app does not answer.',
    ]);
    expect([await pass(), await pass()]).toEqual([91_000, 92_000]);
    expect([polled.data.value, polled.trouble.value]).toEqual([8, undefined]);
  });

  test('leaves the app alone for as long as it asks, but not for more than half a minute', async () => {
    const { clock, pass } = createBrowser();
    createPoll(answers(away(10), away(3600), 7).read, { clock });
    expect([await pass(), await pass()]).toEqual([10_000, 40_000]);
  });

  test('asks once when it comes to the front after the end, and goes on where it has begun again', async () => {
    const { clock, pass, turn } = createBrowser();
    const { asked, read } = answers(9, 'unchanged', 7);
    createPoll(read, { clock, pace: (value) => (value === 9 ? 'over' : 1000) });
    await settled();
    await turn(false);
    expect([await pass(), asked.length]).toEqual([undefined, 1]);
    await turn(true);
    expect([await pass(), asked.length]).toEqual([undefined, 2]);
    await turn(true);
    expect([await pass(), asked.length]).toEqual([1000, 4]);
  });

  test('asks no more when nothing changes any more, until it is told to', async () => {
    const { clock, pass } = createBrowser();
    const { asked, read } = answers(7, 9, 8);
    const polled = createPoll(read, { clock, pace: (value) => (value === 9 ? 'over' : 1000) });
    await pass();
    expect([await pass(), asked.length]).toEqual([undefined, 2]);
    polled.refresh();
    expect([await pass(), polled.data.value]).toEqual([2000, 8]);
  });

  test.each([404, 410])('asks no more for what there is not, or no more: %i', async (status) => {
    const { clock, pass } = createBrowser();
    const polled = createPoll(answers(new Refusal('There is no job "x".', status, undefined)).read, { clock });
    expect([await pass(), polled.trouble.value?.status]).toEqual([undefined, status]);
  });

  test('asks one question at a time, and once more when it is told to meanwhile', async () => {
    const { clock } = createBrowser();
    const open: ((value: Version<number>) => void)[] = [];
    const polled = createPoll<number>(() => new Promise((resolve) => open.push(resolve)), { clock });
    polled.refresh();
    polled.refresh();
    expect(open).toHaveLength(1);
    open[0]?.({ data: 1, etag: undefined });
    await settled();
    expect(open).toHaveLength(2);
  });

  test('ends what it asked when it is stopped', async () => {
    const { clock, pass } = createBrowser();
    let ended = false;
    const polled = createPoll<number>(
      (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            ended = true;
            reject(new Error('aborted'));
          });
        }),
      { clock },
    );
    polled.stop();
    expect([ended, await pass(), polled.trouble.value]).toEqual([true, undefined, undefined]);
  });
});
