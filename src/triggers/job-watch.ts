import { setTimeout as pause } from 'node:timers/promises';
import type { DurableClient, DurableOrchestrationStatus } from 'durable-functions';
import type { FinishInput } from '../activities/finish-job.js';
import type { Ports } from '../activities/ports.js';
import type { Stop } from '../job/attempts/attempt-end.js';
import { hostReason, messageOf, type Outcome } from '../job/failure.js';
import { pauseAtAge, publishedIn } from '../job/progress.js';
import { parseTraceParent } from '../job/trace.js';
import { hasManifest } from '../job-store/manifest.js';
import { listSettled } from '../job-store/batches/settled.js';
import { findResolvedJob } from '../job-store/resolved-job.js';
import { followStop, readStop, stopJob } from '../job-store/stop.js';
import { WAKE } from '../orchestrators/calls.js';
import { laneId } from '../orchestrators/score-lane.js';
import { sleepersOf } from '../orchestrators/sleepers.js';
import type { Storage } from '../storage/storage.js';
import { placeOf } from '../telemetry/ids.js';
import { findInstance, hasEnded, isUnknown, startedBelow } from './jobs.js';

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
  /** Why activities of a job that ran in this process have to run again. */
  waiting: (jobId: string) => WaitingHere[];
}

/** Why something has to run again: a batch, or else the job's own stage. */
export interface WaitingHere {
  batch?: number;
  reason: string;
}

interface ActivityOf {
  activity: string;
  jobId: string;
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

  async function watch(jobId: string, client: Client): Promise<void> {
    const isIdle = () => !running.has(jobId);
    const stopped = new AbortController();
    let finishes = false;
    const unfollow = followStop(ports.storage, jobId, ({ ended, running: left }) => {
      // Of a job that has ended nothing sleeps any more.
      if (ended) return;
      if (left === 'finish') finishes = true;
      else stopped.abort();
    });
    const began = performance.now();
    for (;;) {
      const lookMs = Math.min(MOST_LOOK_SECONDS, pauseAtAge((performance.now() - began) / 1000)) * 1000;
      const isStopped = stopped.signal.aborted;
      if (isStopped) await pause(STOPPED_LOOK_MS, undefined, { ref: false });
      else await pause(lookMs, undefined, { ref: false, signal: stopped.signal }).catch(() => undefined);
      try {
        // Somebody may cancel it meanwhile.
        if (finishes && (await readStop(ports.storage, jobId))?.running !== 'finish') stopped.abort();
        if (await look(ports, client, jobId, { isIdle, isStopped: stopped.signal.aborted })) return unfollow();
      } catch (error) {
        warn(`job ${jobId} could not be looked after: ${messageOf(error)}`);
      }
    }
  }

  return {
    waiting: (jobId) => [...(failed.get(jobId)?.values() ?? [])],
    during: async ({ jobId, activity: name, batch }, client, activity) => {
      running.set(jobId, (running.get(jobId) ?? 0) + 1);
      if (!watched.has(jobId)) {
        watched.add(jobId);
        failed.set(jobId, new Map());
        void watch(jobId, client).finally(() => {
          watched.delete(jobId);
          failed.delete(jobId);
        });
      }
      try {
        const outcome = await activity();
        const key = `${name} ${batch ?? ''}`;
        if (outcome.ok || outcome.failure.blame !== 'platform') failed.get(jobId)?.delete(key);
        else
          failed.get(jobId)?.set(key, { reason: outcome.failure.message, ...(batch === undefined ? {} : { batch }) });
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
  jobId: string,
  { isIdle, isStopped }: { isIdle: () => boolean; isStopped: boolean },
): Promise<boolean> {
  const { storage } = ports;
  const status = await findInstance(client, jobId);
  if (status === undefined) return true;
  if (!hasEnded(status.runtimeStatus)) {
    if (isStopped) await wakeJob(storage, client, status);
    return false;
  }
  if (!(await hasManifest(storage, jobId))) await endFromOutside(ports, client, status, isIdle);
  return true;
}

/** Does for a job what its orchestration would have done at its end. */
async function endFromOutside(
  { storage, compute, telemetry, finishJob }: WatchPorts,
  client: Client,
  status: DurableOrchestrationStatus,
  isIdle: () => boolean,
): Promise<void> {
  const jobId = status.instanceId;
  const { reason, blame, message } = await stopJob(storage, jobId, outsideEnd(status));
  if (reason === 'cancelled') await tellCancelled({ storage, telemetry }, client, jobId, 'host');
  const { plan } = publishedOf(status) ?? {};
  const lanes = Array.from({ length: plan?.lanes ?? 0 }, (_, lane) => laneId(jobId, lane));
  const hasLetGo = async () => {
    const states = await Promise.all(lanes.map((id) => findInstance(client, id)));
    return isIdle() && states.every((lane) => lane === undefined || hasEnded(lane.runtimeStatus));
  };
  const deadline = performance.now() + LET_GO_MS;
  do {
    await wakeJob(storage, client, status);
    await pause(STOPPED_LOOK_MS, undefined, { ref: false });
  } while (!(await hasLetGo()) && performance.now() < deadline);
  // A batch that still runs has settled its container and removed it; these are of batches that could not.
  for (const provider of Object.values(compute)) {
    const launched = await provider.list().catch(() => []);
    for (const { name } of launched.filter((container) => container.jobId === jobId)) await provider.remove(name);
  }
  const traceParent = await startedBelow(client, jobId);
  await finishJob({ jobId, outcome: reason, blame, message, traceParent, ...(plan ? { plan } : {}) });
}

/** Tells telemetry of a cancelled job, with what its record says of it, if it has one. */
export async function tellCancelled(
  { storage, telemetry }: Pick<Ports, 'storage' | 'telemetry'>,
  client: Pick<Client, 'getStatus'>,
  jobId: string,
  by: 'request' | 'host',
  traceParent?: string,
): Promise<void> {
  const job = await findResolvedJob(storage, jobId).catch(() => undefined);
  const place = placeOf(jobId, job?.trace ?? parseTraceParent(await startedBelow(client, jobId)), traceParent);
  telemetry.cancelled({ jobId, place, model: job?.spec.model, compute: job?.spec.compute.kind, by });
}

/** Why a job has ended whose orchestration did not get to say so. */
export function outsideEnd({
  runtimeStatus,
  output,
}: Pick<DurableOrchestrationStatus, 'runtimeStatus' | 'output'>): Stop {
  const name: string = runtimeStatus;
  if (name === 'Failed')
    return {
      reason: 'failed',
      blame: 'platform',
      message: `The Functions host ended the job: ${hostReason(String(output))}.`,
    };
  return { reason: 'cancelled', blame: 'user', message: 'The job was terminated.' };
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

const publishedOf = ({ customStatus }: DurableOrchestrationStatus) => publishedIn(customStatus);
