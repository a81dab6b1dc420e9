import { describe, expect, test } from 'vitest';
import type { SettleResult } from '../../../src/activities/batches/settle-batch.js';
import type { Blame, Failure } from '../../../src/job/failure.js';
import { scoreBatch } from '../../../src/orchestrators/score-batch.js';
import { type Asked, fakeContext } from '../../support/fake-context.js';
import { type Call, drive, expectPauses, ok, pauses } from '../../support/drive.js';

const input = {
  jobId: 'coast-abcd2345',
  batch: 3,
  first: 126,
  count: 42,
  retry: { maxAttempts: 3, firstDelaySeconds: 5 },
};

const settled = (end: 'complete' | 'cancelled' | Blame, missing: number, message = ''): SettleResult => ({
  failed: 0,
  missing,
  ended:
    end === 'complete'
      ? { end, message }
      : end === 'cancelled'
        ? { end: 'stopped', stop: { reason: end, blame: 'user', message } }
        : { end: 'failed', failure: { blame: end, message } },
});

const fails = (failure: Failure) => ({ ok: false, failure });

/** Runs the batch; the containers end at their first observation, with these results one after another. */
function run(
  results: SettleResult[],
  answers: Partial<Record<string, (call: Call, times: number) => unknown>> = {},
  more: object = {},
) {
  const times: Record<string, number> = {};
  const lastMissing = results.at(-1)?.missing ?? input.count;
  const standard: Record<string, (call: Call) => unknown> = {
    launchBatch: (call) => ok({ attempt: inputOf(call).attempt, remaining: 1, stopped: false }),
    observeBatch: () => ok({ watchEnd: 'ended', pollSeconds: 1 }),
    settleBatch: () => ok(results.shift()),
    giveUpBatch: () => ok({ failed: 0, missing: lastMissing }),
  };
  return drive(scoreBatch.run, { ...input, ...more }, (call) => {
    const name = call.type === 'timer' ? '' : call.name;
    times[name] = (times[name] ?? 0) + 1;
    return answers[name]?.(call, times[name]) ?? standard[name]?.(call);
  });
}

const inputOf = (call: Call) => (call.type === 'timer' ? {} : call.input);
const named = (calls: Call[], name: string) =>
  calls.filter((call) => call.type !== 'timer' && call.name === name).map(inputOf);

describe('a batch', () => {
  test('says which items it scores, at which attempt, and what went wrong before', () => {
    expect(run([settled('complete', 0)]).customStatus).toBe('scores items 126 to 167, attempt 1');
    expect(run([settled('attempt', 20, 'The container was lost.'), settled('complete', 0)]).customStatus).toBe(
      'scores items 126 to 167, attempt 2 after: The container was lost.',
    );
  });

  test('whose container scores everything takes one launch, one settle and no pause', () => {
    const { result, calls } = run([settled('complete', 0)]);
    expect(result).toEqual({ failed: 0, missing: 0, message: '' });
    expect(calls.map((call) => (call.type === 'timer' ? 'timer' : call.name))).toEqual([
      'launchBatch',
      'observeBatch',
      'settleBatch',
    ]);
  });

  test('is watched again after the pause that the last look asked for', () => {
    const looks = [ok({ pollSeconds: 7 }), ok({ pollSeconds: 3 }), ok({ watchEnd: 'ended', pollSeconds: 1 })];
    const { calls } = run([settled('complete', 0)], { observeBatch: () => looks.shift() });
    expect(pauses(calls)).toEqual([7, 3]);
  });

  test('with items missing gets a new attempt after a growing pause', () => {
    const { result, calls } = run([
      settled('attempt', 20, 'killed'),
      settled('attempt', 10, 'killed'),
      settled('complete', 0),
    ]);
    expect(named(calls, 'launchBatch').map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(named(calls, 'launchBatch').map(({ waited }) => waited)).toEqual([undefined, true, true]);
    expect(pauses(calls)).toEqual([5, 10]);
    expect(result.missing).toBe(0);
  });

  test('is given up when its attempts are spent, and says why', () => {
    const { result, calls } = run([
      settled('attempt', 20, 'a'),
      settled('attempt', 20, 'b'),
      settled('attempt', 7, 'the scorer was killed by SIGKILL'),
    ]);
    const message =
      'Batch 3: items are still missing after 3 of 3 attempts; the last failure was: the scorer was killed by SIGKILL';
    expect(result).toMatchObject({ missing: 7, message });
    expect(result.stop).toBeUndefined();
    expect(named(calls, 'giveUpBatch')).toMatchObject([{ batch: 3, attempt: 3, message }]);
    expect(named(calls, 'giveUpBatch')[0]).not.toHaveProperty('stop');
  });

  test('is not charged for what the platform does', () => {
    const platform = Array.from({ length: 5 }, () => settled('platform', 42, 'evicted'));
    const { result, calls } = run([...platform, settled('attempt', 2, 'x'), settled('complete', 0)]);
    expect(result.missing).toBe(0);
    expect(named(calls, 'launchBatch')).toHaveLength(7);
  });

  describe('that has not found all its frames', () => {
    const lost = { ...settled('platform', 12, 'a frame is gone'), lostFrames: true as const };

    test('has them split again and goes on at once, without being charged', () => {
      const once = { retry: { maxAttempts: 1, firstDelaySeconds: 5 } };
      const { result, calls } = run([lost, settled('complete', 0)], { mendFrames: () => ok({}) }, once);
      expect(result).toEqual({ failed: 0, missing: 0, message: '' });
      expect(named(calls, 'mendFrames')).toEqual([
        { jobId: 'coast-abcd2345', batch: 3, first: 126, count: 42, attempt: 1 },
      ]);
      expect(named(calls, 'launchBatch').map(({ attempt }) => attempt)).toEqual([1, 2]);
      expect(pauses(calls)).toEqual([0]);
    });

    test('ends the job, which is not the mistake of its user, when they are lost again', () => {
      const message = 'Storage has lost them twice.';
      const { result, calls } = run([lost, lost], {
        mendFrames: (_, times) => ok(times === 1 ? {} : { lostAgain: message }),
        giveUpBatch: () => ok({ failed: 0, missing: 12 }),
      });
      const stop = { reason: 'failed', blame: 'platform', message };
      expect(result).toMatchObject({ missing: 12, stop });
      expect(named(calls, 'giveUpBatch')).toMatchObject([{ attempt: 2, message, stop }]);
    });

    test('ends the job when they cannot be split again, and says what the user has to do', () => {
      const message = 'The video is gone.';
      const { result } = run([lost], {
        mendFrames: () => fails({ blame: 'user', message }),
        giveUpBatch: () => ok({ failed: 0, missing: 12 }),
      });
      expect(result.stop).toEqual({ reason: 'failed', blame: 'user', message });
    });

    test('waits for a platform that does not let them be split, and looks for them again', () => {
      const { result, calls } = run([lost, lost, settled('complete', 0)], {
        mendFrames: (_, times) => (times <= 6 ? fails({ blame: 'platform', message: 'no answer' }) : ok({})),
      });
      expect(result.missing).toBe(0);
      expect(named(calls, 'mendFrames').map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1, 1, 1, 2]);
    });
  });

  test('waits out a platform that cannot launch', () => {
    const { result, calls } = run([settled('complete', 0)], {
      launchBatch: (_, times) => (times < 3 ? fails({ blame: 'platform', message: 'no capacity' }) : undefined),
    });
    expect(result.missing).toBe(0);
    expectPauses(calls, [5, 10]);
  });

  test('waits as long as the platform asked for', () => {
    const throttled = fails({ blame: 'platform', message: 'throttled', retryAfterSeconds: 200 });
    const { calls } = run([settled('complete', 0)], {
      launchBatch: (_, times) => (times === 1 ? throttled : undefined),
      settleBatch: (_, times) => (times === 1 ? throttled : undefined),
    });
    expectPauses(calls, [200, 200]);
  });

  test('launches under the same name again when a launch failed, since it may have started the container', () => {
    const { calls } = run([settled('complete', 0)], {
      launchBatch: (_, times) => (times < 3 ? fails({ blame: 'platform', message: 'no answer' }) : undefined),
    });
    expect(named(calls, 'launchBatch').map(({ attempt }) => attempt)).toEqual([1, 1, 1]);
  });

  test('gives up on a platform that fails for hours, and with it the job, which is not the mistake of its user', () => {
    const { result, calls } = run([], { launchBatch: () => fails({ blame: 'platform', message: 'no capacity' }) });
    const stop = { reason: 'failed', blame: 'platform', message: result.message };
    expect(result).toMatchObject({ missing: 42, stop });
    expect(result.message).toMatch(
      /^Batch 3: the platform failed \d+ times in a row within \d+ seconds; the last failure was: no capacity\.$/,
    );
    expect(named(calls, 'giveUpBatch')).toMatchObject([{ stop, message: result.message }]);
  });

  test('that cannot be launched for what only the user can mend is recorded as failed and ends the job', () => {
    const { result, calls } = run([], { launchBatch: () => fails({ blame: 'user', message: 'There is no image.' }) });
    const stop = { reason: 'failed', blame: 'user', message: 'There is no image.' };
    expect(result).toMatchObject({ missing: 42, stop });
    expect(named(calls, 'giveUpBatch')).toMatchObject([{ attempt: 1, stop }]);
  });

  test('that is scored again goes on with the attempt that the launch finds', () => {
    const { calls } = run(
      [settled('attempt', 20, 'killed'), settled('complete', 0)],
      { launchBatch: (_, times) => (times === 1 ? ok({ attempt: 4, remaining: 42, stopped: false }) : undefined) },
      { again: true },
    );
    expect(named(calls, 'launchBatch')).toMatchObject([{ again: true }, { attempt: 5 }]);
    expect(named(calls, 'launchBatch')[1]?.again).toBeUndefined();
    expect(named(calls, 'settleBatch').map(({ attempt }) => attempt)).toEqual([4, 5]);
  });

  test('whose activities the host has ended is neither charged nor the mistake of the user', () => {
    const dies = () => {
      throw new Error('node exited with code 137 (0x89) \n {}');
    };
    const { result } = run([settled('complete', 0)], {
      launchBatch: (_, times) => (times < 5 ? dies() : undefined),
      observeBatch: (_, times) => (times === 1 ? dies() : undefined),
      settleBatch: (_, times) => (times === 1 ? dies() : undefined),
    });
    expect(result).toEqual({ failed: 0, missing: 0, message: '' });
  });

  test('that scored for hours is not given up at the first failure of its platform', () => {
    const { result, calls } = run([settled('platform', 20, 'evicted'), settled('complete', 0)], {
      observeBatch: (_, times) => (times < 4 ? ok({ pollSeconds: 3600 }) : undefined),
    });
    expect(result.missing).toBe(0);
    expectPauses(calls, [3600, 3600, 3600, 1]);
  });

  test('has patience anew with a platform that lets it get on between its failures', () => {
    const evictions = [30, 20, 10].map((missing) => settled('platform', missing, 'evicted'));
    const { result, calls } = run([...evictions, settled('complete', 0)], {
      observeBatch: (_, times) => (times % 2 === 1 ? ok({ pollSeconds: 7200 }) : undefined),
    });
    expect(result.missing).toBe(0);
    expectPauses(calls, [7200, 1, 7200, 1, 7200, 1, 7200]);
  });

  test('whose platform takes hours over each failure and gets nothing done is given up', () => {
    const { result } = run(
      [1, 2, 3].map(() => settled('platform', 42, 'evicted')),
      { observeBatch: (_, times) => (times % 2 === 1 ? ok({ pollSeconds: 3600 }) : undefined) },
    );
    expect(result.message).toMatch(/^Batch 3: the platform failed 3 times in a row within 72\d\d seconds/);
  });

  test('stops the job at once for a failure that only the user can mend', () => {
    const { result, calls } = run([settled('user', 42, 'The model cannot be loaded.')]);
    expect(result.stop).toEqual({ message: 'The model cannot be loaded.', reason: 'failed', blame: 'user' });
    expect(named(calls, 'launchBatch')).toHaveLength(1);
  });

  test('of a cancelled job is settled and not launched again', () => {
    const { result, calls } = run([settled('cancelled', 42, 'The job was cancelled.')], {
      launchBatch: () => ok({ attempt: 1, remaining: 42, stopped: true }),
    });
    expect(result.stop).toEqual({ message: 'The job was cancelled.', reason: 'cancelled', blame: 'user' });
    expect(named(calls, 'settleBatch')[0]).toMatchObject({ watchEnd: 'stopped' });
    expect(named(calls, 'observeBatch')).toHaveLength(0);
  });

  test('settles its container even when it cannot be observed', () => {
    const { calls } = run([settled('attempt', 42, 'x'), settled('complete', 0)], {
      observeBatch: (_, times) => (times === 1 ? fails({ blame: 'user', message: 'odd' }) : undefined),
    });
    expect(named(calls, 'settleBatch')[0]).toMatchObject({ attempt: 1, watchEnd: 'unseen' });
  });

  test('that could not be looked at is not charged for it, and what it scored meanwhile counts', () => {
    const away = fails({ blame: 'platform', message: 'status 503' });
    const { result, calls } = run([settled('platform', 7, 'not seen'), settled('complete', 0)], {
      observeBatch: (_, times) => (times <= 6 ? away : undefined),
    });
    expect(result.missing).toBe(0);
    expect(named(calls, 'settleBatch').map(({ watchEnd }) => watchEnd)).toEqual(['unseen', 'ended']);
  });

  test('tells the looks after a failed one that they are looks again', () => {
    const away = fails({ blame: 'platform', message: 'status 503' });
    const looks = [away, away, ok({ pollSeconds: 1 }), ok({ watchEnd: 'ended', pollSeconds: 1 })];
    const { calls } = run([settled('complete', 0)], { observeBatch: () => looks.shift() });
    expect(named(calls, 'observeBatch').map(({ again }) => again)).toEqual([undefined, true, true, undefined]);
  });

  test('tells the look after it was woken, as by whoever stops the job, and no other', () => {
    const looks = [ok({ pollSeconds: 1 }), ok({ pollSeconds: 1 }), ok({ watchEnd: 'stopped', pollSeconds: 1 })];
    const told: unknown[] = [];
    const generator = scoreBatch.run(fakeContext(input, () => 0).context);
    const answer = (call: Asked): unknown => {
      // The first sleep ends before its time.
      if (call.type === 'any' && call.timer.type === 'timer') call.timer.isCompleted = told.length > 1;
      if (call.type !== 'activity') return undefined;
      if (call.name === 'launchBatch') return ok({ attempt: 1, remaining: 1, stopped: false });
      if (call.name !== 'observeBatch') return ok(settled('cancelled', 20));
      told.push(call.input.woken);
      return looks.shift();
    };
    for (let next = generator.next(); !next.done;) next = generator.next(answer(next.value as unknown as Asked));
    expect(told).toEqual([undefined, true, undefined]);
  });

  test('passes on small inputs only', () => {
    const { calls } = run([settled('attempt', 20, 'm'.repeat(600)), settled('complete', 0)]);
    for (const call of calls) expect(JSON.stringify(call).length).toBeLessThan(4096);
  });
});

describe('a batch that gets help by idle lanes', () => {
  const more = { batches: 2 };
  const LAUNCHED = ok({ launched: true });

  test('settles those that helped with the container that they helped, and is watched together with them', () => {
    const looks = [
      ok({ pollSeconds: 5, help: 2 }),
      ok({ pollSeconds: 3 }),
      ok({ watchEnd: 'ended', helperEnds: ['ended', 'let-go'], pollSeconds: 1 }),
    ];
    const { result, calls, customStatus } = run(
      [settled('complete', 0)],
      { observeBatch: () => looks.shift(), helpBatch: () => LAUNCHED },
      more,
    );
    expect(result.missing).toBe(0);
    expect(named(calls, 'helpBatch')).toMatchObject([
      { attempt: 2, helps: 1, batches: 2, first: 126, count: 42 },
      { attempt: 3, helps: 1 },
    ]);
    const [first, second] = named(calls, 'observeBatch');
    expect(first).toMatchObject({ attempt: 1, batches: 2 });
    expect(first).not.toHaveProperty('helpers');
    expect(second).toMatchObject({ attempt: 1, helpers: [{ attempt: 2 }, { attempt: 3 }] });
    expect(named(calls, 'settleBatch')).toMatchObject([
      {
        attempt: 1,
        watchEnd: 'ended',
        helpers: [
          { attempt: 2, watchEnd: 'ended' },
          { attempt: 3, watchEnd: 'let-go' },
        ],
      },
    ]);
    expect(customStatus).toBe('scores items 126 to 167, attempt 1, helped by 2, 3');
  });

  test('goes on alone when there is no room for help, asks no more, and says so', () => {
    const looks = [ok({ pollSeconds: 5, help: 3 }), ok({ pollSeconds: 3, help: 3 }), undefined];
    const refused = fails({ blame: 'platform', message: 'westeurope has no capacity.' });
    const { result, calls, customStatus } = run(
      [settled('complete', 0)],
      { observeBatch: () => looks.shift(), helpBatch: (_, times) => (times === 1 ? LAUNCHED : refused) },
      more,
    );
    expect(result.missing).toBe(0);
    expect(named(calls, 'helpBatch')).toHaveLength(2);
    const [, second] = named(calls, 'observeBatch');
    expect(second).toMatchObject({ helpers: [{ attempt: 2 }] });
    expect(second).not.toHaveProperty('batches');
    expect(named(calls, 'settleBatch')[0]?.helpers).toMatchObject([
      { attempt: 2 },
      { attempt: 3, refused: 'westeurope has no capacity.' },
    ]);
    expect(customStatus).toBe(
      'scores items 126 to 167, attempt 1, helped by 2, no more help: westeurope has no capacity.',
    );
  });

  test('asks for help in vain a few times only, and never where lanes are not counted', () => {
    const observeBatch = (_: Call, times: number) =>
      times < 20 ? ok({ pollSeconds: 1, help: 1 }) : ok({ watchEnd: 'ended', pollSeconds: 1 });
    const answers = { observeBatch, helpBatch: () => ok({ launched: false }) };
    const asked = run([settled('complete', 0)], answers, more);
    expect(named(asked.calls, 'helpBatch')).toHaveLength(5);
    expect(named(asked.calls, 'settleBatch')[0]).not.toHaveProperty('helpers');
    expect(named(run([settled('complete', 0)], answers).calls, 'helpBatch')).toEqual([]);
  });

  test('gets a next attempt with a number that no helper has had', () => {
    const looks = [ok({ pollSeconds: 5, help: 1 }), undefined, undefined];
    const { calls } = run(
      [settled('platform', 4, 'a container that helped was killed'), settled('complete', 0)],
      { observeBatch: () => looks.shift(), helpBatch: () => LAUNCHED },
      more,
    );
    expect(named(calls, 'launchBatch').map(({ attempt }) => attempt)).toEqual([1, 3]);
    expectPauses(calls, [5, 1]);
  });

  test('that is scored again goes on with those that still help it', () => {
    const { calls } = run(
      [settled('complete', 0)],
      { launchBatch: () => ok({ attempt: 4, compute: 1, remaining: 42, stopped: false, helpers: [5] }) },
      { ...more, again: true },
    );
    expect(named(calls, 'observeBatch')[0]).toMatchObject({ attempt: 4, helpers: [{ attempt: 5 }] });
    expect(named(calls, 'settleBatch')[0]).toMatchObject({ attempt: 4, helpers: [{ attempt: 5 }] });
  });

  test('settles all of them when the job is stopped or when they cannot be observed', () => {
    const start = ok({ pollSeconds: 5, help: 1 });
    const ends = [
      [ok({ watchEnd: 'stopped', helperEnds: ['stopped'], pollSeconds: 1 }), 'stopped'],
      [fails({ blame: 'user', message: 'odd' }), 'unseen'],
    ] as const;
    for (const [end, watchEnd] of ends) {
      const looks: unknown[] = [start, end];
      const { calls } = run(
        [settled('cancelled', 20), settled('complete', 0)],
        { observeBatch: () => looks.shift(), helpBatch: () => LAUNCHED },
        more,
      );
      expect(named(calls, 'settleBatch')[0]).toMatchObject({ watchEnd, helpers: [{ attempt: 2, watchEnd }] });
    }
  });
});
