import type { OrchestrationContext } from 'durable-functions';
import type { Outcome } from '../job/failure.js';
import { laneOfBatch } from '../job/plan.js';
import { defineOrchestrator, runChildren, runId, runOf, type Step } from './calls.js';
import { addResult, type BatchResult, NO_RESULT } from './score-batch.js';
import { laneId, type LaneInput, scoreLane } from './score-lane.js';

/** Of more lanes than this each group has an orchestration of its own, so that no history tells of all. */
const MOST_TOGETHER = 12;

export interface Lanes extends Pick<LaneInput, 'jobId' | 'plan' | 'retry' | 'only' | 'batches' | 'room'> {
  /** Their numbers. */
  lanes: number[];
  /** How often batches have been scored before. */
  round: number;
}

const groupId = (idOfRun: string, group: number, round: number) =>
  `${idOfRun}${round === 0 ? '' : `-round-${round}`}-lanes-${group}`;

/** Runs lanes side by side. Never throws. */
export const scoreLanes = defineOrchestrator(
  'scoreLanes',
  function* (context, input: Lanes & { again?: true }): Step<BatchResult> {
    const { lanes, again } = input;
    context.df.setCustomStatus(`runs lanes ${lanes[0]} to ${lanes.at(-1)}`);
    // Those of the orchestration that the host has failed may still run under their ids.
    return yield* runLanes(context, input, again ? { again, suffix: `-of-${context.df.instanceId}` } : { suffix: '' });
  },
);

/** Runs some lanes of a job, or all of them. */
export function* runSideBySide(context: OrchestrationContext, of: Lanes): Step<BatchResult> {
  const { jobId, lanes, round } = of;
  if (lanes.length <= MOST_TOGETHER) return yield* runLanes(context, of, { suffix: '' });
  const groups = Array.from({ length: Math.ceil(lanes.length / MOST_TOGETHER) }, (_, group) => {
    const own = lanes.slice(group * MOST_TOGETHER, (group + 1) * MOST_TOGETHER);
    return {
      instanceId: groupId(runId(jobId, runOf(context)), group, round),
      input: { ...of, lanes: own, ...onlyOf(of, own) },
    };
  });
  return addUp(yield* runChildren(context, scoreLanes, groups));
}

function* runLanes(
  context: OrchestrationContext,
  of: Lanes,
  { again, suffix }: { again?: true; suffix: string },
): Step<BatchResult> {
  const { jobId, plan, retry, lanes, round, batches, room } = of;
  const same = { jobId, plan, retry, ...(batches !== undefined && { batches }), ...(room && { room }) };
  const children = lanes.map((lane) => ({
    instanceId: `${laneId(runId(jobId, runOf(context)), lane, round)}${suffix}`,
    input: { ...same, lane, ...onlyOf(of, [lane]), ...(again && { again }) },
  }));
  return addUp(yield* runChildren(context, scoreLane, children));
}

/** Of the batches to score, those of these lanes. */
function onlyOf({ plan, only }: Lanes, lanes: number[]): Pick<Lanes, 'only'> {
  return only ? { only: only.filter((batch) => lanes.includes(laneOfBatch(plan, batch))) } : {};
}

/** What the host has failed ends the job, unless something else does. */
function addUp(ended: Outcome<BatchResult>[]): BatchResult {
  const results = ended.flatMap((each) => (each.ok ? [each.value] : []));
  const failed = ended.flatMap((each) => {
    if (each.ok) return [];
    const { blame, message } = each.failure;
    return [
      { ...NO_RESULT, stop: { reason: 'failed', blame: blame === 'platform' ? blame : 'user', message } as const },
    ];
  });
  return [...results, ...failed].reduce(addResult, NO_RESULT);
}
