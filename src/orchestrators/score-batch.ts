import type { OrchestrationContext } from 'durable-functions';
import type { AttemptInput, LaunchInput } from '../activities/batches/launch-batch.js';
import type { LaunchedRun, ObserveResult } from '../activities/batches/observe-batch.js';
import type { SettleResult } from '../activities/batches/settle-batch.js';
import { messageOfEnd, type Stop } from '../job/attempts/attempt-end.js';
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
  /** Batches that are scored in this run of the job; absent where the batch gets no help by idle containers. */
  batches?: number;
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
  /** Those that were to help it. */
  helpers: Helper[];
  /** How often it was worth to ask for help. */
  asked: number;
}

/** One that could not be launched may have been, so that it is settled with the others. */
interface Helper extends LaunchedRun {
  refused?: string;
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
 * Scores one batch: launches a container, watches it and settles it, with those that came to help it once others were idle, then repeats
 * with a new container for the missing items until none are missing, its attempts are used up, or the platform has failed for too long. A
 * platform that is of no use to one batch for so long is of none to the others either, so that ends the job. Never throws: a throw would
 * end the parent's Task.all while sibling batches still run.
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
  const { jobId, batch, first, count, batches } = input;
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
    const waited = lately === '' ? {} : ({ waited: true } as const);
    const attempted = { jobId, batch, first, count, attempt, again, ...waited, ...place?.where(askedAt) };
    const now = `scores items ${first} to ${first + count - 1}, attempt ${attempt}${place ? ` on ${place.name}` : ''}`;
    const say = (helpers: Helper[]) => context.df.setCustomStatus(`${now}${helpersInWords(helpers)}${lately}`);
    say(watched?.helpers ?? []);
    const ran = yield* runAttempt(context, attempted, watched, { batches, say });
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
    const ranOn = place && { compute: place.search.compute };
    const last = { jobId, batch, first, count, attempt: Math.max(1, attempt - 1), ...ranOn };
    let failure = failureIn(outcome);
    if (outcome.ok && outcome.value.lostFrames) {
      context.df.setCustomStatus(`splits frames again, after attempt ${last.attempt}: ${failure.message}`);
      const mended = yield* patientActivitiesOf(context).mendFrames({
        jobId,
        batch,
        first,
        count,
        attempt: last.attempt,
      });
      const lostAgain = mended.ok ? mended.value.lostAgain : undefined;
      if (lostAgain !== undefined)
        return yield* giveUp(context, last, latest, { reason: 'failed', blame: 'platform', message: lostAgain });
      failure = mended.ok ? { ...failure, isOver: true } : mended.failure;
    }
    const { blame, message } = failure;
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

/** Whether a batch may get help, and what is told who helps it. */
interface Help {
  batches: number | undefined;
  say: (helpers: Helper[]) => void;
}

/** @returns what became of it and of those that helped, or where the watch over it is when it is time to go on as a new execution. */
function* runAttempt(
  context: OrchestrationContext,
  input: LaunchInput,
  before: Watched | undefined,
  help: Help,
): Step<{ launched?: Launched; outcome: Outcome<SettleResult> } | { watched: Watched }> {
  const { jobId, batch, first, count, compute, moved, turn } = input;
  let ends: Outcome<WatchEnds> | undefined;
  let running = before;
  if (!running) {
    const launchedAt = context.df.currentUtcDateTime.getTime();
    const launch = yield* activitiesOf(context).launchBatch(input);
    if (!launch.ok) return { outcome: launch };
    const { remaining, stopped, helpers: found = [], ...where } = launch.value;
    const helpers = found.map((attempt) => ({ attempt, launchedAt }));
    running = { compute, moved, turn, ...where, launchedAt, pause: 0, helpers, asked: 0 };
    if (stopped || remaining === 0) ends = { ok: true, value: { watchEnd: stopped ? 'stopped' : 'ended' } };
  }
  const { pause: _, helpers, asked: __, ...own } = running;
  const run = { jobId, batch, first, count, ...own };
  if (!ends) {
    const seen = yield* watch(context, run, running, help);
    if ('pause' in seen) return { watched: seen };
    ends = seen;
  }
  const { watchEnd, helperEnds = [] } = ends.ok ? ends.value : { watchEnd: 'unseen' as const };
  const endOf = (helper: Helper) => helperEnds[launchedOf(helpers).indexOf(helper)] ?? watchEnd;
  // Settle the containers even if watching them failed, because settling is what removes them.
  const settled = yield* patientActivitiesOf(context).settleBatch({
    ...run,
    watchEnd,
    ...(helpers.length > 0 && { helpers: helpers.map((helper) => ({ ...helper, watchEnd: endOf(helper) })) }),
  });
  const launched = { ...own, attempt: helpers.at(-1)?.attempt ?? own.attempt };
  if (ends.ok) return { launched, outcome: settled };
  // A watch that failed is the attempt's failure, unless the batch is complete or the platform is to blame.
  const complete = settled.ok && settled.value.ended.end === 'complete';
  const platform = ends.failure.blame === 'platform';
  return { launched, outcome: settled.ok && (complete || platform) ? settled : ends };
}

type WatchEnds = Required<Pick<ObserveResult, 'watchEnd'>> & Pick<ObserveResult, 'helperEnds'>;

/** How often a batch asks for help. */
const MOST_ASKED = 5;

const launchedOf = (helpers: Helper[]) => helpers.filter(({ refused }) => refused === undefined);

/** @returns how the watch has ended, or where it is when it is time to go on as a new execution. */
function* watch(
  context: OrchestrationContext,
  input: AttemptInput & LaunchedRun,
  running: Watched,
  { batches, say }: Help,
): Step<Outcome<WatchEnds> | Watched> {
  const { observeBatch } = patientActivitiesOf(context);
  const { helpers } = running;
  for (;;) {
    const { pause, asked } = running;
    const woken = pause > 0 && (yield* sleep(context, pause));
    const launched = launchedOf(helpers);
    // What was refused is not asked for again.
    const mayAsk = batches !== undefined && asked < MOST_ASKED && launched.length === helpers.length;
    const look = {
      ...input,
      ...(launched.length > 0 && { helpers: launched }),
      ...(mayAsk && { batches }),
      ...(woken && { woken }),
    };
    const seen = yield* observeBatch(look, { ...look, again: true });
    if (!seen.ok) return seen;
    const { watchEnd, helperEnds, pollSeconds, help = 0 } = seen.value;
    if (watchEnd !== undefined) return { ok: true, value: { watchEnd, ...(helperEnds && { helperEnds }) } };
    running.pause = pollSeconds;
    if (mayAsk && help > 0) {
      running.asked += 1;
      yield* launchHelpers(context, { ...input, batches }, helpers, help);
      say(helpers);
    }
    if (isLong(context)) return running;
  }
}

/** Launches so many one after another, as long as there is room. */
function* launchHelpers(
  context: OrchestrationContext,
  { jobId, batch, first, count, compute, attempt: helps, batches }: AttemptInput & { batches: number },
  helpers: Helper[],
  most: number,
): Step<void> {
  for (let launched = 0; launched < most; launched += 1) {
    const attempt = (helpers.at(-1)?.attempt ?? helps) + 1;
    const launchedAt = context.df.currentUtcDateTime.getTime();
    const on = compute === undefined ? {} : { compute };
    const input = { jobId, batch, first, count, attempt, helps, batches, ...on };
    const helped = yield* activitiesOf(context).helpBatch(input);
    if (helped.ok && !helped.value.launched) return;
    helpers.push({
      attempt,
      launchedAt,
      ...(!helped.ok && { refused: shorten(helped.failure.message, LONGEST_LATELY) }),
    });
    if (!helped.ok) return;
  }
}

function helpersInWords(helpers: Helper[]): string {
  const launched = launchedOf(helpers).map(({ attempt }) => attempt);
  const refused = helpers.find((helper) => helper.refused !== undefined)?.refused;
  const helped = launched.length > 0 ? `, helped by ${launched.join(', ')}` : '';
  return `${helped}${refused === undefined ? '' : `, no more help: ${refused}`}`;
}

/** Why an attempt did not complete its batch. */
function failureIn(outcome: Outcome<SettleResult>): Failure {
  if (!outcome.ok) return outcome.failure;
  const { ended } = outcome.value;
  return ended.end === 'failed' ? ended.failure : { blame: 'attempt', message: messageOfEnd(ended) };
}
