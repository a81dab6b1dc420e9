import type { BatchStanding, Cancelled } from './attempts/attempt-end.js';
import { fewWarnings, jsonBytes, shorten } from './failure.js';
import { batchAt, type BatchPlan } from './plan.js';

/** A video is split and stitched; an image folder is gathered, if it waits for something, and listed, and its outputs are collected. */
export const STAGES = ['gather', 'prepare', 'split', 'list', 'score', 'stitch', 'collect', 'finish'] as const;
export type Stage = (typeof STAGES)[number];

export interface StageTime {
  stage: Stage;
  /** ISO 8601, on the durable clock; milliseconds since the epoch in jobs that an older version has published. */
  startedAt: string;
  /** Absent while the stage runs. */
  seconds?: number;
}

/** What the orchestrator publishes as custom status at each change of stage; a few hundred bytes. */
export interface PublishedStatus {
  /** Of the job; absent for the first. */
  run?: number;
  /** What the job does, for people who look at its orchestration. */
  now?: string;
  /** Why it waits before it begins. */
  gathering?: string;
  stages: StageTime[];
  items?: number;
  plan?: BatchPlan;
  /** What earlier runs have scored of batches that this one leaves alone. */
  adopted?: Adopted;
  /** The batches that this run does not leave alone; absent: all. */
  only?: number[];
  warnings?: string[];
  /** Pixels of the output video for each of the source's; 0 where none is made. */
  enlarged?: number;
  error?: { kind: 'user' | 'platform'; message: string };
  cancelled?: boolean;
  cancelledBy?: Cancelled;
  /** Set when all that is left to do is to tell that the job has ended: where its outputs are. */
  over?: { output?: string; predictions?: string };
  /** Once the job has ended, how many of its items were taken over from other jobs; absent: none. */
  reused?: number;
}

/** What a job has published as its custom status; undefined for anything else, because tools let people set any. */
export function publishedIn(customStatus: unknown): PublishedStatus | undefined {
  if (typeof customStatus !== 'object' || customStatus === null) return undefined;
  return 'stages' in customStatus && Array.isArray(customStatus.stages) ? (customStatus as PublishedStatus) : undefined;
}

/** Batches in which no item is missing when a run begins to score, and their items. */
export interface Adopted {
  batches: number;
  items: number;
  /** Items with an output then, in all batches; absent in what an older version has published. */
  done?: number;
}

/** The most that a hub is to keep of a status, in bytes of JSON. */
const MOST_STATUS_BYTES = 4096;

/** A status as it is published: with what it says in words, and with fewer warnings where it would be too large. */
export function toPublish({ warnings, ...status }: PublishedStatus): PublishedStatus {
  const said = { now: inWords(status), ...status };
  const { only: _, ...least } = said;
  // Without `only` a stopped job is not woken everywhere at once.
  const kept = jsonBytes(said) <= MOST_STATUS_BYTES ? said : least;
  const room = MOST_STATUS_BYTES - jsonBytes({ ...kept, warnings: [] });
  return warnings === undefined ? kept : { ...kept, warnings: fewWarnings(warnings, room) };
}

/** @param now milliseconds since the epoch. */
export const secondsSince = ({ startedAt }: Pick<StageTime, 'startedAt'>, now: number) =>
  (now - new Date(startedAt).getTime()) / 1000;

/** What a job does in each stage. */
export const STAGES_IN_WORDS: Record<Stage, string> = {
  gather: 'waits for images',
  prepare: 'prepares the job',
  split: 'splits the video into frames',
  list: 'lists the images',
  score: 'scores',
  stitch: 'makes the output video',
  collect: 'collects the outputs',
  finish: 'finishes',
};

const LONGEST_NOW = 300;

/** What a job does at its latest stage, or how it ended, in words. */
export function inWords(status: PublishedStatus): string {
  const { run = 1 } = status;
  return run === 1 ? stageInWords(status) : `run ${run}: ${stageInWords(status)}`;
}

function stageInWords({
  stages,
  items,
  plan,
  error,
  cancelled,
  cancelledBy,
  gathering,
  reused,
}: PublishedStatus): string {
  const current = stages.at(-1);
  if (cancelledBy) return `was cancelled by a request at ${cancelledBy.at}`;
  if (cancelled) return 'was cancelled';
  if (error) return `failed: ${shorten(error.message, LONGEST_NOW)}`;
  if (!current) return 'begins';
  if (current.seconds !== undefined)
    return `done with ${counted(items ?? 0, 'item')}${reused === undefined ? '' : `, ${reused} of them reused`}`;
  if (current.stage === 'gather') return gathering ?? STAGES_IN_WORDS.gather;
  if (current.stage !== 'score' || !plan) return STAGES_IN_WORDS[current.stage];
  return `scores ${counted(plan.items, 'item')} in ${counted(plan.batches, 'batch', 'batches')}, ${plan.lanes} at a time`;
}

const counted = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** One batch after its latest settled attempt. */
export interface SettledCounts {
  batch: number;
  attempt: number;
  /** Items with an output, over all attempts. */
  done: number;
  /** How many of these were taken over from other jobs; left out: none. */
  reused?: number;
  failed: number;
  state: BatchStanding;
}

/** One container run as it last reported. `done` counts this run's items only, `skipped` those of the batch that had an output before. */
export interface RunningCounts {
  batch: number;
  attempt: number;
  done: number;
  skipped: number;
  failed: number;
  /** The attempt that it helps, of which `skipped` counts no items. */
  helps?: number;
  /** When its process started, ISO 8601; absent in reports of older scorers. */
  startedAt?: string | undefined;
}

export interface ItemCounts {
  total: number;
  /** With an output. */
  done: number;
  /** How many of these were taken over from other jobs, as far as their batches have been settled; left out: none. */
  reused?: number;
  failed: number;
}

export interface BatchCounts {
  total: number;
  pending: number;
  running: number;
  done: number;
  failed: number;
}

/**
 * Adds up what is known of each batch. What was settled last and what a run reports both say how many items have an output in all, and
 * an output does not go away, so the larger number is right and no number ever falls.
 */
export function countProgress(
  plan: BatchPlan,
  settled: SettledCounts[],
  reports: RunningCounts[],
  adopted: Adopted = { batches: 0, items: 0 },
): { items: ItemCounts; batches: BatchCounts } {
  const items: ItemCounts = { total: plan.items, done: adopted.items, failed: 0 };
  let reusedItems = 0;
  const batches = { total: plan.batches, pending: 0, running: 0, done: adopted.batches, failed: 0 };
  const known = new Map<number, { attempt: number; done: number; failed: number }>();
  const active = new Set<number>();
  const isPlanned = ({ batch }: { batch: number }) => batchAt(plan, batch) !== undefined;
  for (const { batch, attempt, done, reused = 0, failed, state } of settled.filter(isPlanned)) {
    reusedItems += reused;
    known.set(batch, { attempt, done, failed });
    if (state === 'retrying') active.add(batch);
    else if (state !== 'stopped') batches[state] += 1;
  }
  for (const report of reports.filter(isPlanned)) {
    const { batch, attempt, failed } = report;
    const before = known.get(batch) ?? { attempt: 0, done: 0, failed: 0 };
    const settledBefore = attempt <= before.attempt;
    if (!settledBefore) active.add(batch);
    known.set(batch, {
      ...before,
      done: Math.max(before.done, scoredTogether(report, reports)),
      failed: settledBefore ? before.failed : before.failed + failed,
    });
  }
  for (const { done, failed } of known.values()) {
    items.done += done;
    items.failed += failed;
  }
  batches.running = active.size;
  batches.pending = Math.max(0, plan.batches - batches.done - batches.failed - batches.running);
  // Of an open batch only this is known before its first report.
  items.done = Math.min(Math.max(items.done, adopted.done ?? 0), plan.items);
  if (reusedItems > 0) items.reused = reusedItems;
  return { items, batches };
}

/**
 * Items of a batch that have an output according to a container and those that help it; none according to one that helps, which counts with
 * the other. One that its platform has started again has found what the others had stored until then.
 */
function scoredTogether(report: RunningCounts, reports: RunningCounts[]): number {
  const { batch, attempt, helps, startedAt = '' } = report;
  if (helps !== undefined) return 0;
  const helpers = reports.filter(
    (each) => each.batch === batch && each.helps === attempt && (each.startedAt ?? '') >= startedAt,
  );
  return [report, ...helpers].reduce((sum, { done, skipped }) => sum + done + skipped, 0);
}

/**
 * Items per second since the stage began, and the seconds that the rest of the job will take at this rate.
 * Both are null until something has been done.
 * @param elapsedSeconds from the beginning of the stage to when `done` was true.
 * @param afterSeconds the guess for what follows the stage.
 * @param sinceSeconds from when `done` was true until now.
 */
export function estimate(
  done: number,
  total: number,
  elapsedSeconds: number,
  afterSeconds: number,
  sinceSeconds = 0,
): { rate: number | null; secondsLeft: number | null } {
  if (done <= 0 || elapsedSeconds <= 0) return { rate: null, secondsLeft: null };
  const rate = done / elapsedSeconds;
  return {
    rate: round(rate, 2),
    secondsLeft: Math.max(0, Math.ceil((total - done) / rate + afterSeconds - sinceSeconds)),
  };
}

export const LONGEST_PAUSE = 10;

/**
 * Seconds until the next report on something that has gone on for so long, or the next look at it. So what is known of it is at most two
 * seconds or a tenth of its age old, and what a long job says of itself costs a bounded number of requests an hour.
 */
export const pauseAtAge = (seconds: number): number => Math.min(LONGEST_PAUSE, Math.max(2, seconds / 10));

export function round(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
