/** A batch that is being scored, as its containers report. */
export interface Straggler {
  /** Items that none of its containers has come to. */
  left: number;
  /** Of one container. */
  secondsPerItem: number;
  /** How long its first container took from its launch until its model was loaded. */
  startSeconds: number;
  /** Containers that score it. */
  containers: number;
  /** Of those, and of those before them that have ended, how many were launched to help. */
  helped: number;
  /** Containers that the job may run beside those that it runs. */
  idle: number;
}

/** A container that helps does so many times as much work as its start costs, and works for at least so many seconds. */
const WORK_TO_START = 2;
const LEAST_WORK_SECONDS = 5;
/** More do not make up for what they cost, and each of them is looked at. */
export const MOST_HELPERS = 7;

/**
 * How many more containers are to help a batch: so many that each of them, and of those that score it already, has enough left to do once
 * the new ones have started.
 */
export function helpersFor(straggler: Straggler): number {
  const { left, secondsPerItem, startSeconds, containers, helped, idle } = straggler;
  if (![left, secondsPerItem, startSeconds].every((value) => value >= 0 && Number.isFinite(value))) return 0;
  const work = Math.max(WORK_TO_START * startSeconds, LEAST_WORK_SECONDS);
  const whenStarted = left * secondsPerItem - startSeconds * containers;
  const enough = Math.min(Math.floor(whenStarted / work), left) - containers;
  return Math.max(0, Math.min(enough, idle, MOST_HELPERS - helped));
}

/**
 * Containers that a job may run beside those of its batches.
 * @param batches that are scored in this run of the job, and how many of them are over: each of the others may have a container.
 */
export const idleContainers = ({ parallel, batches, over }: { parallel: number; batches: number; over: number }) =>
  Math.max(0, parallel - Math.max(0, batches - over));
