import type { Blame, Failure } from '../failure.js';
import type { Overdue } from './watch.js';

/**
 * How the watch over a container ended. `no-room`: it got no place in time, and the job has another compute. `unseen`: unknown, because the
 * container could not be observed for too long. `let-go`: it was one of several that scored a batch, and the others had ended or had to be.
 */
export type WatchEnd = 'ended' | 'stopped' | Overdue | 'no-room' | 'unseen' | 'let-go';

/** Who has cancelled a job, and when. */
export interface Cancelled {
  /** `DELETE /api/jobs/{id}`, or somebody who ended its orchestration: through the durable API or Durable Functions Monitor. */
  by: 'request' | 'management';
  /** ISO 8601. */
  at: string;
  /** As it was given to the durable API. */
  reason?: string;
}

/** Why no more containers are launched for a job. Whoever stops the job writes this record; its activities read it. */
export interface Stop {
  reason: 'cancelled' | 'failed' | 'done';
  blame: 'user' | 'platform';
  message: string;
  /** Set when the job has lost more than it tolerates. */
  exceeded?: true;
  /** Set when containers that run are left to end by themselves. */
  running?: 'finish';
  /** Of the job; the first, when left out. */
  run?: number;
  /** Of a job that was cancelled, as far as it is known. */
  cancelled?: Cancelled;
  /** Set when the run has ended like this: nobody can stop it any more. */
  ended?: true;
}

/** What an attempt left behind, as far as it is known. */
export interface Evidence {
  watchEnd: WatchEnd;
  /** Items of the batch with no output and no recorded failure. */
  missing: number;
  /** What the compute reports about the container: whether it still exists, and why it ended. */
  container: {
    alive: boolean;
    blame?: Extract<Blame, 'user' | 'platform'>;
    reason?: string;
    noRoom?: true;
    isOver?: true;
    exitCode?: number;
    outOfMemory?: 'likely' | 'possible';
  };
  /** What the scorer says of itself; undefined when it left no result. */
  result: { outcome: 'completed' | 'interrupted' | 'failed'; failure?: Failure } | undefined;
  /** What keeps the job from launching more, if anything. */
  stop: Stop | undefined;
}

/** What the end of an attempt means for its batch. `complete`: every item has an output or a recorded failure. */
export type AttemptEnd =
  { end: 'complete'; message: string } | { end: 'stopped'; stop: Stop } | { end: 'failed'; failure: Failure };

/** What the end of an attempt says. */
export function messageOfEnd(ended: AttemptEnd): string {
  if (ended.end === 'complete') return ended.message;
  return ended.end === 'stopped' ? ended.stop.message : ended.failure.message;
}

/** Who is to blame for each way an attempt can end, and the message that users see when nothing more specific is known. */
export const MEANINGS = {
  provisionTimeout: {
    blame: 'platform',
    message: 'the container showed no sign of life within timeouts.provisionSeconds',
    noRoom: true,
  },
  noRoom: {
    blame: 'platform',
    message: 'the container got no place within compute.fallbackAfterSeconds',
    noRoom: true,
  },
  unrunnable: { blame: 'user', message: 'the container cannot run' },
  interrupted: { blame: 'platform', message: 'the container was interrupted by its platform' },
  unseen: { blame: 'platform', message: 'the app could not check on the container for too long' },
  letGo: { blame: 'platform', message: 'it was ended with another container of its batch' },
  stalled: { blame: 'attempt', message: 'the scorer handled no item for longer than timeouts.stallSeconds' },
  batchTimeout: { blame: 'attempt', message: 'the batch took longer than timeouts.batchSeconds' },
  incomplete: { blame: 'attempt', message: 'the scorer ended without scoring every item' },
  noResult: { blame: 'attempt', message: 'the scorer ended without a result' },
} as const satisfies Record<string, Failure>;

/** Judges an attempt that has ended. */
export function judgeAttempt(evidence: Evidence): AttemptEnd {
  const { watchEnd, missing, container, result, stop } = evidence;
  if (missing === 0) return { end: 'complete', message: '' };
  if (watchEnd === 'stopped')
    return { end: 'stopped', stop: stop ?? { reason: 'failed', blame: 'platform', message: 'the job was stopped' } };
  // The scorer knows best why it failed, so its own failure wins over what the compute reports.
  if (result?.failure) return { end: 'failed', failure: result.failure };
  const meaning: Failure = MEANINGS[meaningOf(evidence)];
  const message = tellsReason(meaning) ? (container.reason ?? meaning.message) : meaning.message;
  const { noRoom, isOver } = meaning === MEANINGS.interrupted ? container : meaning;
  const known = { ...(noRoom && { noRoom }), ...(isOver && { isOver }) };
  return { end: 'failed', failure: { blame: meaning.blame, message, ...known } };
}

function meaningOf({ watchEnd, container, result }: Evidence): keyof typeof MEANINGS {
  if (watchEnd === 'provision-timeout') return 'provisionTimeout';
  if (watchEnd === 'no-room') return 'noRoom';
  if (container.blame === 'user') return 'unrunnable';
  if (container.blame === 'platform' || result?.outcome === 'interrupted') return 'interrupted';
  if (watchEnd === 'let-go' && container.alive) return 'letGo';
  if (watchEnd === 'unseen' && !result && container.alive) return 'unseen';
  if (watchEnd === 'stalled') return 'stalled';
  if (watchEnd === 'batch-timeout') return 'batchTimeout';
  return result ? 'incomplete' : 'noResult';
}

/** Whether the compute's own reason is more informative than the table's message. */
const tellsReason = (meaning: Failure) =>
  meaning === MEANINGS.unrunnable || meaning === MEANINGS.interrupted || meaning === MEANINGS.noResult;

/**
 * What the ends of several containers that scored a batch together mean for it. One that came to help is not charged to the batch: that
 * would not be worse off without it.
 * @param missing items of the whole batch; those of each container are in its own end.
 * @param helpers how they ended, without the container that they helped.
 */
export function endTogether(missing: number, own: AttemptEnd, helpers: AttemptEnd[]): AttemptEnd {
  if (missing === 0) return { end: 'complete', message: '' };
  const stopped = [own, ...helpers].find(({ end }) => end === 'stopped');
  if (stopped || own.end === 'failed') return stopped ?? own;
  const failed = helpers.find((each) => each.end === 'failed');
  const message = failed ? messageOfEnd(failed) : MEANINGS.letGo.message;
  return { end: 'failed', failure: { blame: 'platform', message: `a container that helped: ${message}` } };
}

/** Where a batch stands after an attempt. `stopped`: unfinished because the job ended; its items count as pending. */
export type BatchStanding = 'retrying' | 'done' | 'failed' | 'stopped';

/** Where the batch stands unless it is given up, which `giveUpBatch` records. */
export function batchStanding(attempt: AttemptEnd): BatchStanding {
  if (attempt.end === 'complete') return 'done';
  if (attempt.end === 'stopped') return 'stopped';
  return attempt.failure.blame === 'user' ? 'failed' : 'retrying';
}
