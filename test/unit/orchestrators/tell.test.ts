import { describe, expect, test } from 'vitest';
import type { NoticeChoice } from '../../../src/job/notice.js';
import { tell } from '../../../src/orchestrators/tell.js';
import { drive, ok, pauses } from '../../support/drive.js';

const QUEUE: NoticeChoice = { queue: 'jobs-done' };
const HOOK: NoticeChoice = { webhook: 'https://example.com/hook', secret: 'MAIN' };
const busy = { ok: false, failure: { blame: 'platform', message: 'The webhook at example.com answered 503.' } };
const wrong = { ok: false, failure: { blame: 'user', message: 'The webhook at example.com answered 404.' } };

/** `answers`: what each try of the webhook comes to, the last one again and again. */
function tellAll(notify: NoticeChoice[], ...answers: object[]) {
  let tries = 0;
  const { result, calls } = drive(
    (context) => tell(context, 'coast-abcd2345', notify),
    {},
    (call) => {
      if (call.type !== 'activity' || !('webhook' in (call.input.choice as object))) return ok({ id: 'n' });
      tries += 1;
      return answers[Math.min(tries, answers.length) - 1] ?? ok({ id: 'n' });
    },
  );
  const queued = calls.filter((call) => call.type === 'activity' && 'queue' in (call.input.choice as object)).length;
  return { untold: result, tries, queued, pauses: pauses(calls) };
}

describe('the end of a job', () => {
  test('is told to nobody when nobody is named', () => {
    expect(tellAll([])).toEqual({ untold: [], tries: 0, queued: 0, pauses: [] });
  });

  test('is told once in every place that takes it', () => {
    expect(tellAll([QUEUE, HOOK])).toEqual({ untold: [], tries: 1, queued: 1, pauses: [] });
  });

  test('is told again, after growing pauses, only where the platform is to blame', () => {
    expect(tellAll([HOOK, QUEUE], busy, busy, ok({ id: 'n' }))).toEqual({
      untold: [],
      tries: 3,
      queued: 1,
      pauses: [10, 60],
    });
  });

  test('is given up after five tries, with a sentence', () => {
    const { untold, tries, pauses: waits } = tellAll([HOOK], busy);
    expect(tries).toBe(5);
    expect(waits).toEqual([10, 60, 300, 1800]);
    expect(untold).toEqual(['The end of the job could not be told: The webhook at example.com answered 503.']);
  });

  test('is given up at once where that would not change', () => {
    expect(tellAll([HOOK, QUEUE], wrong)).toMatchObject({
      tries: 1,
      queued: 1,
      pauses: [],
      untold: [expect.stringMatching(/404/) as string],
    });
  });
});
