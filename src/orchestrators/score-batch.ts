import type { OrchestrationContext } from 'durable-functions';
import type {
  AttemptInput,
  LaunchResult,
  ObserveInput,
  ObserveResult,
  SettleInput,
  SettleResult,
} from '../activities/inputs.js';
import type { Outcome } from '../job/outcome.js';
import { type AttemptFailure, NEW_BATCH, nextStep, withFailure } from '../job/retry.js';
import { callActivity, callPatiently, sleep, type Step } from './calls.js';
import type { BatchInput, ScoreResult } from './inputs.js';

/**
 * Scores one batch: launch, watch, settle; and again with a new container for what is missing, until nothing is or the
 * budget is spent. Never throws.
 */
export function* scoreBatch(context: OrchestrationContext): Step<ScoreResult> {
  const input = context.df.getInput<BatchInput>();
  let history = NEW_BATCH;
  let latest: ScoreResult = { done: 0, failed: 0, missing: input.count, message: '' };
  for (let attempt = 1; ;) {
    const { launched, outcome } = yield* runAttempt(
      context,
      input,
      attempt,
      input.retry.maxAttempts - history.charged - 1,
    );
    // A launch that failed may still have started the container: trying again under the same name finds it.
    if (launched) attempt += 1;
    const before = latest.missing;
    if (outcome.ok) latest = countsOf(outcome.value);
    const kind = outcome.ok ? outcome.value.failure : outcome.kind;
    if (kind === 'none') return latest;
    const message = outcome.ok ? outcome.value.message : outcome.message;
    if (kind === 'user' || kind === 'stopped' || kind === 'cancelled')
      return { ...latest, message, stop: { message, cancelled: kind === 'cancelled' } };
    const failure: AttemptFailure = {
      kind,
      progressed: latest.missing < before,
      at: context.df.currentUtcDateTime.getTime(),
      retryAfterSeconds: outcome.ok ? undefined : outcome.retryAfterSeconds,
    };
    history = withFailure(history, failure);
    const next = nextStep(input.retry, history, failure, `${input.jobId} ${input.batch}`);
    if (next.step === 'give-up')
      return { ...latest, message: `Batch ${input.batch}: ${next.why}; the last one ended because ${message}` };
    yield* sleep(context, next.delaySeconds);
  }
}

const countsOf = ({ done, failed, missing, message }: SettleResult): ScoreResult => ({
  done,
  failed,
  missing,
  message,
});

function* runAttempt(
  context: OrchestrationContext,
  batch: BatchInput,
  attempt: number,
  attemptsLeft: number,
): Step<{ launched: boolean; outcome: Outcome<SettleResult> }> {
  const { jobId, first, count, timeouts } = batch;
  const input: AttemptInput = { jobId, batch: batch.batch, first, count, attempt };
  const launchedAt = context.df.currentUtcDateTime.getTime();
  const launch = yield* callActivity<LaunchResult>(context, 'launchBatch', input);
  if (!launch.ok) return { launched: false, outcome: launch };
  const started = launch.value.remaining > 0 && !launch.value.stopped;
  const watched: Outcome<SettleInput['verdict']> = started
    ? yield* watch(context, { ...input, launchedAt, timeouts })
    : { ok: true, value: launch.value.stopped ? 'stopped' : 'ended' };
  const settle: SettleInput = { ...input, launchedAt, verdict: watched.ok ? watched.value : 'unseen', attemptsLeft };
  // Whatever was seen of it, the container is settled: that is what removes it.
  const settled = yield* callPatiently<SettleResult>(context, 'settleBatch', settle);
  const settledAnyway =
    settled.ok && (settled.value.failure === 'none' || (!watched.ok && watched.kind === 'platform'));
  return { launched: true, outcome: watched.ok || settledAnyway ? settled : watched };
}

function* watch(context: OrchestrationContext, input: ObserveInput): Step<Outcome<SettleInput['verdict']>> {
  const again: ObserveInput = { ...input, again: true };
  for (let pause = 0; ;) {
    if (pause > 0) yield* sleep(context, pause);
    const seen = yield* callPatiently<ObserveResult>(context, 'observeBatch', input, again);
    if (!seen.ok) return seen;
    if (seen.value.verdict !== 'running') return { ok: true, value: seen.value.verdict };
    pause = seen.value.pollSeconds;
  }
}
