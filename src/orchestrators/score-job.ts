import type { OrchestrationContext } from 'durable-functions';
import { tooManyFailed } from '../job/attempt-end.js';
import type { Failure, Outcome } from '../job/failure.js';
import { planBatches } from '../job/plan.js';
import type { PublishedStatus, Stage } from '../job/progress.js';
import type { JobSpec } from '../job/spec.js';
import { defineOrchestrator, patientActivitiesOf, resultsOf, type Step } from './calls.js';
import type { BatchResult } from './score-batch.js';
import { scoreLane } from './score-lane.js';
import { type Delivered, imagesSource, videoSource } from './sources.js';

/** No property is called `instanceId`: the host would take it for its own. */
export interface JobInput {
  jobId: string;
  spec: JobSpec;
}

export interface JobOutput extends Delivered {
  items: number;
  failed: number;
  attempts: number;
}

/** The whole job. It fails with the sentence that its status shows; containers are settled before it ends either way. */
export const scoreJob = defineOrchestrator('scoreJob', function* (context, input: JobInput): Step<JobOutput> {
  const { jobId } = input;
  const status: PublishedStatus = { stages: [] };
  const result = yield* runStages(context, input, status);
  const outcome = result.ok ? 'done' : status.cancelled ? 'cancelled' : 'failed';
  const message = result.ok ? '' : result.failure.message;
  if (!result.ok) status.error = { kind: result.failure.blame === 'platform' ? 'platform' : 'user', message };
  enter(context, status, 'finish');
  const finished = yield* patientActivitiesOf(context).finishJob({ jobId, outcome, message, plan: status.plan });
  leave(context, status);
  if (!result.ok) throw new Error(message);
  if (!finished.ok) throw new Error(finished.failure.message);
  const { failed, attempts } = finished.value;
  return { ...result.value, items: status.plan?.items ?? 0, failed, attempts };
});

function* runStages(
  context: OrchestrationContext,
  { jobId, spec }: JobInput,
  status: PublishedStatus,
): Step<Outcome<Delivered>> {
  enter(context, status, 'prepare');
  const prepared = yield* patientActivitiesOf(context).prepareJob({ jobId, spec });
  if (!prepared.ok) return prepared;
  status.items = prepared.value.expectedItems;
  status.warnings = prepared.value.warnings;

  const source = spec.input.images === undefined ? videoSource : imagesSource;
  enter(context, status, source.opening);
  const opened = yield* source.open(context, jobId, prepared.value);
  if (!opened.ok) return opened;
  const { items, warnings } = opened.value;
  status.items = items;
  status.warnings = [...status.warnings, ...warnings];
  const plan = planBatches(items, spec.batch.size, prepared.value.parallel);
  status.plan = plan;

  enter(context, status, 'score');
  const lanes = Array.from({ length: plan.lanes }, (_, lane) => {
    const instanceId = `${jobId}-lane-${String(lane).padStart(2, '0')}`;
    return scoreLane.start(context, { jobId, lane, plan, retry: spec.retry }, instanceId);
  });
  const scored = yield* resultsOf(context, lanes);
  const failure = judge(scored, spec.tolerate.failedItems, status);
  if (failure) return { ok: false, failure };

  enter(context, status, source.closing);
  return yield* source.close(context, jobId, opened.value);
}

/** The job goes on with up to `tolerated` items that have no output. */
function judge(lanes: BatchResult[], tolerated: number, status: PublishedStatus): Failure | undefined {
  const stops = lanes.flatMap((lane) => lane.stop ?? []);
  if (stops.some((stop) => stop.reason === 'cancelled')) {
    status.cancelled = true;
    return { blame: 'user', message: 'The job was cancelled.' };
  }
  if (stops[0]) return { blame: 'user', message: stops[0].message };
  const unscored = lanes.reduce((total, lane) => total + lane.failed + lane.missing, 0);
  if (unscored <= tolerated) return undefined;
  const why = lanes.find((lane) => lane.message)?.message ?? 'the manifest says why';
  return { blame: 'user', message: tooManyFailed(unscored, tolerated, why) };
}

function enter(context: OrchestrationContext, status: PublishedStatus, stage: Stage): void {
  close(context, status);
  status.stages.push({ stage, startedAt: context.df.currentUtcDateTime.getTime() });
  context.df.setCustomStatus(status);
}

function leave(context: OrchestrationContext, status: PublishedStatus): void {
  close(context, status);
  context.df.setCustomStatus(status);
}

function close(context: OrchestrationContext, status: PublishedStatus): void {
  const current = status.stages.at(-1);
  if (current) current.seconds = (context.df.currentUtcDateTime.getTime() - current.startedAt) / 1000;
}
