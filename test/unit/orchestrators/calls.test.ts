import { describe, expect, expectTypeOf, test } from 'vitest';
import type { LaunchInput, LaunchResult } from '../../../src/activities/batches/launch-batch.js';
import type { Outcome } from '../../../src/job/failure.js';
import {
  activitiesOf,
  defineOrchestrator,
  patientActivitiesOf,
  runChildren,
  sleep,
  type Step,
  WAKE,
} from '../../../src/orchestrators/calls.js';
import { type BatchResult, scoreBatch } from '../../../src/orchestrators/score-batch.js';
import { type Call, drive, expectPauses, ok, pauses } from '../../support/drive.js';
import { fakeContext } from '../../support/fake-context.js';

type Activities = ReturnType<typeof activitiesOf>;
const attempt: LaunchInput = { jobId: 'coast-abcd2345', batch: 0, first: 0, count: 4, attempt: 1 };
const away = { ok: false, failure: { blame: 'platform', message: 'away' } };

describe('a call of an activity', () => {
  test('compiles only with the name, the input and the result that the activity has', () => {
    expectTypeOf<Activities>().toHaveProperty('launchBatch');
    expectTypeOf<Activities>().not.toHaveProperty('launchBatches');
    expectTypeOf<Parameters<Activities['launchBatch']>[0]>().toEqualTypeOf<LaunchInput>();
    expectTypeOf<ReturnType<Activities['launchBatch']>>().toEqualTypeOf<Step<Outcome<LaunchResult>>>();
    expectTypeOf<Parameters<typeof scoreBatch.start>[1]>().not.toExtend<{ timeouts: unknown }>();
  });

  test('reaches the activity of that name with that input', () => {
    const caller = defineOrchestrator('caller', (context) => activitiesOf(context).launchBatch(attempt));
    const { calls, result } = drive(caller.run, {}, () => ok({ attempt: 1, remaining: 4, stopped: false }));
    expect(calls).toEqual([{ type: 'activity', name: 'launchBatch', input: attempt }]);
    expect(result).toEqual(ok({ attempt: 1, remaining: 4, stopped: false }));
  });

  test('is made once, or patiently until the platform has failed six times', () => {
    const once = defineOrchestrator('once', (context) => activitiesOf(context).launchBatch(attempt));
    const patient = defineOrchestrator('patient', (context) => patientActivitiesOf(context).launchBatch(attempt));
    expect(drive(once.run, {}, () => away).calls).toHaveLength(1);
    const { calls, result } = drive(patient.run, {}, () => away);
    expect(calls.filter(({ type }) => type === 'activity')).toHaveLength(6);
    expectPauses(calls, [2, 4, 8, 16, 32]);
    expect(result).toEqual(away);
  });

  test.each([
    [
      'node exited with code 137 (0x89)',
      `Activity function 'launchBatch' failed: node exited with code 137 (0x89) \n {"$type":"Microsoft.Azure.WebJobs.Script.Workers.WorkerProcessExitException","Message":"node exited","StackTraceString":"   at Microsoft.Azure.WebJobs"}`,
    ],
    [
      'Timeout value of 00:00:15 was exceeded by function: Functions.slow',
      `Activity function 'slow' failed: Timeout value of 00:00:15 was exceeded by function: Functions.slow \n {"$type":"FunctionTimeoutException"}`,
    ],
    ['it gave no reason', ''],
  ])('that the host itself has ended (%s) is the failure of the platform, told in one sentence', (reason, text) => {
    const caller = defineOrchestrator('caller', (context) => activitiesOf(context).launchBatch(attempt));
    const { result } = drive(caller.run, {}, () => {
      throw new Error(text);
    });
    const message = `The Functions host ended launchBatch: ${reason}.`;
    expect(result).toEqual({ ok: false, failure: { blame: 'platform', message } });
  });

  test('that the host has ended is made again by those who are patient', () => {
    const patient = defineOrchestrator('patient', (context) => patientActivitiesOf(context).launchBatch(attempt));
    let tries = 0;
    const { result } = drive(patient.run, {}, () => {
      tries += 1;
      if (tries < 3) throw new Error('node exited with code 137');
      return ok({ attempt: 1, remaining: 4, stopped: false });
    });
    expect(result.ok).toBe(true);
  });
});

describe('a sleep', () => {
  const sleeper = defineOrchestrator('sleeper', function* (context) {
    yield* sleep(context, 300);
    yield* sleep(context, 300);
  });

  test('ends when its time is over', () => {
    expect(pauses(drive(sleeper.run, {}, () => undefined).calls)).toEqual([300, 300]);
  });

  test('ends early at the event, and leaves no timer behind', () => {
    const generator = sleeper.run(fakeContext({}, Date.now).context);
    const cancelled: boolean[] = [];
    for (let next = generator.next(); !next.done; next = generator.next()) {
      const asked: unknown = next.value;
      const { event, timer } = asked as { event: string; timer: { cancel: () => void } };
      expect(event).toBe(WAKE);
      timer.cancel = () => cancelled.push(true);
    }
    expect(cancelled).toEqual([true, true]);
  });
});

describe('sub-orchestrations', () => {
  const child = { ...attempt, retry: { maxAttempts: 1, firstDelaySeconds: 0 } };
  const parent = defineOrchestrator('parent', (context) =>
    runChildren(context, scoreBatch, [
      { instanceId: 'coast-batch-0', input: child },
      { instanceId: 'coast-batch-1', input: { ...child, batch: 1 } },
    ]),
  );
  const result = { failed: 0, missing: 0, message: '' };
  const started = (calls: Call[]) =>
    calls.flatMap((call) => (call.type === 'sub-orchestrator' ? [[call.id, call.input.again]] : []));
  const dies = () => {
    throw new Error("Orchestrator function 'scoreBatch' failed: Non-Deterministic workflow detected: odd. \n at Core");
  };

  test('are started by their definition, under its name and their ids', () => {
    const { calls, result: ended } = drive(parent.run, {}, () => result);
    expect(calls).toMatchObject([
      { type: 'sub-orchestrator', name: 'scoreBatch', id: 'coast-batch-0' },
      { type: 'sub-orchestrator', name: 'scoreBatch', id: 'coast-batch-1' },
    ]);
    expect(ended).toEqual([ok(result), ok(result)]);
    expectTypeOf(ended).toEqualTypeOf<Outcome<BatchResult>[]>();
  });

  test('that the host has failed are started again under new ids once the others have ended, and keep their places', () => {
    const { calls, result: ended } = drive(parent.run, {}, (call) =>
      call.type === 'sub-orchestrator' && call.id === 'coast-batch-0' ? dies() : { ...result, message: 'x' },
    );
    expect(started(calls)).toEqual([
      ['coast-batch-0', undefined],
      ['coast-batch-1', undefined],
      ['coast-batch-0-again-1', true],
    ]);
    expect(ended).toEqual([ok({ ...result, message: 'x' }), ok({ ...result, message: 'x' })]);
  });

  test('that the host fails again and again end with why, as the failure of the platform', () => {
    const { calls, result: ended } = drive(parent.run, {}, (call) =>
      call.type === 'sub-orchestrator' && call.id?.startsWith('coast-batch-1') ? dies() : result,
    );
    expect(started(calls).map(([id]) => id)).toEqual([
      'coast-batch-0',
      'coast-batch-1',
      'coast-batch-1-again-1',
      'coast-batch-1-again-2',
      'coast-batch-1-again-3',
    ]);
    const message = 'The Functions host ended scoreBatch: Non-Deterministic workflow detected: odd.';
    expect(ended).toEqual([ok(result), { ok: false, failure: { blame: 'platform', message } }]);
  });
});
