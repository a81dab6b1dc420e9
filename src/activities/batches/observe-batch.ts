import { isAlive } from '../../compute/provider.js';
import { spansOf, untaken } from '../../container-contract/share.js';
import type { WatchEnd } from '../../job/attempts/attempt-end.js';
import { helpersFor } from '../../job/attempts/stragglers.js';
import { lacksPlace, overdue, type ReportedProgress, secondsToNextPoll } from '../../job/attempts/watch.js';
import { readProgress } from '../../job-store/batches/batch-state.js';
import { readShare, seeIdle } from '../../job-store/batches/helpers.js';
import { containerName } from '../../job-store/layout.js';
import { computeOf, readResolvedJob, type ResolvedJob } from '../../job-store/resolved-job.js';
import { seeProgress } from '../../job-store/now.js';
import { isKnownStopped, isStopped, readStop, stopIfLate } from '../../job-store/stop.js';
import { forgetWaiting, orNoteWaiting } from '../../job-store/batches/waiting.js';
import type { Storage } from '../../storage/storage.js';
import type { AttemptInput } from './launch-batch.js';
import type { Ports } from '../ports.js';

/** A container that was launched for a batch. */
export interface LaunchedRun {
  attempt: number;
  /** Milliseconds since the epoch, on the durable clock. */
  launchedAt: number;
}

export interface ObserveInput extends AttemptInput, LaunchedRun {
  /** Those that were launched to help it; absent: none. */
  helpers?: LaunchedRun[];
  /** Batches that are scored in this run of the job; absent where the batch gets no more help. */
  batches?: number;
  /** Whether the look before this one failed. */
  again?: boolean;
  /** Whether somebody woke the batch, as whoever stops the job does. */
  woken?: boolean;
}

export interface ObserveResult {
  /** Why the watch is over; absent while a container runs within its limits. */
  watchEnd?: WatchEnd;
  /** The same of those that helped, in their order. */
  helperEnds?: WatchEnd[];
  /** When to look again. */
  pollSeconds: number;
  /** How many more containers are worth being launched to help; absent: none. */
  help?: number;
}

/** What was seen of a scorer so long ago does to tell when to look again, milliseconds. */
const SEEN_MS = 10_000;

/** Looks once at the containers of a batch and their progress, and says whether the watch is over and, if not, when to look again. */
export function createObserveBatch({ storage, compute }: Pick<Ports, 'storage' | 'compute'>) {
  return async (input: ObserveInput): Promise<ObserveResult> => {
    const { jobId, run, batch, attempt, launchedAt, helpers = [] } = input;
    const job = await readResolvedJob(storage, jobId, run ?? 1);
    const { spec } = job;
    const provider = compute[computeOf(job, input.compute).kind];
    const launched: LaunchedRun[] = [{ attempt, launchedAt }, ...helpers];
    const [containers, stop] = await Promise.all([
      Promise.all(
        launched.map(async (each): Promise<Watched> => {
          const name = containerName(jobId, batch, each.attempt);
          const observation = await orNoteWaiting(storage, input, () => provider.observe(name));
          if (!isAlive(observation)) return { ...each, progress: undefined, hasPlace: true, isAlive: false };
          const progress = await seeProgress(storage, { jobId, batch, attempt: each.attempt }, SEEN_MS);
          const hasPlace =
            progress !== undefined || observation.state === 'running' || observation.times?.queued !== undefined;
          return { ...each, progress, hasPlace, isAlive: true };
        }),
      ),
      input.woken === true ? isStopped(storage, jobId, run) : isKnownStopped(storage, jobId, run),
    ]);
    if (input.again === true) await forgetWaiting(storage, input);
    const now = Date.now();
    const alive = containers.filter((each) => each.isAlive);
    const watched = alive.length > 0 ? alive : containers;
    const pollSeconds = Math.min(
      ...watched.map((each) => secondsToNextPoll(provider.poll, each.launchedAt, now, each.progress)),
    );
    /** Ends the watch over all of them. */
    const over = (endOf: (each: Watched) => WatchEnd): ObserveResult => {
      const [watchEnd = 'ended', ...ends] = containers.map(endOf);
      return { watchEnd, ...(ends.length > 0 && { helperEnds: ends }), pollSeconds };
    };
    if (alive.length === 0) return over(() => 'ended');
    if (await stopIfLate(storage, job)) return over(() => 'stopped');
    const mayFinish = stop && (await readStop(storage, jobId, run))?.running === 'finish';
    if (stop && !mayFinish) return over(() => 'stopped');
    const [first, ...others] = containers;
    const { fallbackAfterSeconds: after = Infinity } = spec.compute;
    const hasOthers = job.computes !== undefined && job.computes.length > 1;
    if (hasOthers && first?.hasPlace === false && lacksPlace(after, launchedAt, now))
      return over((each) => (each === first ? 'no-room' : 'let-go'));
    const late = await Promise.all(
      containers.map(async (each) => {
        if (!each.isAlive || overdue(spec.timeouts, each.launchedAt, now, each.progress) === undefined)
          return undefined;
        // It may have reported since it was seen.
        const latest = await seeProgress(storage, { jobId, batch, attempt: each.attempt }, 0);
        const end = overdue(spec.timeouts, each.launchedAt, now, latest);
        // The batch goes on without one that has not come to help.
        return each !== first && end === 'provision-timeout' ? undefined : end;
      }),
    );
    const letGo = (each: Watched): WatchEnd => late[containers.indexOf(each)] ?? (each.isAlive ? 'let-go' : 'ended');
    if (late.some((end) => end !== undefined)) return over(letGo);
    if (first?.isAlive === false && !(await haveItems(storage, input, others))) return over(letGo);
    const help = stop ? 0 : await worthwhileHelp(storage, job, input, containers);
    return { pollSeconds, ...(help > 0 && { help }) };
  };
}

interface Watched extends LaunchedRun {
  progress: ReportedProgress | undefined;
  /** Whether the platform has given it its place. */
  hasPlace: boolean;
  isAlive: boolean;
}

/** Whether any of these that runs has items of its own. */
async function haveItems(
  storage: Storage,
  { jobId, batch, attempt }: ObserveInput,
  helpers: Watched[],
): Promise<boolean> {
  const share = await readShare(storage, jobId, batch, attempt);
  return share !== undefined && helpers.some((each) => each.isAlive && spansOf(share, each.attempt).length > 0);
}

/** How many more containers would help: asked while all that were launched score, so that it is known what is left to each. */
async function worthwhileHelp(
  storage: Storage,
  job: ResolvedJob,
  { jobId, batch, attempt, launchedAt, batches, first, count }: ObserveInput,
  containers: Watched[],
): Promise<number> {
  const { parallel, spec } = job;
  const alive = containers.filter((each) => each.isAlive);
  if (batches === undefined || parallel < 2 || spec.batch.splitStragglers === false || !containers[0]?.isAlive)
    return 0;
  const seen = alive.flatMap(({ progress }) => (handledOf(progress) > 0 ? (progress ?? []) : []));
  const [own] = seen;
  if (!own || seen.length < alive.length) return 0;
  const rest = seen.reduce((sum, each) => sum + each.total - each.skipped - handledOf(each), 0);
  const straggler = { left: rest, containers: alive.length, helped: containers.length - 1, idle: parallel };
  const atMost = { ...straggler, secondsPerItem: secondsPerItem(own, own.startedAt), startSeconds: 0 };
  if (helpersFor(atMost) === 0) return 0;
  const idle = await seeIdle(storage, jobId, { parallel, batches }, SEEN_MS);
  if (idle === 0) return 0;
  const [share, progress] = await Promise.all([
    // There is none before somebody has helped.
    containers.length > 1 ? readShare(storage, jobId, batch, attempt) : undefined,
    readProgress(storage, { jobId, batch, attempt }),
  ]);
  const { modelLoaded } = progress?.times ?? {};
  // Items that a container may have died of are scored one by one first.
  if (!progress || modelLoaded === undefined || progress.alone !== undefined) return 0;
  const items = Array.from({ length: count }, (_, k) => first + k);
  return helpersFor({
    ...straggler,
    idle,
    left: share ? Math.min(rest, untaken(share, items).length) : rest,
    secondsPerItem: secondsPerItem(progress, modelLoaded),
    startSeconds: Math.max(0, (Date.parse(modelLoaded) - launchedAt) / 1000),
  });
}

const handledOf = (progress: ReportedProgress | undefined) => (progress ? progress.done + progress.failed : 0);

const secondsPerItem = (progress: ReportedProgress, since: string): number =>
  (Date.parse(progress.updatedAt) - Date.parse(since)) / 1000 / handledOf(progress);
