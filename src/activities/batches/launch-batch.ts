import type { NextTurn } from '../../job/attempts/room.js';
import type { OfRun } from '../../job/run.js';
import type { LaunchRequest } from '../../compute/provider.js';
import type { TaskItem } from '../../container-contract/task.js';
import { writeEnvironment } from '../../container-contract/environment.js';
import {
  createTask,
  type LatestAttempts,
  latestAttempts,
  readBatchState,
  writeTask,
} from '../../job-store/batches/batch-state.js';
import { keepLog } from '../../job-store/batches/logs.js';
import { imagesOf, placesFor, readItems } from '../../job-store/images/items.js';
import {
  containerName,
  jobOf,
  mediaBlob,
  modelBlob,
  modelsOf,
  shareBlob,
  taskBlob,
  workOf,
} from '../../job-store/layout.js';
import { computeOf, kindsOf, readResolvedJob, type ResolvedJob } from '../../job-store/resolved-job.js';
import { readSettled, type Settled } from '../../job-store/batches/settled.js';
import { takeOver } from '../../job-store/reuse/take-over.js';
import { isKnownStopped, isStopped, stopIfLate, unlessStopped } from '../../job-store/stop.js';
import { forgetWaiting, orNoteWaiting, type Waiter } from '../../job-store/batches/waiting.js';
import { type Confirm, freeFromDead, orHeld, whileHolding } from '../../storage/lease.js';
import { blobSas, containerSas, type Storage } from '../../storage/storage.js';
import { writeTraceParent } from '../../job/trace.js';
import { attemptId, placeOf } from '../../telemetry/ids.js';
import type { Invocation, Ports } from '../ports.js';

/** One attempt of one batch. */
export interface AttemptInput extends OfRun {
  batch: number;
  /** Index of the batch's first item, and how many it has. */
  first: number;
  count: number;
  /** From 1. */
  attempt: number;
  /** Which of the job's computes runs it, from 0; the first, when left out. */
  compute?: number | undefined;
  /** Set when its container may have been asked for on another of them before. */
  moved?: true | undefined;
  /** To which of them the batch turns, and when, if there is no room on this one until then. */
  turn?: NextTurn | undefined;
}

export interface LaunchInput extends AttemptInput {
  /**
   * Goes on with the batch's last attempt if it was not settled, else with the next one; `attempt` does not count then, nor does
   * `compute` for one that has not `moved`.
   */
  again?: true | undefined;
  /** Set when the batch has waited for something: its job's status may still say so. */
  waited?: true | undefined;
}

export interface LaunchResult {
  attempt: number;
  /** The compute that an attempt which goes on has; absent where it has the one that was asked for. */
  compute?: number;
  /** Items without an output; with 0 no container was started. */
  remaining: number;
  /** Whether the job has been stopped, so that no container was started. */
  stopped: boolean;
  /** Attempts that were launched to help this one, when it was gone on with; absent: none. */
  helpers?: number[];
}

/** A container that is started so much later than another process has stopped the job ends soon: whoever watches it learns of the stop. */
const STOP_SEEN_MS = 2000;

/**
 * Starts one container for the items of the batch that have no output yet. A second delivery of the same launch starts nothing. One
 * that comes while the first is under way fails with the platform to blame, so that it is tried again; when the first has died, the
 * next one takes over within 30 seconds, or at once where the containers end with the app.
 */
export function createLaunchBatch({ storage, compute }: Pick<Ports, 'storage' | 'compute'>) {
  return async ({ again, waited, ...asked }: LaunchInput, invocation?: Invocation): Promise<LaunchResult> => {
    const { jobId, run = 1, batch, first, count } = asked;
    const latest = again ? await attemptToGoOnWith(storage, asked) : { ...asked, helpers: [] };
    const { attempt, helpers } = latest;
    // What was refused where it was to run runs elsewhere.
    const number = (asked.moved ? undefined : latest.compute) ?? asked.compute;
    const input: AttemptInput = { ...asked, attempt, compute: number };
    const known = {
      attempt,
      ...(number !== asked.compute && number !== undefined && { compute: number }),
      ...(helpers.length > 0 && { helpers }),
    };
    if (await isKnownStopped(storage, jobId, run, STOP_SEEN_MS)) return { ...known, remaining: count, stopped: true };
    const job = await readResolvedJob(storage, jobId, run);
    if (await stopIfLate(storage, job)) return { ...known, remaining: count, stopped: true };
    const chosen = computeOf(job, number);
    const provider = compute[chosen.kind];
    const what = `batch ${batch}, attempt ${attempt}`;
    const blob = jobOf(storage, jobId).getBlockBlobClient(taskBlob(batch, attempt));
    const start = async (waiter: Waiter, moreMemory: boolean) => {
      const request = await requestFor(storage, job, input, { moreMemory, invocation });
      const ask = (confirm?: Confirm) => orNoteWaiting(storage, waiter, () => provider.launch({ ...request, confirm }));
      await (provider.endsWithApp ? ask() : whileHolding(blob, what, ask));
    };
    const taskOf = async (missing: number[]) => {
      const items = await readItems(storage, job, first, count);
      const shared = mayShare(job) && { shareBlob: shareBlob(batch, attempt) };
      return {
        ...taskFor(
          job,
          input,
          missing.flatMap((index) => items[index - first] ?? []),
        ),
        ...shared,
      };
    };
    // Of a batch that has no task yet nothing is to be found; its container skips what is there all the same.
    if (!again && attempt === 1 && run === 1 && !input.moved && job.spec.reuse !== true) {
      const task = { ...(await taskOf(allOf(first, count))), before: 0 };
      if (await createTask(storage, task, number)) {
        await start({ jobId, batch, attempt: 0, turn: input.turn }, false);
        if (waited) await forgetWaiting(storage, input);
        return { ...known, remaining: count, stopped: false };
      }
    }
    const settled = await readSettled(storage, jobId, batch);
    // Usually settling has removed the containers before. Where settling was given up, this keeps those of two attempts from running at once.
    const waiter = { jobId, batch, attempt: attempt - 1, turn: input.turn };
    for (const earlier of notSurelyRemoved(settled, attempt))
      await orNoteWaiting(storage, waiter, async () => {
        const before = containerName(jobId, batch, earlier);
        const providers = kindsOf(job).map((kind) => compute[kind]);
        await keepLog(storage, { jobId, batch, attempt: earlier }, async () =>
          (await Promise.all(providers.map((each) => each.logs(before)))).flat(),
        );
        for (const each of providers) await each.remove(before);
      });
    // Whoever refused it may have started it all the same.
    if (input.moved)
      await orNoteWaiting(storage, waiter, async () => {
        const others = kindsOf(job).filter((kind) => kind !== chosen.kind);
        for (const kind of others) await compute[kind].remove(containerName(jobId, batch, attempt));
      });
    const { suspicion, moreMemory } = settled ?? {};
    const lookAtBatch = () => readBatchState(storage, job, input, attempt - 1, suspicion);
    const isNew = !again && attempt === 1 && run === 1 && settled === undefined;
    let state = isNew ? { done: [], missing: allOf(first, count) } : await lookAtBatch();
    // What the batch still misses after that is scored, even if it is there again by then.
    if (job.spec.reuse === true && attempt === 1) {
      const { missing } = state;
      try {
        await unlessStopped(storage, jobId, (signal) => takeOver(storage, job, { first, count, missing, signal }), run);
      } catch (error) {
        if (await isStopped(storage, jobId, run)) return { ...known, remaining: count, stopped: true };
        throw error;
      }
      state = await lookAtBatch();
    }
    if (state.missing.length === 0) return { ...known, remaining: 0, stopped: false };
    const alone = suspicion?.suspects.filter((index) => state.missing.includes(index)) ?? [];
    const task = {
      ...(await taskOf(state.missing)),
      before: state.done.length,
      ...(alone.length > 0 && { alone }),
    };
    const write = () => orHeld(what, () => writeTask(storage, task, number));
    await write().catch(async (error: unknown) => {
      if (!provider.endsWithApp) throw error;
      await freeFromDead(blob);
      await write();
    });
    await start(waiter, moreMemory !== undefined);
    if (waited || again || input.moved || attempt > 1) await forgetWaiting(storage, input);
    return { ...known, remaining: state.missing.length, stopped: false };
  };
}

/** The last attempt that was launched, where it was, and those that help it; or the next one, if that was settled. */
async function attemptToGoOnWith(storage: Storage, { jobId, batch }: AttemptInput): Promise<LatestAttempts> {
  const [latest, settled] = await Promise.all([
    latestAttempts(storage, jobId, batch),
    readSettled(storage, jobId, batch),
  ]);
  if (latest.attempt > (settled?.attempt ?? 0)) return latest;
  return { attempt: Math.max(latest.attempt, ...latest.helpers, settled?.attempt ?? 0, 0) + 1, helpers: [] };
}

const allOf = (first: number, count: number) => Array.from({ length: count }, (_, k) => first + k);

/** The attempts before this one whose containers may be there: one at least, as it may not have been settled to its end. */
function notSurelyRemoved(settled: Settled | undefined, attempt: number): number[] {
  const oldest = Math.min(attempt - 1, settled ? settled.attempt - (settled.helpers?.length ?? 0) : 1);
  return Array.from({ length: attempt - oldest }, (_, k) => oldest + k).filter((number) => number > 0);
}

/** Whether several containers may score a batch of the job. */
const mayShare = ({ parallel, spec }: ResolvedJob) => parallel > 1 && spec.batch.splitStragglers !== false;

/** What the scorer of an attempt is to do with these items. */
export const taskFor = (job: ResolvedJob, { jobId, batch, attempt, compute }: AttemptInput, items: TaskItem[]) => ({
  jobId,
  batch,
  attempt,
  items,
  ...placesFor(job),
  packSeconds: job.spec.batch.pack === 'auto' ? PACK_SECONDS : undefined,
  card: job.card,
  sums: job.sha256 && { model: job.sha256.model, style: job.sha256.style },
  device: computeOf(job, compute).device,
  itemSeconds: job.spec.timeouts.itemSeconds,
});

/** What a compute is asked for to run an attempt whose task is written. */
export async function requestFor(
  storage: Storage,
  job: ResolvedJob,
  { jobId, batch, attempt, compute }: AttemptInput,
  { moreMemory, invocation }: { moreMemory: boolean; invocation: Invocation | undefined },
): Promise<LaunchRequest> {
  const { region, gpu, memory } = computeOf(job, compute);
  const deadline = Date.now() + accessSeconds(job) * 1000;
  const { traceId } = placeOf(jobId, job.trace, invocation?.traceContext?.traceParent);
  const traceParent = writeTraceParent(traceId, attemptId(jobId, batch, attempt));
  return {
    name: containerName(jobId, batch, attempt),
    jobId,
    batch,
    attempt,
    deadline,
    parallel: job.parallel,
    region,
    gpu,
    memoryGb: (moreMemory ? memory?.moreGb : undefined) ?? memory?.gb,
    environment: await environmentOf(storage, job, { taskBlob: taskBlob(batch, attempt), deadline, traceParent }),
  };
}

/** So much scoring is lost at most, or one item, when a container is killed: see `OutputPacks`. */
const PACK_SECONDS = 5;

/** Time a container may need to be given its place and to end, on top of the batch's own limit. */
const ACCESS_MARGIN_SECONDS = 3600;

/** How long a container can reach its blobs; afterwards it is of no use to anyone. */
const accessSeconds = ({ spec: { timeouts } }: ResolvedJob) => timeouts.batchSeconds + ACCESS_MARGIN_SECONDS;

interface Run {
  taskBlob: string;
  /** When the container's access to storage ends, in milliseconds since the epoch. */
  deadline: number;
  traceParent: string;
}

async function environmentOf(
  storage: Storage,
  job: ResolvedJob,
  { taskBlob: task, deadline, traceParent }: Run,
): Promise<Record<string, string>> {
  const { model, style } = job.spec;
  const [jobContainerUrl, workContainerUrl, modelUrl, styleUrl, inputContainerUrl] = await Promise.all([
    containerSas(storage, jobOf(storage, job.jobId), 'rcwl', deadline),
    containerSas(storage, workOf(storage, job.jobId), 'rcwl', deadline),
    blobSas(storage, modelsOf(storage).getBlobClient(modelBlob(model)), 'r', deadline),
    style === undefined ? undefined : blobSas(storage, mediaBlob(storage, style), 'r', deadline),
    job.images === undefined
      ? undefined
      : containerSas(storage, imagesOf(storage, job.images).container, 'r', deadline),
  ]);
  return writeEnvironment({
    taskBlob: task,
    jobContainerUrl,
    workContainerUrl,
    inputContainerUrl,
    modelUrl,
    styleUrl,
    traceParent,
  });
}
