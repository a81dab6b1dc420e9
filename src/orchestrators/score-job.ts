import type { OrchestrationContext } from 'durable-functions';
import type { FinishInput, FinishResult, Prepared, StitchResult } from '../activities/inputs.js';
import type { Failure } from '../job/outcome.js';
import { planBatches } from '../job/plan.js';
import type { PublishedStatus, Stage } from '../job/progress.js';
import { tooManyFailed } from '../job/tolerance.js';
import { callPatiently, type Step } from './calls.js';
import { imagesSource } from './images-source.js';
import type { JobInput, LaneInput, ScoreResult } from './inputs.js';
import { videoSource } from './video-source.js';

export interface JobOutput {
  output: string;
  bytes: number;
  items: number;
  failed: number;
  attempts: number;
}

/** The whole job. It fails with the sentence that its status shows; containers are settled before it ends either way. */
export function* scoreJob(context: OrchestrationContext): Step<JobOutput> {
  const input = context.df.getInput<JobInput>();
  const status: PublishedStatus = { stages: [] };
  const result = yield* runStages(context, input, status);
  const outcome = result.ok ? 'done' : status.cancelled ? 'cancelled' : 'failed';
  const message = result.ok ? '' : result.message;
  if (!result.ok) status.error = { kind: result.kind, message };
  enter(context, status, 'finish');
  const finish: FinishInput = { jobId: input.jobId, outcome, message, plan: status.plan };
  const finished = yield* callPatiently<FinishResult>(context, 'finishJob', finish);
  leave(context, status);
  if (!result.ok) throw new Error(result.message);
  if (!finished.ok) throw new Error(finished.message);
  return {
    ...result.value,
    items: status.plan?.items ?? 0,
    failed: finished.value.failed,
    attempts: finished.value.attempts,
  };
}

function* runStages(
  context: OrchestrationContext,
  { jobId, spec }: JobInput,
  status: PublishedStatus,
): Step<{ ok: true; value: StitchResult } | Failure> {
  enter(context, status, 'prepare');
  const prepared = yield* callPatiently<Prepared>(context, 'prepareJob', { jobId, spec });
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
  const tasks = Array.from({ length: plan.lanes }, (_, lane) => {
    const laneInput: LaneInput = { jobId, lane, plan, retry: spec.retry, timeouts: spec.timeouts };
    return context.df.callSubOrchestrator('scoreLane', laneInput, `${jobId}-lane-${String(lane).padStart(2, '0')}`);
  });
  const scored = (yield context.df.Task.all(tasks)) as ScoreResult[];
  const failure = judge(scored, spec.tolerate.failedItems, status);
  if (failure) return failure;

  enter(context, status, source.closing);
  return yield* source.close(context, jobId, items, prepared.value);
}

/** The job goes on with up to `tolerated` items that have no output. */
function judge(scored: ScoreResult[], tolerated: number, status: PublishedStatus): Failure | undefined {
  const stops = scored.flatMap((lane) => lane.stop ?? []);
  if (stops.some((stop) => stop.cancelled)) {
    status.cancelled = true;
    return { ok: false, kind: 'user', message: 'The job was cancelled.' };
  }
  if (stops[0]) return { ok: false, kind: 'user', message: stops[0].message };
  const unscored = scored.reduce((total, lane) => total + lane.failed + lane.missing, 0);
  if (unscored <= tolerated) return undefined;
  const why = scored.find((lane) => lane.message)?.message ?? 'the manifest says why';
  return { ok: false, kind: 'user', message: tooManyFailed(unscored, tolerated, why) };
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
