import type { Schedule } from './ncrontab.js';

/** What the host remembers of a timer function between two runs, and tells it. */
export interface TimerStatus {
  /** When it ran last, if it ever did. */
  last: Date | undefined;
  /** When it is due. */
  next: Date;
  /** The time from which `next` was reckoned. */
  lastUpdated: Date;
}

/**
 * What a timer's status is when the host starts, and whether a run was missed: one, however many fell due. A schedule that was changed
 * meanwhile is reckoned anew, and nothing of it was missed (azure-webjobs-sdk-extensions, ScheduleMonitor.cs).
 */
export function statusAtStart(
  schedule: Schedule,
  stored: TimerStatus | undefined,
  now: Date,
): { status: TimerStatus; isPastDue: boolean } {
  const begun = { status: { last: undefined, next: schedule.next(now), lastUpdated: now }, isPastDue: false };
  if (!stored) return begun;
  const reckonedFrom = stored.last ?? stored.lastUpdated;
  const expected = schedule.next(reckonedFrom);
  if (expected.getTime() === stored.next.getTime()) return { status: stored, isPastDue: now > stored.next };
  return expected < now
    ? begun
    : { status: { last: undefined, next: expected, lastUpdated: reckonedFrom }, isPastDue: false };
}

/**
 * The status after a run that began at `begun`. A run on schedule that began a moment early, as timers may, counts as one at its time:
 * otherwise the same time would come again.
 */
export function statusAfterRun(schedule: Schedule, status: TimerStatus, begun: Date, onSchedule: boolean): TimerStatus {
  const last = onSchedule && status.next > begun ? status.next : begun;
  return { last, next: schedule.next(last), lastUpdated: last };
}

/** .NET's first moment, which stands for a time that there is not. */
const NEVER = '0001-01-01T00:00:00+00:00';

/** The members of a status as the host stores them and functions get them. */
export function statusMembers({ last, next, lastUpdated }: TimerStatus): Record<string, string> {
  return { Last: last ? written(last) : NEVER, Next: written(next), LastUpdated: written(lastUpdated) };
}

/** Undefined for text that is no status. */
export function parseStatus(text: string): TimerStatus | undefined {
  let members: Record<string, unknown>;
  try {
    members = (JSON.parse(text) as Record<string, unknown> | null) ?? {};
  } catch {
    return undefined;
  }
  const [last, next, lastUpdated] = ['Last', 'Next', 'LastUpdated'].map((name) => read(members[name]));
  const updated = lastUpdated ?? last;
  return next && updated ? { last, next, lastUpdated: updated } : undefined;
}

function written(time: Date): string {
  return time.toISOString().replace('Z', '+00:00');
}

function read(value: unknown): Date | undefined {
  const time = new Date(typeof value === 'string' ? value : Number.NaN);
  return time.getUTCFullYear() > 1 ? time : undefined;
}
