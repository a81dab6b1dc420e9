import type { Observation } from '../../compute/provider.js';
import type { Printed } from '../../container-contract/printout.js';
import {
  type AttemptEnd,
  batchStanding,
  judgeAttempt,
  messageOfEnd,
  type WatchEnd,
} from '../../job/attempts/attempt-end.js';
import {
  condemned,
  deathOf,
  type EndedAttempt,
  NO_SUSPICION,
  suspect,
  type Suspicion,
  suspicionBefore,
} from '../../job/attempts/suspicion.js';
import { nameOfChoice } from '../../job/compute-choice.js';
import { hideSecrets, shorten } from '../../job/failure.js';
import type { FailedItem } from '../../container-contract/result.js';
import {
  type BatchState,
  lastLaunch,
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
import { readSettled, writeSettled } from '../../job-store/batches/settled.js';
import { readStop } from '../../job-store/stop.js';
import { noteWaiting, orNoteWaiting } from '../../job-store/batches/waiting.js';
import type { Storage } from '../../storage/storage.js';
import type { AttemptInput } from './launch-batch.js';
import { stopIfTooMuchIsLost } from './stop-exceeded.js';
import type { Invocation, Ports } from '../ports.js';
import { endedRun, readTraces, tellAttempt, type Traces } from './tell-attempt.js';

export interface SettleInput extends AttemptInput {
  watchEnd: WatchEnd;
  /** Milliseconds since the epoch, on the durable clock. */
  launchedAt: number;
}

export interface SettleResult {
  failed: number;
  /** Items with no output and no recorded failure. */
  missing: number;
  ended: AttemptEnd;
  /** Set when the run has shown of one more item that containers end of it. */
  identified?: true;
}

/** After a container ended: compares outputs with items, keeps its log, removes it. Running it again gives the same result. */
export function createSettleBatch({ storage, compute, telemetry }: Pick<Ports, 'storage' | 'compute' | 'telemetry'>) {
  const settle = async (input: SettleInput, invocation: Invocation | undefined): Promise<SettleResult> => {
    const { jobId, run = 1, batch, attempt, watchEnd } = input;
    const launched = new Date(input.launchedAt).toISOString();
    const job = await readResolvedJob(storage, jobId, run);
    const ranOn = computeOf(job, input.compute);
    const provider = compute[ranOn.kind];
    const name = containerName(jobId, batch, attempt);
    const earlier = await readSettled(storage, jobId, batch);
    const { observation, seenEnded = new Date().toISOString() } =
      earlier?.attempt === attempt ? earlier : { observation: await provider.observe(name) };
    await keepLog(storage, input, async () => [
      ...(job.computes ? [whereItRan(launched, ranOn, observation)] : []),
      ...(await provider.logs(name)),
      ...howItEnded(observation.endedAt ?? seenEnded, observation),
    ]);
    // What was seen is kept before the container goes: a second delivery would find nothing.
    const before = { done: 0, failed: 0, phases: [], ends: [], unscored: [], ...earlier };
    await writeSettled(storage, jobId, {
      ...before,
      batch,
      attempt,
      state: 'retrying',
      message: '',
      observation,
      seenEnded,
    });
    // On a compute that refused it, it may have been started all the same.
    for (const kind of input.moved ? kindsOf(job) : [ranOn.kind]) await compute[kind].remove(name);
    const suspicionThen = suspicionBefore(earlier?.suspicion ?? NO_SUSPICION, attempt);
    const stateThen = await readBatchState(storage, job, input, attempt, suspicionThen);
    const traces = await readTraces(storage, input, { observation, seenEnded, state: stateThen, launched });
    const { result } = traces;
    const stop = await readStop(storage, jobId, run);
    const container = { ...observation, alive: isAlive(observation) };
    const death = deathOf({ watchEnd, container, result });
    const hadMore = (earlier?.moreMemory ?? attempt) < attempt;
    const moreGb = hadMore || !death || !container.outOfMemory ? undefined : memoryLeft(job, ranOn);
    const found = { state: stateThen, traces, death, isExcused: moreGb !== undefined };
    const suspicion = await suspectItems(storage, input, suspicionThen, found);
    const state = withCondemned(stateThen, condemned(suspicion));
    const culprit = culpritOf(stateThen, state, result);
    const judged = judgeAttempt({ watchEnd, missing: state.missing.length, container, result, stop });
    const ended = inShort(withMemory(withItem(judged, culprit ?? state.failed[0], culprit !== undefined), moreGb));
    const message = messageOfEnd(ended);
    const standing = batchStanding(ended);
    const failed = state.failed.length;
    // An attempt of a job that was stopped, or of a batch that was complete, has launched nothing.
    const hasLaunched = traces.seen || (await lastLaunch(storage, jobId, batch)).attempt >= attempt;
    await writeSettled(storage, jobId, {
      batch,
      attempt,
      runs: hasLaunched ? attempt : attempt - 1,
      done: state.done.length,
      reused: state.reused,
      failed,
      state: standing,
      message,
      observation,
      seenEnded,
      phases: [...before.phases.filter((each) => each.attempt !== attempt), ...(traces.seen ? [traces.phases] : [])],
      ends: [
        ...before.ends.filter((each) => each.attempt !== attempt),
        ...(hasLaunched ? [endedRun(attempt, ranOn, observation, { ended, watchEnd })] : []),
      ],
      unscored: standing === 'done' ? unscoredOf(state) : [],
      suspicion,
      moreMemory: moreGb === undefined && !hadMore ? undefined : hadMore ? earlier?.moreMemory : attempt,
    });
    if (hasLaunched) tellAttempt(telemetry, job, input, traces, { state, ended, watchEnd }, invocation);
    if (standing === 'retrying') {
      const hasNoRoom = ended.end === 'failed' && ended.failure.noRoom;
      await noteWaiting(storage, { jobId, batch, attempt, ...(hasNoRoom && { turn: input.turn }) }, message);
    }
    if (failed > 0) await stopIfTooMuchIsLost(storage, job, message);
    return { failed, missing: state.missing.length, ended, ...(culprit && { identified: true }) };
  };
  return (input: SettleInput, invocation?: Invocation) =>
    orNoteWaiting(storage, input, () => settle(input, invocation));
}

/** The first line of an attempt's log, where its job has several computes. */
const whereItRan = (time: string, { kind, region }: ResolvedCompute, { place }: Observation): Printed => ({
  text: `The container ran on ${nameOfChoice({ kind, region: region ?? place?.region })}.`,
  stream: 'platform',
  level: 'info',
  time,
});

/** The last line of an attempt's log, where its container did not end well by itself. */
const howItEnded = (time: string, { reason }: Observation): Printed[] =>
  reason === undefined
    ? []
    : [{ text: `The container has ended: ${reason}.`, stream: 'platform', level: 'error', time }];

const isAlive = ({ state }: Observation) => state === 'running' || state === 'provisioning';

/** Finds out which items a container may have died of, from what its scorer had announced. */
async function suspectItems(
  storage: Storage,
  input: AttemptInput,
  before: Suspicion,
  { state, traces, ...ended }: { state: BatchState; traces: Traces } & Pick<EndedAttempt, 'death' | 'isExcused'>,
): Promise<Suspicion> {
  const { attempt } = input;
  const hung = traces.result?.hung;
  if (!ended.death && !hung && before.suspects.length === 0) return before;
  const [task, at] = await Promise.all([readTask(storage, input), traces.progress ?? readProgress(storage, input)]);
  const nameOf = (index: number) => task?.items.find((item) => item.index === index)?.name ?? '';
  return suspect(before, { ...ended, attempt, alone: task?.alone ?? [], missing: state.missing, at, hung, nameOf });
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
