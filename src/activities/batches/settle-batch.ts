import { isAlive, type ComputeProvider, type Observation } from '../../compute/provider.js';
import type { ItemRange } from '../../container-contract/places.js';
import { isIn, type Share, spansOf } from '../../container-contract/share.js';
import type { Printed } from '../../container-contract/printout.js';
import {
  type AttemptEnd,
  batchStanding,
  endTogether,
  type Evidence,
  judgeAttempt,
  messageOfEnd,
  type WatchEnd,
} from '../../job/attempts/attempt-end.js';
import {
  condemned,
  deathOf,
  NO_SUSPICION,
  suspect,
  type Suspicion,
  suspicionBefore,
  together,
} from '../../job/attempts/suspicion.js';
import { nameOfChoice } from '../../job/compute-choice.js';
import { hideSecrets, shorten } from '../../job/failure.js';
import type { FailedItem } from '../../container-contract/result.js';
import {
  type BatchState,
  lastAttempt,
  readBatchState,
  readProgress,
  readTask,
  unscoredOf,
  withCondemned,
} from '../../job-store/batches/batch-state.js';
import { keepLog } from '../../job-store/batches/logs.js';
import { containerName } from '../../job-store/layout.js';
import {
  computeOf,
  kindsOf,
  readResolvedJob,
  type ResolvedCompute,
  type ResolvedJob,
} from '../../job-store/resolved-job.js';
import { giveHelperPlaces, readShare } from '../../job-store/batches/helpers.js';
import {
  type EndedRun,
  NOT_LAUNCHED,
  readSettled,
  type SeenContainer,
  writeSettled,
} from '../../job-store/batches/settled.js';
import { readStop } from '../../job-store/stop.js';
import { noteWaiting, orNoteWaiting } from '../../job-store/batches/waiting.js';
import type { Storage } from '../../storage/storage.js';
import type { AttemptInput } from './launch-batch.js';
import type { LaunchedRun } from './observe-batch.js';
import { stopIfTooMuchIsLost } from './stop-exceeded.js';
import type { Invocation, Ports } from '../ports.js';
import { endedRun, readTraces, tellAttempt, type Traces } from './tell-attempt.js';

/** A container whose watch is over. */
export interface WatchedRun extends LaunchedRun {
  watchEnd: WatchEnd;
}

/** One that was to help. */
export interface WatchedHelper extends WatchedRun {
  /** Why it could not be launched. */
  refused?: string;
}

export interface SettleInput extends AttemptInput, WatchedRun {
  /** Settled with it; absent: none. */
  helpers?: WatchedHelper[];
}

export interface SettleResult {
  failed: number;
  /** Items with no output and no recorded failure. */
  missing: number;
  ended: AttemptEnd;
  /** Set when the run has shown of one more item that containers end of it. */
  identified?: true;
  /** Set when frames that it was to score are gone or damaged, and are to be split from their video again. */
  lostFrames?: true;
}

/**
 * After a container ended, with all that helped it: compares outputs with items, keeps their logs, removes them. Running it again gives the
 * same result.
 */
export function createSettleBatch({ storage, compute, telemetry }: Pick<Ports, 'storage' | 'compute' | 'telemetry'>) {
  const settle = async (input: SettleInput, invocation: Invocation | undefined): Promise<SettleResult> => {
    const { jobId, run = 1, batch, attempt, helpers = [] } = input;
    const job = await readResolvedJob(storage, jobId, run);
    const ranOn = computeOf(job, input.compute);
    const provider = compute[ranOn.kind];
    const runs: [WatchedRun, ...WatchedHelper[]] = [input, ...helpers];
    const last = runs.at(-1)?.attempt ?? attempt;
    const earlier = await readSettled(storage, jobId, batch);
    const known = earlier?.attempt === last ? earlier : undefined;
    const look = (each: WatchedRun, before?: Partial<SeenContainer>) =>
      see(storage, provider, { job, input, ranOn }, each, before);
    const [own, ...others] = await Promise.all([
      look(input, known),
      ...helpers.map((each) =>
        look(
          each,
          known?.helpers?.find(({ attempt: number }) => number === each.attempt),
        ),
      ),
    ]);
    const { observation, seenEnded } = own;
    // What was seen is kept before the containers go: a second delivery would find nothing.
    const before = { done: 0, failed: 0, phases: [], ends: [], unscored: [], ...earlier };
    const sights = { observation, seenEnded, helpers: others.length > 0 ? others : undefined };
    const settling = earlier?.settling ?? { attempt: attempt - 1, state: earlier?.state ?? 'retrying' };
    const interim = { ...before, batch, attempt: last, state: 'retrying', settling, message: '', ...sights } as const;
    // On a compute that refused it, it may have been started all the same.
    const providers = (input.moved ? kindsOf(job) : [ranOn.kind]).map((kind) => compute[kind]);
    const removeAll = () =>
      Promise.all(
        runs.flatMap((each) => providers.map((one) => one.remove(containerName(jobId, batch, each.attempt)))),
      );
    const haveEnded =
      !input.moved && [own, ...others].every(({ observation: { state: at } }) => HAS_ENDED.includes(at));
    // Those that may still store something go first.
    if (!haveEnded) {
      await writeSettled(storage, jobId, interim);
      await removeAll();
    }
    const suspicionThen = suspicionBefore(earlier?.suspicion ?? NO_SUSPICION, attempt);
    const stateThen = await readBatchState(storage, job, input, last, suspicionThen);
    const shared = others.length > 0 ? await readShared(storage, input) : undefined;
    const gatherOf = (each: WatchedHelper, seen: SeenContainer) =>
      gather(storage, input, each, { seen, stateThen, shared });
    const first = await gatherOf(input, own);
    const rest = await Promise.all(helpers.map((each, k) => gatherOf(each, others[k] ?? { ...own, ...each })));
    const found = [first, ...rest];
    const { result } = first.traces;
    const hadMore = (earlier?.moreMemory ?? attempt) < attempt;
    const isOutOfMemory = found.some(({ death, container }) => death && container.outOfMemory);
    const moreGb = hadMore || !isOutOfMemory ? undefined : memoryLeft(job, ranOn);
    const suspicions = await Promise.all(
      found.map((each) => suspectItems(storage, each, suspicionThen, moreGb !== undefined)),
    );
    const suspicion = together(suspicions);
    const state = withCondemned(stateThen, condemned(suspicion));
    const culprit = culpritOf(stateThen, state, result);
    const stop = state.missing.length > 0 ? await readStop(storage, jobId, run) : undefined;
    const judge = ({ watched: { watchEnd }, ...each }: Found) =>
      judgeAttempt({
        ...each,
        watchEnd,
        missing: state.missing.filter(each.isOwn).length,
        result: each.traces.result,
        stop,
      });
    const [ownEnd, ...helperEnds] = [judge(first), ...rest.map(judge)];
    const judged = helpers.length > 0 ? endTogether(state.missing.length, ownEnd, helperEnds) : ownEnd;
    const ended = inShort(withMemory(withItem(judged, culprit ?? state.failed[0], culprit !== undefined), moreGb));
    const ownEnds: [AttemptEnd, ...AttemptEnd[]] = helpers.length > 0 ? [ownEnd, ...helperEnds] : [ended];
    const message = messageOfEnd(ended);
    const standing = batchStanding(ended);
    const failed = state.failed.length;
    const isOf = (each: { attempt: number }) => runs.some((one) => one.attempt === each.attempt);
    const ends = [
      ...before.ends.filter((each) => !isOf(each)),
      ...(first.hasLaunched ? [endOf(ranOn, first, ownEnds[0])] : []),
      ...rest.map((each, k) => ({ ...endOf(ranOn, each, ownEnds[k + 1] ?? ended), helps: attempt })),
    ];
    await writeSettled(storage, jobId, {
      batch,
      attempt: last,
      runs: last - ends.filter(({ watchEnd }) => watchEnd === NOT_LAUNCHED).length - (first.hasLaunched ? 0 : 1),
      done: state.done.length,
      reused: state.reused,
      failed,
      state: standing,
      message,
      ...sights,
      phases: [
        ...before.phases.filter((each) => !isOf(each)),
        ...found.flatMap(({ traces }) => (traces.seen ? [traces.phases] : [])),
      ],
      ends,
      unscored: standing === 'done' ? unscoredOf(state) : [],
      suspicion,
      moreMemory: moreGb === undefined && !hadMore ? undefined : hadMore ? earlier?.moreMemory : attempt,
    });
    if (haveEnded) await removeAll();
    if (helpers.length > 0) await giveHelperPlaces(storage, jobId, batch);
    for (const [k, each] of found.entries())
      if (each.hasLaunched) {
        const { attempt: number, watchEnd } = each.watched;
        const told = { state, ended: ownEnds[k] ?? ended, watchEnd, scored: each.scored };
        tellAttempt(telemetry, job, { ...input, attempt: number }, each.traces, told, invocation);
      }
    if (standing === 'retrying') {
      const hasNoRoom = ended.end === 'failed' && ended.failure.noRoom;
      await noteWaiting(storage, { jobId, batch, attempt: last, ...(hasNoRoom && { turn: input.turn }) }, message);
    }
    if (failed > 0) await stopIfTooMuchIsLost(storage, job, { batch, failed, missing: 0 }, message);
    const lost = found.flatMap(({ traces }) => traces.result?.lost ?? []);
    const hasLost = lost.some((index) => state.missing.includes(index));
    return {
      failed,
      missing: state.missing.length,
      ended,
      ...(culprit && { identified: true }),
      ...(hasLost && { lostFrames: true }),
    };
  };
  return (input: SettleInput, invocation?: Invocation) =>
    orNoteWaiting(storage, input, () => settle(input, invocation));
}

/** Of a container that can do nothing any more. */
const HAS_ENDED: Observation['state'][] = ['succeeded', 'failed'];

/** The first line of an attempt's log, where its job has several computes. */
const whereItRan = (time: string, { kind, region }: ResolvedCompute, { place }: Observation): Printed => ({
  text: `The container ran on ${nameOfChoice({ kind, region: region ?? place?.region })}.`,
  stream: 'platform',
  level: 'info',
  time,
});

/** Looks at a container before it is removed, and keeps its log. @param known what an earlier delivery saw of it. */
async function see(
  storage: Storage,
  provider: ComputeProvider,
  { job, input: { jobId, batch }, ranOn }: { job: ResolvedJob; input: AttemptInput; ranOn: ResolvedCompute },
  { attempt, launchedAt }: WatchedRun,
  known: Partial<SeenContainer> = {},
): Promise<SeenContainer> {
  const name = containerName(jobId, batch, attempt);
  const { observation = await provider.observe(name), seenEnded = new Date().toISOString() } = known;
  await keepLog(storage, { jobId, batch, attempt }, async () => [
    ...(job.computes ? [whereItRan(new Date(launchedAt).toISOString(), ranOn, observation)] : []),
    ...(await provider.logs(name)),
    ...howItEnded(observation.endedAt ?? seenEnded, observation),
  ]);
  return { attempt, observation, seenEnded };
}

/** Who has scored which of the items that had no output when the first of the containers was launched. */
interface Shared {
  share: Share | undefined;
  items: Set<number>;
}

async function readShared(storage: Storage, input: AttemptInput): Promise<Shared> {
  const { jobId, batch, attempt } = input;
  const [share, task] = await Promise.all([readShare(storage, jobId, batch, attempt), readTask(storage, input)]);
  return { share, items: new Set(task?.items.map(({ index }) => index)) };
}

/** A container that has ended. */
interface Found extends Pick<Evidence, 'container'> {
  input: AttemptInput;
  watched: WatchedHelper;
  traces: Traces;
  /** Whether a container was launched: an attempt of a job that was stopped, or of a batch that was complete, has none. */
  hasLaunched: boolean;
  death: ReturnType<typeof deathOf>;
  /** Items without an output that it was to score. */
  missing: number[];
  isOwn: (index: number) => boolean;
  /** Of a batch that several have scored: its items, and how many of them have an output from it. */
  ranges?: ItemRange[];
  scored?: number;
}

async function gather(
  storage: Storage,
  batch: SettleInput,
  watched: WatchedHelper,
  { seen, stateThen: state, shared }: { seen: SeenContainer; stateThen: BatchState; shared: Shared | undefined },
): Promise<Found> {
  const { attempt, launchedAt, watchEnd } = watched;
  const input = { ...batch, attempt };
  const { observation, seenEnded } = seen;
  const launched = new Date(launchedAt).toISOString();
  const traces = await readTraces(storage, input, { observation, seenEnded, state, launched });
  const container = { ...observation, alive: isAlive(observation) };
  const isHelper = attempt !== batch.attempt;
  const ranges = shared?.share && spansOf(shared.share, attempt).map(({ first, last }) => ({ first, last }));
  const isOwn = (index: number) => (ranges ? isIn(ranges, index) : !isHelper);
  const wasLaunched = isHelper
    ? watched.refused === undefined
    : traces.seen || (await lastAttempt(storage, batch.jobId, batch.batch)) >= attempt;
  return {
    input,
    watched,
    traces,
    container,
    hasLaunched: traces.seen || wasLaunched,
    death: deathOf({ watchEnd, container, result: traces.result }),
    missing: state.missing.filter(isOwn),
    isOwn,
    ...(shared && { ranges, scored: state.done.filter((index) => shared.items.has(index) && isOwn(index)).length }),
  };
}

function endOf(ranOn: ResolvedCompute, { watched, traces, hasLaunched, ranges }: Found, ended: AttemptEnd): EndedRun {
  const { attempt, watchEnd, refused = '' } = watched;
  if (hasLaunched) return { ...endedRun(attempt, ranOn, traces.observation, { ended, watchEnd }), ranges };
  return { attempt, end: 'failed', blame: 'platform', message: refused, watchEnd: NOT_LAUNCHED };
}

/** The last line of an attempt's log, where its container did not end well by itself. */
const howItEnded = (time: string, { reason }: Observation): Printed[] =>
  reason === undefined
    ? []
    : [{ text: `The container has ended: ${reason}.`, stream: 'platform', level: 'error', time }];

/** Finds out which items a container may have died of, from what its scorer had announced. */
async function suspectItems(
  storage: Storage,
  { input, traces, death, missing }: Found,
  before: Suspicion,
  isExcused: boolean,
): Promise<Suspicion> {
  const { attempt } = input;
  const hung = traces.result?.hung;
  if (!death && !hung && before.suspects.length === 0) return before;
  const [task, at] = await Promise.all([readTask(storage, input), traces.progress ?? readProgress(storage, input)]);
  const nameOf = (index: number) => task?.items.find((item) => item.index === index)?.name ?? '';
  return suspect(before, { attempt, alone: task?.alone ?? [], missing, death, isExcused, at, hung, nameOf });
}

/** How much memory the next container of a batch gets after one that ran out of it; undefined when no more than that. */
const memoryLeft = ({ spec }: ResolvedJob, { memory }: ResolvedCompute) =>
  spec.retry.escalateMemory ? memory?.moreGb : undefined;

function withMemory(ended: AttemptEnd, moreGb: number | undefined): AttemptEnd {
  if (ended.end !== 'failed' || moreGb === undefined) return ended;
  const message = `${ended.failure.message}; any further container of the batch gets ${moreGb} GB of memory`;
  return { ...ended, failure: { ...ended.failure, message } };
}

/** The item that this run has shown to be the one that containers end of. */
function culpritOf(before: BatchState, after: BatchState, result: Traces['result']): FailedItem | undefined {
  const hung = result?.hung;
  if (hung) return after.failed.find(({ index }) => hung.includes(index));
  return after.failed.find(({ index }) => before.missing.includes(index));
}

/** What scorers and platforms say may be as long as they like. */
const inShort = (ended: AttemptEnd): AttemptEnd =>
  ended.end === 'failed' ? { ...ended, failure: { ...ended.failure, message: shorten(ended.failure.message) } } : ended;

/** A batch that is complete names the first of its items that could not be scored; a run that ended of an item names that. */
function withItem(ended: AttemptEnd, item: FailedItem | undefined, isCulprit: boolean): AttemptEnd {
  if (!item) return ended;
  const message = shorten(hideSecrets(`${item.name}: ${item.reason}`));
  if (ended.end === 'complete') return { ...ended, message };
  return ended.end === 'failed' && isCulprit ? { ...ended, failure: { ...ended.failure, message } } : ended;
}
