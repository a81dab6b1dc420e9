import type { InvocationContext, TimerHandler } from '@azure/functions';
import type { Ports } from '../activities/ports.js';
import type { ComputeProvider, Launched } from '../compute/provider.js';
import { messageOf } from '../job/failure.js';
import { keepLog } from '../job-store/batches/logs.js';
import { jobOf, parseContainerName } from '../job-store/layout.js';
import { hasManifest } from '../job-store/manifest.js';
import { findResolvedJob } from '../job-store/resolved-job.js';
import { readDecision, stopJob } from '../job-store/stop.js';
import { placeOf } from '../telemetry/ids.js';
import { hasEnded } from './jobs.js';

/** Longer than it takes to start a run that was decided. */
const BEGIN_MS = 60_000;

interface SweepPorts extends Pick<Ports, 'storage' | 'compute' | 'telemetry'> {
  /** Runtime status of a job's orchestration; undefined when this app knows none. */
  stateOf: (context: InvocationContext, jobId: string) => Promise<string | undefined>;
}

/**
 * Removes the containers that no living job owns: their job has written its manifest, which it does last, its orchestration
 * has ended without one, or their deadline has passed. A job removes its containers itself; this is for jobs that were
 * terminated or lost with their host.
 */
export function createSweep(ports: SweepPorts): TimerHandler {
  return async (_, context) => {
    for (const [kind, provider] of Object.entries(ports.compute)) {
      try {
        for (const container of await provider.list()) await sweepOne(ports, context, kind, provider, container);
      } catch (error) {
        // One compute that is away must not keep the others from being swept; the next run tries again.
        context.error(`sweep: ${kind}: ${messageOf(error)}`);
      }
    }
  };
}

/** A container that cannot be removed now is reported, and does not keep the others. */
async function sweepOne(
  ports: SweepPorts,
  context: InvocationContext,
  kind: string,
  provider: ComputeProvider,
  container: Launched,
): Promise<void> {
  const { name } = container;
  try {
    const why = await whyRemove(ports, context, container, Date.now());
    if (why === undefined) return;
    const attempt = parseContainerName(name);
    if (attempt)
      await keepLog(ports.storage, attempt, () => provider.logs(name)).catch((error: unknown) =>
        context.warn(`sweep: the output of the ${kind} container ${name} is lost: ${messageOf(error)}`),
      );
    await provider.remove(name);
    context.warn(`sweep: removed the ${kind} container ${name}: ${why}`);
    await tellSwept(ports, context, kind, container, why);
  } catch (error) {
    context.error(`sweep: the ${kind} container ${name} is still there: ${messageOf(error)}`);
  }
}

async function tellSwept(
  { storage, telemetry }: SweepPorts,
  context: InvocationContext,
  compute: string,
  { name, jobId }: Launched,
  message: string,
): Promise<void> {
  const job = jobId === '' ? undefined : await findResolvedJob(storage, jobId).catch(() => undefined);
  const place = placeOf(jobId, job?.trace, context.traceContext?.traceParent);
  const model = job?.spec.model;
  telemetry.swept({ ...parseContainerName(name), jobId, place, model, compute, container: name, message });
}

async function whyRemove(
  { storage, stateOf }: SweepPorts,
  context: InvocationContext,
  { jobId, deadline }: Launched,
  now: number,
): Promise<string | undefined> {
  if (deadline > 0 && deadline < now) return `its deadline ${new Date(deadline).toISOString()} has passed`;
  if (jobId === '') return undefined;
  if (await hasManifest(storage, jobId)) return `job ${jobId} has ended`;
  const state = await stateOf(context, jobId);
  if (state === undefined || !hasEnded(state)) return undefined;
  const why = `job ${jobId} was ended as ${state} and has removed nothing itself`;
  // Nothing can launch for a job whose records are removed, and nothing is to be written of it any more.
  if (!(await jobOf(storage, jobId).exists())) return why;
  // The batches of a terminated job may live on: this keeps them from launching the next container.
  const message = `The job was ${state === 'Terminated' ? 'terminated' : 'ended'} from outside.`;
  const decision = await readDecision(storage, jobId);
  const { run = 1 } = decision ?? {};
  // A run that was just decided has its orchestration in a moment.
  if (!(decision && 'begun' in decision && now - Date.parse(decision.begun) < BEGIN_MS))
    await stopJob(storage, jobId, { reason: 'cancelled', blame: 'user', message, ...(run > 1 && { run }) });
  return why;
}
