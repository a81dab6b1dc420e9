/** The longest that a job may let a container take. */
export const MOST_SECONDS = { provision: 7200, batch: 86_400, stall: 7200, item: 7000 };

export interface Timeouts {
  /** From launch to the first sign of life. */
  provisionSeconds: number;
  /** From launch to the end. */
  batchSeconds: number;
  /** Between two handled items. */
  stallSeconds: number;
}

/** How often a compute wants to be asked; each question costs history and a call to the platform. */
export interface PollBounds {
  minSeconds: number;
  maxSeconds: number;
}

/** What a container run says of itself; the times are ISO 8601. */
export interface ReportedProgress {
  /** Items that had an output before the run, of `total`. */
  skipped: number;
  total: number;
  done: number;
  failed: number;
  startedAt: string;
  lastItemAt: string;
  updatedAt: string;
  /** When the model was ready, once it was. */
  times?: { modelLoaded?: string };
  /** Until its next report; 1 where it is absent. */
  pauseSeconds?: number;
}

export type Overdue = 'provision-timeout' | 'batch-timeout' | 'stalled';

/** Which limit a running container has exceeded, if any. Times in milliseconds since the epoch. */
export function overdue(
  timeouts: Timeouts,
  launchedAt: number,
  now: number,
  progress: ReportedProgress | undefined,
): Overdue | undefined {
  if (now - launchedAt > timeouts.batchSeconds * 1000) return 'batch-timeout';
  if (!progress) return now - launchedAt > timeouts.provisionSeconds * 1000 ? 'provision-timeout' : undefined;
  const { stallSeconds } = timeouts;
  const { pauseSeconds = 1 } = progress;
  const [lastItemAt, updatedAt] = [Date.parse(progress.lastItemAt), Date.parse(progress.updatedAt)];
  // Since its last report it may have handled items; only one that should have reported again is known not to have.
  const told = updatedAt - lastItemAt > stallSeconds * 1000;
  const silent = now - lastItemAt > (stallSeconds + pauseSeconds) * 1000;
  return told || silent ? 'stalled' : undefined;
}

/** Azure takes its time until it says that a container has its place, even where there is room. */
const LEAST_PLACE_SECONDS = 120;

/**
 * Whether a container has waited for its place so long that the batch is to turn to another compute. Times in milliseconds since the epoch.
 * @param afterSeconds how long a batch waits for room.
 */
export const lacksPlace = (afterSeconds: number, launchedAt: number, now: number) =>
  now - launchedAt > Math.max(afterSeconds, LEAST_PLACE_SECONDS) * 1000;

/** Whether a job has gone on for longer than it may, in milliseconds since the epoch. @param createdAt ISO 8601. */
export const isLate = (
  { jobSeconds = Infinity }: { jobSeconds?: number | undefined },
  createdAt: string,
  now: number,
) => now - Date.parse(createdAt) > jobSeconds * 1000;

/** The part of the expected remaining time after which to look again: an estimate may be a third too long. */
const PATIENCE = 0.7;

/**
 * Looks again when most of the expected remaining time is over: few polls for a long batch, and an end seen soon. Before the
 * first item, after half of the time that has passed already, and never later than that; after the expected end, of the time since then.
 */
export function secondsToNextPoll(
  bounds: PollBounds,
  launchedAt: number,
  now: number,
  progress: ReportedProgress | undefined,
): number {
  const clamp = (value: number) => Math.min(bounds.maxSeconds, Math.max(bounds.minSeconds, value));
  const handled = progress ? progress.done + progress.failed : 0;
  if (!progress || handled === 0) return clamp((now - launchedAt) / 2000);
  const remaining = progress.total - progress.skipped - handled;
  const updatedAt = Date.parse(progress.updatedAt);
  const beganAt = Date.parse(progress.times?.modelLoaded ?? progress.startedAt);
  const secondsPerItem = (updatedAt - beganAt) / 1000 / handled;
  const left = remaining * secondsPerItem - Math.max(0, now - updatedAt) / 1000;
  // The first item comes late, after the start: what it promises of the others is far too long.
  return clamp(Math.min(left > 0 ? left * PATIENCE : -left / 2, (now - launchedAt) / 2000));
}
