import type { OrchestrationContext } from 'durable-functions';
import type { AttemptInput } from '../activities/launch-batch.js';
import type { SettleResult } from '../activities/settle-batch.js';
import type { Stop, WatchEnd } from '../job/attempt-end.js';
import type { Failure, Outcome } from '../job/failure.js';
import { type FailedAttempt, NEW_BATCH, nextStep, type RetryPolicy, withFailure } from '../job/retry.js';
import { activitiesOf, defineOrchestrator, patientActivitiesOf, sleep, type Step } from './calls.js';

export interface BatchInput {
  jobId: string;
  batch: number;
  /** Index of the batch's first item, and how many it has. */
  first: number;
  count: number;
  retry: RetryPolicy;
}

/** What became of the items of a batch, or of all batches of a lane. */
export interface BatchResult {
  failed: number;
  /** Items that have no output and no recorded failure, because the batch was given up. */
  missing: number;
  /** Set when the job cannot go on. */
  stop?: Stop;
  /** Why items are missing or failed; '' when all were scored. */
  message: string;
}

/**
 * Scores one batch: launches a container, watches it and settles it, then repeats with a new container for the missing items until
 * none are missing, its attempts are used up, or the platform has failed for too long. Never throws: a throw would end the parent's
 * Task.all while sibling batches still run.
 */
export const scoreBatch = defineOrchestrator('scoreBatch', function* (context, input: BatchInput): Step<BatchResult> {
  let history = NEW_BATCH;
  let latest: BatchResult = { failed: 0, missing: input.count, message: '' };
  for (let attempt = 1; ;) {
    const attemptsLeft = input.retry.maxAttempts - history.charged - 1;
    const { launched, outcome } = yield* runAttempt(context, input, attempt, attemptsLeft);
    // A launch that failed may still have started the container: trying again under the same name finds it.
    if (launched) attempt += 1;
    const missingBefore = latest.missing;
    if (outcome.ok) {
      const { failed, missing, ended } = outcome.value;
      latest = { failed, missing, message: ended.end === 'failed' ? ended.failure.message : ended.message };
      if (ended.end === 'complete') return latest;
      if (ended.end !== 'failed') {
        const reason = ended.end === 'cancelled' ? 'cancelled' : 'failed';
        return { ...latest, stop: { reason, message: ended.message } };
      }
    }
    const failure = failureIn(outcome);
    const { blame, message } = failure;
    if (blame !== 'attempt' && blame !== 'platform') return { ...latest, message, stop: { reason: 'failed', message } };
    const failed: FailedAttempt = {
      failure: { ...failure, blame },
      progressed: latest.missing < missingBefore,
      at: context.df.currentUtcDateTime.getTime(),
    };
    history = withFailure(history, failed);
    const next = nextStep(input.retry, history, failed, `${input.jobId} ${input.batch}`);
    if (next.step === 'give-up')
      return { ...latest, message: `Batch ${input.batch}: ${next.why}; the last failure was: ${message}` };
    yield* sleep(context, next.delaySeconds);
  }
});

function* runAttempt(
  context: OrchestrationContext,
  { jobId, batch, first, count }: BatchInput,
  attempt: number,
  attemptsLeft: number,
): Step<{ launched: boolean; outcome: Outcome<SettleResult> }> {
  const input: AttemptInput = { jobId, batch, first, count, attempt };
  const launchedAt = context.df.currentUtcDateTime.getTime();
  const launch = yield* activitiesOf(context).launchBatch(input);
  if (!launch.ok) return { launched: false, outcome: launch };
  const { remaining, stopped } = launch.value;
  const watched: Outcome<WatchEnd> =
    remaining > 0 && !stopped
      ? yield* watch(context, { ...input, launchedAt })
      : { ok: true, value: stopped ? 'stopped' : 'ended' };
  const watchEnd = watched.ok ? watched.value : 'unseen';
  // Settle the container even if watching it failed, because settling is what removes it.
  const settled = yield* patientActivitiesOf(context).settleBatch({ ...input, launchedAt, watchEnd, attemptsLeft });
  if (watched.ok) return { launched: true, outcome: settled };
  // A watch that failed is the attempt's failure, unless the batch is complete or the platform is to blame.
  const complete = settled.ok && settled.value.ended.end === 'complete';
  const platform = watched.failure.blame === 'platform';
  return { launched: true, outcome: settled.ok && (complete || platform) ? settled : watched };
}

function* watch(context: OrchestrationContext, input: AttemptInput & { launchedAt: number }): Step<Outcome<WatchEnd>> {
  const { observeBatch } = patientActivitiesOf(context);
  for (let pause = 0; ;) {
    if (pause > 0) yield* sleep(context, pause);
    const seen = yield* observeBatch(input, { ...input, again: true });
    if (!seen.ok) return seen;
    const { watchEnd, pollSeconds } = seen.value;
    if (watchEnd !== undefined) return { ok: true, value: watchEnd };
    pause = pollSeconds;
  }
}

/** Why an attempt did not complete its batch. */
function failureIn(outcome: Outcome<SettleResult>): Failure {
  if (!outcome.ok) return outcome.failure;
  const { ended } = outcome.value;
  return ended.end === 'failed' ? ended.failure : { blame: 'attempt', message: ended.message };
}
