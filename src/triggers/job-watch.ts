import { setTimeout as pause } from 'node:timers/promises';
import type { DurableClient, DurableOrchestrationStatus } from 'durable-functions';
import type { FinishInput } from '../activities/finish-job.js';
import type { Ports } from '../activities/ports.js';
import type { Stop } from '../job/attempts/attempt-end.js';
import { hideSecrets, hostReason, messageOf, type Outcome, shorten } from '../job/failure.js';
import { pauseAtAge, publishedIn, type Stage } from '../job/progress.js';
import { parseTraceParent } from '../job/trace.js';
import { hasManifest } from '../job-store/manifest.js';
import { listSettled } from '../job-store/batches/settled.js';
import { findResolvedJob, readResolvedJob } from '../job-store/resolved-job.js';
import { parseContainerName } from '../job-store/layout.js';
import { followStop, isSuperseded, readDecision, readStop, stopIfLate, stopJob } from '../job-store/stop.js';
import type { OfRun } from '../job/run.js';
import { type BatchPlan, endOfBatches } from '../job/plan.js';
import { runId, WAKE } from '../orchestrators/calls.js';
import { laneId } from '../orchestrators/score-lane.js';
import { sleepersOf } from '../orchestrators/sleepers.js';
import type { Storage } from '../storage/storage.js';
import { placeOf } from '../telemetry/ids.js';
import { findInstance, hasEnded, isForgotten, isUnknown, toldAtStart } from './jobs.js';

interface WatchPorts extends Pick<Ports, 'storage' | 'compute' | 'telemetry'> {
  /** The activity. */
  finishJob: (input: FinishInput) => Promise<unknown>;
}
type Client = Pick<DurableClient, 'getStatus' | 'raiseEvent'>;

/** Between two looks at a job whose watch is not new. */
const MOST_LOOK_SECONDS = 3;
/** Of a stopped job, whose orchestrations are woken until it has ended. */
const STOPPED_LOOK_MS = 1000;
/** How long a job that was ended from outside is given to let go of its containers by itself, before its manifest is written. */
const LET_GO_MS = 30_000;

export interface JobWatch {
  /** Runs an activity of a job; from then on this process watches the job until it has ended. */
  during: (of: ActivityOf, client: Client, activity: () => Promise<Outcome<unknown>>) => Promise<Outcome<unknown>>;
  /**
   * Does for a run of a job what its orchestration would have done at its end, when that has ended or gone without doing it.
   * @param status undefined when the orchestration is gone.
   */
  end: (client: Client, of: OfRun, status: DurableOrchestrationStatus | undefined) => Promise<void>;
  /** Why activities of a job that ran in this process have to run again. */
  waiting: (jobId: string) => WaitingHere[];
}

/** Why something has to run again: a batch, or else the job's own stage. */
export interface WaitingHere {
  batch?: number;
  reason: string;
}

interface ActivityOf extends OfRun {
  activity: string;
  /** Of activities that concern one batch. */
  batch?: number;
}

/**
 * Watches the jobs that this process works for. A job whose orchestration was ended from outside, by `terminate` or by a host that
 * failed it, can do nothing for itself any more: its containers are removed and its manifest is written here. The orchestrations of a
 * stopped job that sleep are woken.
 * @param warn takes what goes wrong: the next look tries again.
 */
export function createJobWatch(ports: WatchPorts, warn: (message: string) => void): JobWatch {
  const running = new Map<string, number>();
  const watched = new Set<string>();
  /** By job and activity. */
  const failed = new Map<string, Map<string, WaitingHere>>();

  const isIdleAt = (jobId: string) => () => !running.has(jobId);

  async function watch(of: Required<OfRun>, client: Client): Promise<void> {
    const { jobId, run } = of;
    const isIdle = isIdleAt(jobId);
    const stopped = new AbortController();
    let finishes = false;
    const onStop = ({ ended, running: left }: Stop) => {
      // Of a run that has ended nothing sleeps any more.
      if (ended) return;
      if (left === 'finish') finishes = true;
      else stopped.abort();
    };
    const unfollow = followStop(ports.storage, jobId, onStop, run);
    const began = performance.now();
    for (;;) {
      const lookMs = Math.min(MOST_LOOK_SECONDS, pauseAtAge((performance.now() - began) / 1000)) * 1000;
      const isStopped = stopped.signal.aborted;
      if (isStopped) await pause(STOPPED_LOOK_MS, undefined, { ref: false });
      else await pause(lookMs, undefined, { ref: false, signal: stopped.signal }).catch(() => undefined);
      try {
        // Somebody may cancel it meanwhile.
        if (finishes && (await readStop(ports.storage, jobId, run))?.running !== 'finish') stopped.abort();
        if (await look(ports, client, of, { isIdle, isStopped: stopped.signal.aborted })) return unfollow();
      } catch (error) {
        warn(`job ${jobId} could not be looked after: ${messageOf(error)}`);
      }
    }
  }

  return {
    end: (client, of, status) => endFromOutside(ports, client, of, status, isIdleAt(of.jobId)),
    waiting: (jobId) => [...(failed.get(jobId)?.values() ?? [])],
    during: async ({ jobId, run = 1, activity: name, batch }, client, activity) => {
      running.set(jobId, (running.get(jobId) ?? 0) + 1);
      const key = `${jobId} ${run}`;
      if (!watched.has(key)) {
        watched.add(key);
        failed.set(jobId, new Map());
        void watch({ jobId, run }, client).finally(() => {
          watched.delete(key);
          failed.delete(jobId);
        });
      }
      try {
        const outcome = await activity();
        const call = `${name} ${batch ?? ''}`;
        if (outcome.ok || outcome.failure.blame !== 'platform') failed.get(jobId)?.delete(call);
        else
          failed.get(jobId)?.set(call, { reason: outcome.failure.message, ...(batch === undefined ? {} : { batch }) });
        return outcome;
      } finally {
        const others = (running.get(jobId) ?? 1) - 1;
        if (others > 0) running.set(jobId, others);
        else running.delete(jobId);
      }
    },
  };
}

/** @returns whether there is nothing more to look after. */
async function look(
  ports: WatchPorts,
  client: Client,
  { jobId, run }: Required<OfRun>,
  { isIdle, isStopped }: { isIdle: () => boolean; isStopped: boolean },
): Promise<boolean> {
  const { storage } = ports;
  const status = await findInstance(client, jobId);
  if (status === undefined) return true;
  if ((publishedOf(status)?.run ?? 1) > run) return true;
  if (!hasEnded(status.runtimeStatus)) {
    if (isStopped) await wakeJob(storage, client, status);
    // The limit on its time counts while it works on what it was prepared for.
    else if (!OUTSIDE_ITS_TIME.includes(stageOf(status)))
      await stopIfLate(storage, await readResolvedJob(storage, jobId, run));
    return false;
  }
  if (!(await hasManifest(storage, jobId)) && !(await isForgotten(storage, client, status)))
    await endFromOutside(ports, client, { jobId, run }, status, isIdle);
  return true;
}

/** Does for a job what its orchestration would have done at its end. */
async function endFromOutside(
  { storage, compute, telemetry, finishJob }: WatchPorts,
  client: Client,
  of: OfRun,
  status: DurableOrchestrationStatus | undefined,
  isIdle: () => boolean,
): Promise<void> {
  const { jobId, run = 1 } = of;
  const stop = await stopJob(storage, jobId, { ...outsideEnd(status), ...(run > 1 && { run }) });
  // Another process has done it, and even started the next run.
  if (isSuperseded(stop)) return;
  const { reason, blame, message } = stop;
  if (reason === 'cancelled') await tellCancelled({ storage, telemetry }, client, jobId, 'host');
  const { plan } = (status && publishedOf(status)) ?? {};
  const lanes = Array.from({ length: plan?.lanes ?? 0 }, (_, lane) => laneId(runId(jobId, run), lane));
  const hasLetGo = async () => {
    const states = await Promise.all(lanes.map((id) => findInstance(client, id)));
    return isIdle() && states.every((lane) => lane === undefined || hasEnded(lane.runtimeStatus));
  };
  const deadline = performance.now() + LET_GO_MS;
  do {
    if (status) await wakeJob(storage, client, status);
    await pause(STOPPED_LOOK_MS, undefined, { ref: false });
  } while (!(await hasLetGo()) && performance.now() < deadline);
  // A batch that still runs has settled its container and removed it; these are of batches that could not.
  for (const provider of Object.values(compute)) {
    const launched = await provider.list().catch(() => []);
    const own = launched.filter((container) => container.jobId === jobId && !isLater(container.name, plan));
    for (const { name } of own) await provider.remove(name);
  }
  const told = await toldAtStart(client, jobId);
  await finishJob({ ...of, outcome: reason, blame, message, ...told, ...(plan ? { plan } : {}) });
}

/** Whether a container is of a batch that a later run has. */
const isLater = (container: string, plan: BatchPlan | undefined) =>
  plan !== undefined && (parseContainerName(container)?.batch ?? -1) >= endOfBatches(plan);

/** Tells telemetry of a cancelled job, with what its record says of it, if it has one. */
export async function tellCancelled(
  { storage, telemetry }: Pick<Ports, 'storage' | 'telemetry'>,
  client: Pick<Client, 'getStatus'>,
  jobId: string,
  by: 'request' | 'host',
  traceParent?: string,
): Promise<void> {
  const job = await findResolvedJob(storage, jobId).catch(() => undefined);
  const place = placeOf(
    jobId,
    job?.trace ?? parseTraceParent((await toldAtStart(client, jobId)).traceParent),
    traceParent,
  );
  const run = (await readDecision(storage, jobId).catch(() => undefined))?.run;
  telemetry.cancelled({ jobId, run, place, model: job?.spec.model, compute: job?.spec.compute.kind, by });
}

/** Why a job has ended whose orchestration did not get to say so. */
export function outsideEnd(
  status: Pick<DurableOrchestrationStatus, 'runtimeStatus' | 'output' | 'lastUpdatedTime'> | undefined,
): Stop {
  if (!status)
    return { reason: 'cancelled', blame: 'user', message: 'The orchestration of the job was removed while it ran.' };
  const { runtimeStatus, output, lastUpdatedTime } = status;
  const name: string = runtimeStatus;
  if (name === 'Failed')
    return {
      reason: 'failed',
      blame: 'platform',
      message: `The Functions host ended the job: ${hostReason(String(output))}.`,
    };
  const reason = typeof output === 'string' && output !== '' ? { reason: shorten(hideSecrets(output)) } : {};
  const cancelled = { by: 'management', at: new Date(lastUpdatedTime).toISOString(), ...reason } as const;
  return { reason: 'cancelled', blame: 'user', message: 'The job was terminated.', cancelled };
}

/** Ends the sleep of a job's orchestrations, so that they see at once that the job was stopped. */
export async function wakeJob(
  storage: Storage,
  client: Pick<Client, 'raiseEvent'>,
  status: DurableOrchestrationStatus,
): Promise<void> {
  const { instanceId } = status;
  const sleepers = sleepersOf(instanceId, publishedOf(status), await listSettled(storage, instanceId));
  const wake = (id: string) =>
    client.raiseEvent(id, WAKE, {}).catch((error: unknown) => {
      if (!isUnknown(error)) throw error;
    });
  await Promise.all(sleepers.map(wake));
}

const OUTSIDE_ITS_TIME: (Stage | undefined)[] = [undefined, 'gather', 'prepare', 'finish'];
const stageOf = (status: DurableOrchestrationStatus) => publishedOf(status)?.stages.at(-1)?.stage;
const publishedOf = ({ customStatus }: DurableOrchestrationStatus) => publishedIn(customStatus);
