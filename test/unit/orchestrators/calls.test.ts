import { describe, expect, expectTypeOf, test } from 'vitest';
import type { AttemptInput, LaunchResult } from '../../../src/activities/launch-batch.js';
import type { Outcome } from '../../../src/job/failure.js';
import {
  activitiesOf,
  defineOrchestrator,
  patientActivitiesOf,
  resultOf,
  type Step,
} from '../../../src/orchestrators/calls.js';
import { scoreBatch } from '../../../src/orchestrators/score-batch.js';
import { drive, expectPauses, ok } from '../../support/drive.js';
import { fakeContext } from '../../support/fake-context.js';

type Activities = ReturnType<typeof activitiesOf>;
const attempt: AttemptInput = { jobId: 'coast-abcd2345', batch: 0, first: 0, count: 4, attempt: 1 };
const away = { ok: false, failure: { blame: 'platform', message: 'away' } };

describe('a call of an activity', () => {
  test('compiles only with the name, the input and the result that the activity has', () => {
    expectTypeOf<Activities>().toHaveProperty('launchBatch');
    expectTypeOf<Activities>().not.toHaveProperty('launchBatches');
    expectTypeOf<Parameters<Activities['launchBatch']>[0]>().toEqualTypeOf<AttemptInput>();
    expectTypeOf<ReturnType<Activities['launchBatch']>>().toEqualTypeOf<Step<Outcome<LaunchResult>>>();
    expectTypeOf<Parameters<typeof scoreBatch.start>[1]>().not.toExtend<{ timeouts: unknown }>();
  });

  test('reaches the activity of that name with that input', () => {
    const caller = defineOrchestrator('caller', (context) => activitiesOf(context).launchBatch(attempt));
    const { calls, result } = drive(caller.run, {}, () => ok({ remaining: 4, stopped: false }));
    expect(calls).toEqual([{ type: 'activity', name: 'launchBatch', input: attempt }]);
    expect(result).toEqual(ok({ remaining: 4, stopped: false }));
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

  test('that throws in the host comes back as a failure with its sentence', () => {
    const caller = defineOrchestrator('caller', (context) => activitiesOf(context).launchBatch(attempt));
    const generator = caller.run(fakeContext({}, Date.now).context);
    generator.next();
    expect(generator.throw(new Error('the host is gone')).value).toMatchObject({
      ok: false,
      failure: { message: 'the host is gone' },
    });
  });
});

test('a sub-orchestration is started by its definition, under its name and an id', () => {
  const parent = defineOrchestrator('parent', (context) =>
    resultOf(
      scoreBatch.start(context, { ...attempt, retry: { maxAttempts: 1, firstDelaySeconds: 0 } }, 'coast-batch-0'),
    ),
  );
  const { calls, result } = drive(parent.run, {}, () => ({ failed: 0, missing: 0, message: '' }));
  expect(calls).toMatchObject([{ type: 'sub-orchestrator', name: 'scoreBatch', id: 'coast-batch-0' }]);
  expectTypeOf(result.missing).toBeNumber();
});
