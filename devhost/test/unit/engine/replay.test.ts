import * as df from 'durable-functions';
import { describe, expect, it } from 'vitest';
import type { HistoryEvent } from '../../../src/protocol/history.js';
import { simulate } from '../../support/simulation.js';

const DAY = 24 * 60 * 60 * 1000;

/** What was scheduled, in order: the task's number and its kind or name. */
function scheduled(history: HistoryEvent[]): string[] {
  return history.flatMap((event) => {
    if (event.EventType === 'TimerCreated') return [`${event.EventId} timer`];
    return event.EventType === 'TaskScheduled' ? [`${event.EventId} ${event.Name}`] : [];
  });
}

function failing(times: number): (name: string) => string {
  let failed = 0;
  return (name) => {
    failed += 1;
    if (failed <= times) throw new Error(`failure ${failed}`);
    return name;
  };
}

describe('the replay takes the same task numbers as the SDK', () => {
  it('for a retry: one for each attempt and one for each wait', async () => {
    const { history, end } = await simulate(
      function* (context) {
        const result: unknown = yield context.df.callActivityWithRetry('flaky', new df.RetryOptions(1000, 5));
        return [result, yield context.df.callActivity('after')];
      },
      { activity: failing(2) },
    );
    expect(scheduled(history)).toEqual(['0 flaky', '1 timer', '2 flaky', '3 timer', '4 flaky', '5 after']);
    expect(end?.Result).toBe('["flaky","after"]');
  });

  it('for an exhausted retry: one for the timer that follows the last attempt and fires at once', async () => {
    const { history, end } = await simulate(
      function* (context) {
        try {
          return yield context.df.callActivityWithRetry('flaky', new df.RetryOptions(1000, 2));
        } catch {
          return yield context.df.callActivity('after');
        }
      },
      { activity: failing(2) },
    );
    expect(scheduled(history)).toEqual(['0 flaky', '1 timer', '2 flaky', '3 timer', '4 after']);
    expect(end?.Result).toBe('"after"');
  });

  it('for a timer of ten days: one for each of its three hops', async () => {
    const { history, end } = await simulate(function* (context) {
      yield context.df.createTimer(new Date(context.df.currentUtcDateTime.getTime() + 10 * DAY));
      return [yield context.df.callActivity('after'), context.df.currentUtcDateTime];
    });
    expect(scheduled(history)).toEqual(['0 timer', '1 timer', '2 timer', '3 after']);
    expect(end?.Result).toBe('[null,"2026-01-11T00:00:00.000Z"]');
  });

  it('for what follows a cancelled timer', async () => {
    const { history, end } = await simulate(function* (context) {
      const timer = context.df.createTimer(new Date(context.df.currentUtcDateTime.getTime() + DAY));
      yield context.df.Task.any([context.df.callActivity('first'), timer]);
      timer.cancel();
      return yield context.df.callActivity('after');
    });
    expect(scheduled(history)).toEqual(['0 first', '1 timer', '2 after']);
    expect(end?.OrchestrationStatus).toBe('Completed');
  });

  it('for nested Task.all and Task.any', async () => {
    const { history, end } = await simulate(function* (context) {
      const { Task } = context.df;
      const call = (name: string) => context.df.callActivity(name);
      yield Task.all([call('a'), Task.any([call('b'), call('c')]), call('d')]);
      return yield call('after');
    });
    expect(scheduled(history)).toEqual(['0 a', '1 b', '2 c', '3 d', '4 after']);
    expect(end?.OrchestrationStatus).toBe('Completed');
  });
});

describe('retries', () => {
  it('back off, up to the longest interval', async () => {
    const options = new df.RetryOptions(1000, 5);
    options.backoffCoefficient = 3;
    options.maxRetryIntervalInMilliseconds = 5000;
    const { history } = await simulate(
      function* (context) {
        return yield context.df.callActivityWithRetry('flaky', options);
      },
      { activity: failing(4) },
    );
    const waits = history.flatMap((event) =>
      event.EventType === 'TimerCreated' ? [Date.parse(event.FireAt) - Date.parse(event.Timestamp)] : [],
    );
    expect(waits).toEqual([1000, 3000, 5000, 5000]);
  });

  it('that run out of retryTimeoutInMilliseconds fail the instance, which would hang in Azure', async () => {
    const options = new df.RetryOptions(1000, 10);
    options.retryTimeoutInMilliseconds = 1500;
    const { end } = await simulate(
      function* (context) {
        return yield context.df.callActivityWithRetry('flaky', options);
      },
      { activity: failing(10) },
    );
    expect(end?.Result).toContain('was ended by retryTimeoutInMilliseconds');
  });

  it('left open by a Task.all whose failure is caught make the host warn', async () => {
    const options = new df.RetryOptions(DAY, 3);
    const { warnings } = await simulate(
      function* (context) {
        try {
          return yield context.df.Task.all([
            context.df.callActivity('breaks'),
            context.df.callActivityWithRetry('breaks', options),
          ]);
        } catch {
          return yield context.df.callActivity('after');
        }
      },
      { activity: failing(9) },
    );
    expect(warnings).toContainEqual(
      expect.stringContaining('A Task.all with retried children was left while children are open'),
    );
  });
});

it('retries left open by a Task.any make the host warn when work follows', async () => {
  const { warnings } = await simulate(
    function* (context) {
      const retried = context.df.callActivityWithRetry('breaks', new df.RetryOptions(DAY, 3));
      yield context.df.Task.any([context.df.callActivity('works'), retried]);
      return yield context.df.callActivity('after');
    },
    {
      activity: (name) => {
        if (name === 'breaks') throw new Error('broken');
      },
    },
  );
  expect(warnings).toContainEqual(expect.stringContaining('A Task.any with retried children was left'));
});

describe('an orchestrator whose code changed', () => {
  it('to another activity is Failed with both names', async () => {
    const { end } = await simulate(
      function* (context) {
        yield context.df.callActivity('before');
        yield context.df.callActivity('second');
      },
      {
        changed: {
          fromTurn: 2,
          orchestrator: function* (context) {
            yield context.df.callActivity('other');
          },
        },
      },
    );
    expect(end?.Result).toContain(
      "task 0 was an activity 'before' in an earlier run, and is an activity 'other' in this replay",
    );
  });

  it('to fewer steps is Failed with the step that is missing', async () => {
    const { end } = await simulate(
      function* (context) {
        yield context.df.callActivity('before');
        yield context.df.callActivity('second');
      },
      {
        changed: {
          fromTurn: 3,
          orchestrator: function* (context) {
            yield context.df.callActivity('before');
            return 'early';
          },
        },
      },
    );
    expect(end?.Result).toContain(
      "an earlier run scheduled an activity 'second' as task 1, and this replay has not scheduled it",
    );
  });
});
