import type { OrchestrationContext } from 'durable-functions';
import type { AttemptInput, LaunchInput } from '../activities/batches/launch-batch.js';
import type { SettleResult } from '../activities/batches/settle-batch.js';
import { messageOfEnd, type Stop, type WatchEnd } from '../job/attempts/attempt-end.js';
import { type Failure, type Outcome, shorten } from '../job/failure.js';
import {
  type BatchHistory,
  type FailedAttempt,
  NEW_BATCH,
  nextStep,
  type RetryPolicy,
  withFailure,
} from '../job/attempts/retry.js';
import { beginBatch, PlaceSearch, ROOM_EVERYWHERE, type RoomPolicy, type Search } from '../job/attempts/room.js';
import { activitiesOf, defineOrchestrator, isLong, patientActivitiesOf, sleep, type Step } from './calls.js';

export interface BatchInput {
  jobId: string;
  batch: number;
  /** Index of the batch's first item, and how many it has. */
  first: number;
  count: number;
  retry: RetryPolicy;
  /** Set when the batch has been scored before: the first attempt is the one that may still run, or the next one. */
  again?: true;
  /** Set when the job has several computes. */
  room?: RoomPolicy;
  /** What the lane knows of their room; nothing, when left out. */
  search?: Search;
  /** What earlier executions have come to, of a batch that takes long. */
  soFar?: BatchSoFar;
}

interface BatchSoFar {
  /** The next one, or the one that is watched. */
  attempt: number;
  again?: true | undefined;
  /** What happened to the attempt before, for its custom status. */
  lately: string;
  history: BatchHistory;
  latest: BatchResult;
  search?: Search;
  watched?: Watched;
}

/** An attempt that runs, on the durable clock, and the seconds until the next look at it. */
interface Watched extends Launched {
  pause: number;
}

/** An attempt that was launched, when and where. */
interface Launched extends Pick<AttemptInput, 'attempt' | 'compute' | 'moved' | 'turn'> {
  launchedAt: number;
}

const LONGEST_LATELY = 300;

/** What became of the items of a batch, or of all batches of a lane. */
export interface BatchResult {
  failed: number;
  /** Items that have no output and no recorded failure, because the batch was given up. */
  missing: number;
  /** How many batches of a lane were given up with items missing. */
  givenUp?: number;
  /** Set when the job cannot go on. */
  stop?: Stop;
  /** Why items are missing or failed; '' when all were scored. */
  message: string;
  /** What is known now of the room on the computes of the job, if it has several. */
  search?: Search;
}

export const NO_RESULT: BatchResult = { failed: 0, missing: 0, message: '' };

/** What became of both: a job that was cancelled is so, whatever else has stopped it. */
export function addResult(
  total: BatchResult,
  { failed, missing, givenUp = 0, stop, message }: BatchResult,
): BatchResult {
  const sum = (total.givenUp ?? 0) + givenUp;
  const first = stop?.reason === 'cancelled' ? stop : (total.stop ?? stop);
  return {
    failed: total.failed + failed,
    missing: total.missing + missing,
    ...(sum > 0 && { givenUp: sum }),
    ...(first && { stop: first }),
    message: total.message || message,
  };
}

/**
 * Scores one batch: launches a container, watches it and settles it, then repeats with a new container for the missing items until
 * none are missing, its attempts are used up, or the platform has failed for too long. A platform that is of no use to one batch for so
 * long is of none to the others either, so that ends the job. Never throws: a throw would end the parent's Task.all while sibling
 * batches still run.
 */
export const scoreBatch = defineOrchestrator('scoreBatch', function* (context, input: BatchInput): Step<BatchResult> {
  const { room, search = ROOM_EVERYWHERE, soFar } = input;
  if (room === undefined) return yield* attemptAll(context, input, undefined);
  const now = context.df.currentUtcDateTime.getTime();
  const place = new PlaceSearch(room, soFar?.search ?? beginBatch(search, room, now));
  const result = yield* attemptAll(context, input, place);
  return { ...result, search: place.search };
});

function* attemptAll(
  context: OrchestrationContext,
  input: BatchInput,
  place: PlaceSearch | undefined,
): Step<BatchResult> {
  const { jobId, batch, first, count } = input;
  const begun: BatchSoFar = {
    attempt: 1,
    again: input.again,
    lately: '',
    history: NEW_BATCH,
    latest: { ...NO_RESULT, missing: count },
  };
  let { attempt, again, lately, history, latest, watched } = input.soFar ?? begun;
  const goOnAsNew = (running?: Watched) => {
    const known = { attempt, again, lately, history, latest, ...(place && { search: place.search }) };
    const soFar = { ...known, ...(running && { watched: running }) };
    context.df.continueAsNew({ ...input, soFar } satisfies BatchInput);
    return latest;
  };
  for (;;) {
    const askedAt = context.df.currentUtcDateTime.getTime();
    const attempted = { jobId, batch, first, count, attempt, again, ...place?.where(askedAt) };
    const on = place === undefined ? '' : ` on ${place.name}`;
    context.df.setCustomStatus(`scores items ${first} to ${first + count - 1}, attempt ${attempt}${on}${lately}`);
    const ran = yield* runAttempt(context, attempted, watched);
    if ('watched' in ran) return goOnAsNew(ran.watched);
    const { launched, outcome } = ran;
    watched = undefined;
    // A launch that failed may still have started the container: trying again under the same name finds it.
    if (launched !== undefined) {
      attempt = launched.attempt + 1;
      again = undefined;
      place?.hasLaunched(launched.compute);
    }
    const before = latest;
    let identified = false;
    if (outcome.ok) {
      const { failed, missing, ended } = outcome.value;
      identified = outcome.value.identified === true;
      latest = { failed, missing, message: messageOfEnd(ended) };
      if (ended.end === 'complete') {
        place?.hasRoom();
        return latest;
      }
      if (ended.end === 'stopped') return { ...latest, stop: ended.stop };
    }
    const failure = failureIn(outcome);
    const { blame, message } = failure;
    const ranOn = place && { compute: place.search.compute };
    const last = { jobId, batch, first, count, attempt: Math.max(1, attempt - 1), ...ranOn };
    if (blame !== 'attempt' && blame !== 'platform')
      return yield* giveUp(context, last, latest, { reason: 'failed', blame: 'user', message });
    const failed: FailedAttempt = {
      failure: { ...failure, blame },
      progressed: latest.missing < before.missing,
      scored: latest.missing + latest.failed < before.missing + before.failed,
      identified,
      at: context.df.currentUtcDateTime.getTime(),
    };
    history = withFailure(history, failed);
    const next = nextStep(input.retry, history, failed, `${jobId} ${batch}`);
    if (next.step === 'give-up') {
      const why = shorten(`Batch ${batch}: ${next.why}; the last failure was: ${message}`);
      const stop: Stop | undefined =
        blame === 'platform' ? { reason: 'failed', blame, message: asSentence(why) } : undefined;
      return yield* giveUp(context, last, { ...latest, message: why }, stop);
    }
    lately = ` after: ${shorten(message, LONGEST_LATELY)}`;
    const tried = {
      askedAt: launched?.launchedAt ?? askedAt,
      at: failed.at,
      delaySeconds: next.delaySeconds,
      isLaunched: launched !== undefined,
    };
    yield* sleep(context, place?.afterFailure(failure, tried) ?? next.delaySeconds);
    if (isLong(context)) return goOnAsNew();
  }
}

/** @param stop set when the other batches are to end, too. */
function* giveUp(
  context: OrchestrationContext,
  attempt: AttemptInput,
  result: BatchResult,
  stop: Stop | undefined,
): Step<BatchResult> {
  const message = stop?.message ?? result.message;
  const recorded = yield* patientActivitiesOf(context).giveUpBatch({ ...attempt, message, ...(stop ? { stop } : {}) });
  // Without the record the job still knows how the batch ended; only its status and the other batches learn it later.
  const { failed, missing } = recorded.ok ? recorded.value : result;
  return { ...result, failed, missing, message, ...(stop ? { stop } : {}) };
}

const asSentence = (text: string) => (text.endsWith('.') ? text : `${text}.`);

/** @returns what became of it, or where the watch over it is when it is time to go on as a new execution. */
function* runAttempt(
  context: OrchestrationContext,
  input: LaunchInput,
  before: Watched | undefined,
): Step<{ launched?: Launched; outcome: Outcome<SettleResult> } | { watched: Watched }> {
  const { jobId, batch, first, count, compute, moved, turn } = input;
  let watchEnd: Outcome<WatchEnd> | undefined;
  let running = before;
  if (!running) {
    const launchedAt = context.df.currentUtcDateTime.getTime();
    const launch = yield* activitiesOf(context).launchBatch(input);
    if (!launch.ok) return { outcome: launch };
    const { remaining, stopped, ...where } = launch.value;
    running = { compute, moved, turn, ...where, launchedAt, pause: 0 };
    if (stopped || remaining === 0) watchEnd = { ok: true, value: stopped ? 'stopped' : 'ended' };
  }
  const { pause, ...launched } = running;
  const run = { jobId, batch, first, count, ...launched };
  if (!watchEnd) {
    const seen = yield* watch(context, run, pause);
    if ('pause' in seen) return { watched: { ...launched, pause: seen.pause } };
    watchEnd = seen;
  }
  // Settle the container even if watching it failed, because settling is what removes it.
  const ended = watchEnd.ok ? watchEnd.value : 'unseen';
  const settled = yield* patientActivitiesOf(context).settleBatch({ ...run, watchEnd: ended });
  if (watchEnd.ok) return { launched, outcome: settled };
  // A watch that failed is the attempt's failure, unless the batch is complete or the platform is to blame.
  const complete = settled.ok && settled.value.ended.end === 'complete';
  const platform = watchEnd.failure.blame === 'platform';
  return { launched, outcome: settled.ok && (complete || platform) ? settled : watchEnd };
}

/** @returns how the watch has ended, or the pause before its next look when it is time to go on as a new execution. */
function* watch(
  context: OrchestrationContext,
  input: AttemptInput & { launchedAt: number },
  firstPause: number,
): Step<Outcome<WatchEnd> | { pause: number }> {
  const { observeBatch } = patientActivitiesOf(context);
  for (let pause = firstPause; ;) {
    const woken = pause > 0 && (yield* sleep(context, pause));
    const look = woken ? { ...input, woken } : input;
    const seen = yield* observeBatch(look, { ...look, again: true });
    if (!seen.ok) return seen;
    const { watchEnd, pollSeconds } = seen.value;
    if (watchEnd !== undefined) return { ok: true, value: watchEnd };
    pause = pollSeconds;
    if (isLong(context)) return { pause };
  }
}

/** Why an attempt did not complete its batch. */
function failureIn(outcome: Outcome<SettleResult>): Failure {
  if (!outcome.ok) return outcome.failure;
  const { ended } = outcome.value;
  return ended.end === 'failed' ? ended.failure : { blame: 'attempt', message: messageOfEnd(ended) };
}
