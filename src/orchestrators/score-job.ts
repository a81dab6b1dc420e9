import type { OrchestrationContext } from 'durable-functions';
import type { Healed } from '../activities/finish-job.js';
import type { Stop } from '../job/attempts/attempt-end.js';
import type { Failure, Outcome } from '../job/failure.js';
import type { Origin } from '../job/inbox/claim.js';
import type { RoomPolicy } from '../job/attempts/room.js';
import { type BatchPlan, laneOfBatch, planBatches } from '../job/plan.js';
import { type PublishedStatus, secondsSince, type Stage, toPublish } from '../job/progress.js';
import { isJobId, type JobSpec } from '../job/spec.js';
import { excessOf, type Tolerance, tooManyLost } from '../job/tolerance.js';
import { defineOrchestrator, patientActivitiesOf, type Step } from './calls.js';
import { gather } from './gather.js';
import { runSideBySide } from './lane-group.js';
import type { BatchResult } from './score-batch.js';
import { type Delivered, framesSource, imagesSource, type Open, type Source, videoSource } from './sources.js';
import { tell } from './tell.js';

/** No property is called `instanceId`: the host would take it for its own. */
export interface JobInput {
  jobId: string;
  spec: JobSpec;
  /** When its first run was accepted, in milliseconds since the epoch; absent in jobs that an older version has started. */
  acceptedAt?: number;
  /** The span that started it; absent in jobs that an older version has started. */
  traceParent?: string;
  /** Absent of a job that a request started. */
  startedBy?: Origin;
  /** How long it waits for what its folder is expected to hold; absent: it does not. */
  waitHours?: number;
  /** From 2 on for a job that was started again; absent: the first. */
  run?: number;
  /** With which number the batches of this run begin; absent: with 0. */
  firstBatch?: number;
  /** Nothing of earlier runs is kept. */
  fromScratch?: boolean;
  /** What earlier runs have come to, for the status until this one is planned; absent where nobody knows. */
  kept?: { items: number; done: number };
  /** Since when it waits, of a job that has waited for so long that this is not its first execution; ISO 8601. */
  waitsSince?: string;
}

export interface JobOutput extends Delivered {
  items: number;
  failed: number;
  /** How many of the items were taken over from other jobs; absent: none. */
  reused?: number;
  attempts: number;
}

/** How often `finishJob` is tried before the job ends without its manifest: for about half an hour. */
const FINISH_TRIES = 12;

/** The whole job. It fails with the sentence that its status shows; containers are settled before it ends either way. */
export const scoreJob = defineOrchestrator('scoreJob', function* (context, input: JobInput): Step<JobOutput> {
  if (!isStartedByApp(input))
    throw new Error(
      'The job was not started by the app, so it has no id or no specification; start it with POST /api/jobs.',
    );
  const { jobId } = input;
  const { run } = input;
  const status: PublishedStatus = { ...(run !== undefined && { run }), stages: [], ...statusOf(input.kept) };
  const healed: Healed = { scoredAgain: 0 };
  const result = yield* runStages(context, input, status, healed);
  if (result === undefined) return NOTHING_YET;
  enter(context, status, 'finish');
  const { reason: outcome, ...why } = result.ok ? DONE : failed(result.failure);
  const { traceParent, startedBy, acceptedAt } = input;
  const { notify } = input.spec;
  const told = status.plan === undefined ? { asked: input.spec } : { notify };
  const wasHealed = healed.scoredAgain > 0 || healed.madeAgain !== undefined;
  const ended = { plan: status.plan, ...(wasHealed && { healed }) };
  const finish = { jobId, outcome, ...why, ...told, ...ended, traceParent, startedBy, acceptedAt };
  const finished = yield* patientActivitiesOf(context, FINISH_TRIES).finishJob(finish);
  // Only storage knows whether somebody cancelled the job before it ended.
  const end = finished.ok ? finished.value.end : failed(finished.failure);
  if (end.reason === 'cancelled') status.cancelled = true;
  if (end.cancelled) status.cancelledBy = end.cancelled;
  if (end.reason !== 'done') status.error = { kind: end.blame, message: end.message };
  if (finished.ok) status.warnings = [...(status.warnings ?? []), ...finished.value.warnings];
  const reused = finished.ok && finished.value.reused ? { reused: finished.value.reused } : {};
  Object.assign(status, reused);
  const places = finished.ok ? (finished.value.notify ?? []) : [];
  // Its notices may take long, and nobody is to wait for them.
  if (places.length > 0) status.over = end.reason === 'done' && result.ok ? outputsOf(result.value) : {};
  leave(context, status);
  if (places.length > 0) {
    const untold = yield* tell(context, jobId, places);
    status.warnings = [...(status.warnings ?? []), ...untold];
    if (untold.length > 0) publish(context, status);
  }
  if (end.reason !== 'done' || !result.ok || !finished.ok) throw new Error(end.message);
  return {
    ...result.value,
    items: status.plan?.items ?? 0,
    failed: finished.value.failed,
    ...reused,
    attempts: finished.value.attempts,
  };
});

const statusOf = (kept: JobInput['kept']): Pick<PublishedStatus, 'items' | 'adopted'> =>
  kept ? { items: kept.items, adopted: { batches: 0, items: 0, done: kept.done } } : {};

/** Whoever may start orchestrations can start this one with anything. */
const isStartedByApp = (input: unknown) =>
  typeof input === 'object' &&
  input !== null &&
  'jobId' in input &&
  typeof input.jobId === 'string' &&
  isJobId(input.jobId) &&
  'spec' in input &&
  typeof input.spec === 'object' &&
  input.spec !== null;

const outputsOf = ({ output, predictions }: Delivered) => ({
  output,
  ...(predictions !== undefined && { predictions }),
});

/** What an execution returns that goes on as a new one: nobody reads it. */
const NOTHING_YET: JobOutput = { output: '', bytes: 0, items: 0, failed: 0, attempts: 0 };

const DONE: Stop = { reason: 'done', blame: 'user', message: '' };

const failed = ({ blame, message }: Failure): Stop => ({
  reason: 'failed',
  blame: blame === 'platform' ? blame : 'user',
  message,
});

/** How often items are scored again whose outputs have gone from storage, and the result is made again. */
const MOST_ROUNDS = 3;

/** @param healed is told what was made again. @returns undefined when the job goes on as a new execution. */
function* runStages(
  context: OrchestrationContext,
  input: JobInput,
  status: PublishedStatus,
  healed: Healed,
): Step<Outcome<Delivered> | undefined> {
  const { jobId, spec, traceParent, startedBy, waitHours, run = 1, firstBatch, fromScratch } = input;
  if (waitHours !== undefined && spec.input.images !== undefined) {
    const { images } = spec.input;
    const { waitsSince = context.df.currentUtcDateTime.toISOString() } = input;
    enter(context, status, 'gather', waitsSince);
    const waiting = { jobId, images, hours: waitHours, since: waitsSince };
    const incomplete = yield* gather(context, waiting, (words) => {
      status.gathering = words;
      publish(context, status);
    });
    if (incomplete === 'goes on') {
      context.df.continueAsNew({ ...input, waitsSince } satisfies JobInput);
      return undefined;
    }
    if (incomplete) return { ok: false, failure: incomplete };
  }
  enter(context, status, 'prepare');
  const prepared = yield* patientActivitiesOf(context).prepareJob({
    jobId,
    spec,
    traceParent,
    startedBy,
    ...(fromScratch === true && { fromScratch }),
  });
  if (!prepared.ok) return prepared;
  // How many images there are is known when they have been listed.
  if (prepared.value.expectedItems > 0) status.items = prepared.value.expectedItems;
  status.warnings = prepared.value.warnings;
  status.enlarged = prepared.value.enlarged;

  const { images, frameRate } = spec.input;
  const source = images === undefined ? videoSource : frameRate === undefined ? imagesSource : framesSource;
  enter(context, status, source.opening);
  const opened = yield* source.open(context, { jobId, prepared: prepared.value, round: 0 });
  if (!opened.ok) return opened;
  const { items, warnings } = opened.value;
  status.items = items;
  status.warnings = [...status.warnings, ...warnings];
  const plan = planBatches(items, spec.batch.size, prepared.value.parallel, prepared.value.pack, firstBatch);
  status.plan = plan;

  let only: number[] | undefined;
  if (run > 1) {
    const rest = yield* patientActivitiesOf(context).findLost({ jobId, plan });
    if (!rest.ok) return rest;
    // Of more than can be named all are looked at, each by itself.
    if (rest.value.rest === undefined) {
      only = rest.value.batches;
      status.only = only;
      const { accounted = 0, done } = rest.value;
      status.adopted = { batches: plan.batches - only.length, items: accounted, ...(done !== undefined && { done }) };
    }
  }
  if (only?.length !== 0) {
    enter(context, status, 'score');
    const failure = yield* scoreBatches(context, { jobId, spec }, plan, {
      round: 0,
      room: prepared.value.room,
      ...(only && { only }),
    });
    if (failure) return { ok: false, failure };
  }

  /** Why the result could not be made in the round before. */
  let notMade: string | undefined;
  for (let round = 1; ; round += 1) {
    // What is missing in storage and was not given up must be made again, never be left out.
    const lost = yield* patientActivitiesOf(context).findLost({ jobId, plan });
    if (!lost.ok) return lost;
    const { batches: gone, items: itemsGone = 0, message } = lost.value;
    let why: Failure = { blame: 'platform', message };
    // Where outputs are gone, it was one of these.
    if (gone.length === 0 && notMade !== undefined) healed.madeAgain ??= notMade;
    notMade = undefined;
    if (gone.length === 0) {
      enter(context, status, source.closing(prepared.value));
      const closed = yield* source.close(context, { jobId, prepared: prepared.value, opened: opened.value, round });
      // Something that the result is made of went away meanwhile: look again.
      if (closed.ok || closed.failure.blame !== 'item') return closed;
      why = { blame: 'platform', message: closed.failure.message };
      notMade = why.message;
    }
    if (round === MOST_ROUNDS) return { ok: false, failure: why };
    if (gone.length > 0) enter(context, status, 'score');
    const again =
      gone.length > 0
        ? yield* scoreBatches(context, { jobId, spec }, plan, { round, only: gone, room: prepared.value.room })
        : yield* openAgain(context, source, { jobId, prepared: prepared.value, round }, items);
    if (again) return { ok: false, failure: again };
    if (gone.length > 0) healed.scoredAgain += itemsGone;
  }
}

/** Makes again what the opening stage left, as far as it is gone. */
function* openAgain(
  context: OrchestrationContext,
  source: Source,
  open: Open,
  items: number,
): Step<Failure | undefined> {
  const opened = yield* source.open(context, open);
  if (!opened.ok) return opened.failure;
  if (opened.value.items === items) return undefined;
  return { blame: 'user', message: `The input of job ${open.jobId} has changed since it was started; start it again.` };
}

/** Which batches are scored: in the first round all that earlier runs have not done, later those that have lost outputs. */
interface Round {
  round: number;
  only?: number[];
  /** Set when the job has several computes. */
  room: RoomPolicy | undefined;
}

function* scoreBatches(
  context: OrchestrationContext,
  { jobId, spec }: JobInput,
  plan: BatchPlan,
  { round, only, room }: Round,
): Step<Failure | undefined> {
  const all = Array.from({ length: plan.lanes }, (_, lane) => lane);
  const lanes = all.filter((lane) => !only || only.some((batch) => laneOfBatch(plan, batch) === lane));
  // Of outputs that were lost nobody counts which batches are over.
  const batches = spec.batch.splitStragglers !== false && round === 0 ? { batches: only?.length ?? plan.batches } : {};
  const more = { ...batches, ...(only && { only }), ...(room && { room }) };
  const result = yield* runSideBySide(context, { jobId, plan, retry: spec.retry, lanes, round, ...more });
  return judge(result, spec.tolerate, plan.items);
}

/** The job goes on without some of its items, as far as it tolerates. */
function judge(result: BatchResult, tolerance: Tolerance, items: number): Failure | undefined {
  const { stop, missing, givenUp: batches = 0, message } = result;
  if (stop) return { blame: stop.blame, message: stop.message };
  const excess = excessOf(tolerance, items, { failed: result.failed, missing, batches });
  return excess && { blame: 'user', message: tooManyLost(excess, message || 'the manifest says why') };
}

function enter(
  context: OrchestrationContext,
  status: PublishedStatus,
  stage: Stage,
  startedAt = context.df.currentUtcDateTime.toISOString(),
): void {
  if (status.stages.at(-1)?.stage === stage) return;
  close(context, status);
  status.stages.push({ stage, startedAt });
  publish(context, status);
}

function leave(context: OrchestrationContext, status: PublishedStatus): void {
  close(context, status);
  publish(context, status);
}

function publish(context: OrchestrationContext, status: PublishedStatus): void {
  context.df.setCustomStatus(toPublish(status));
}

function close(context: OrchestrationContext, status: PublishedStatus): void {
  const current = status.stages.at(-1);
  if (current) current.seconds = secondsSince(current, context.df.currentUtcDateTime.getTime());
}
