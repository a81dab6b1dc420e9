import type { InvocationContext } from '@azure/functions';
import type { Ports } from '../../activities/ports.js';
import { JobError, messageOf } from '../../job/failure.js';
import { arrivalOf, type Claim, type ClaimedJob, refused, started } from '../../job/inbox/claim.js';
import { shownName } from '../../job/inbox/media-event.js';
import { changeClaim, readClaim } from '../../job-store/inbox/claims.js';
import { firstInLine, leaveLine } from '../../job-store/inbox/line.js';
import { lookAtMedia } from '../../job-store/inbox/media.js';
import { givePlaces } from '../../job-store/inbox/places.js';
import { quarantine } from '../../job-store/inbox/quarantine.js';
import { OutputTaken } from '../../job-store/outputs.js';
import { placeOf } from '../../telemetry/ids.js';
import { INBOX } from '../../job-store/layout.js';
import type { Launcher, WantedJob } from '../launch.js';

export interface AdmitPorts extends Pick<Ports, 'storage' | 'telemetry'> {
  launcher: Launcher;
  /** How long jobs wait for what their folders are expected to hold. */
  waitHours: number;
}

/** Starts those who wait, first come, first served, as long as there is room. */
export type Admit = (context: InvocationContext) => Promise<void>;

/** One look at the line at a time in this process: whoever comes meanwhile shares the next one. */
export function createAdmit(ports: AdmitPorts): Admit {
  let current: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  return (context) => {
    next ??= current.then(() => {
      next = undefined;
      const work = admitAll(ports, context);
      current = work.catch(() => undefined);
      return work;
    });
    return next;
  };
}

async function admitAll(ports: AdmitPorts, context: InvocationContext): Promise<void> {
  const { storage } = ports;
  const passedOver = new Set<string>();
  for (;;) {
    const first = await firstInLine(storage, passedOver);
    if (!first) return;
    const claim = await readClaim(storage, first.claim);
    // What is over stands in line only because somebody died before it could leave.
    const waits = claim?.state === 'waiting' && claim.job && (await admitOne(ports, context, claim, claim.job));
    if (waits === 'for room') return;
    if (waits === 'for its output') passedOver.add(first.blob);
    else await leaveLine(storage, first.blob);
  }
}

/** @returns why it has to wait on; undefined when it need not. Who waits for another job's output keeps nobody else waiting. */
async function admitOne(
  ports: AdmitPorts,
  context: InvocationContext,
  claim: Claim,
  { waits, ...job }: ClaimedJob,
): Promise<'for room' | 'for its output' | undefined> {
  const { storage, launcher, waitHours } = ports;
  const { jobId } = job;
  if (!(await launcher.wasStarted(context, jobId))) {
    const seen = await lookAtMedia(storage, claim.event);
    if (seen.is !== 'there') {
      const message = `It was ${seen.is === 'gone' ? 'removed' : 'replaced'} before its job could start.`;
      context.info(`inbox: ${shownName(claim.event.name)} starts no job ${jobId}: ${message}`);
      await changeClaim(storage, claim, (each) => refused(each, message));
      return undefined;
    }
    const startedBy = { path: `${INBOX}/${claim.event.name}`, etag: claim.event.etag };
    const wanted: WantedJob = { ...job, startedBy, ...(waits && { waitHours }) };
    // One that waits for its images takes no room, and its place when they are there.
    const place = waits ? { since: arrivalOf(claim.event.time, Date.now()) } : await launcher.reserve(context, wanted);
    if (place instanceof JobError) {
      if (place.blame === 'platform') return 'for room';
      await refuseMedia(ports, context, claim, place);
      return undefined;
    }
    try {
      // Another host may have come first meanwhile; a job that has ended would start once more.
      if (!(await launcher.wasStarted(context, jobId)))
        await launcher.launch(context, { ...wanted, acceptedAt: place.since });
    } catch (error) {
      await givePlaces(storage, [jobId]);
      if (error instanceof OutputTaken) return 'for its output';
      if (!(error instanceof JobError) || error.blame === 'platform') throw error;
      await refuseMedia(ports, context, claim, error);
      return undefined;
    }
    context.info(`inbox: ${shownName(claim.event.name)} has started job ${jobId}`);
  }
  await changeClaim(storage, claim, started);
  return undefined;
}

/** Says why new media starts no job: a decision, after which the message is done with. */
export async function refuseMedia(
  { storage, telemetry }: Pick<Ports, 'storage' | 'telemetry'>,
  context: InvocationContext,
  claim: Claim,
  error: JobError,
): Promise<void> {
  const reason = messageOf(error);
  const record = await quarantine(storage, claim, reason);
  await changeClaim(storage, claim, (each) => refused(each, reason));
  context.warn(`inbox: ${shownName(claim.event.name)} starts no job, see ${record}: ${reason}`);
  const place = placeOf(claim.claim, undefined, context.traceContext?.traceParent);
  telemetry.mediaRefused({ claim: claim.claim, blob: `${INBOX}/${claim.event.name}`, place, message: reason });
}
