import type { JobSpec } from '../spec.js';
import type { MediaEvent } from './media-event.js';

/**
 * The record that says what became of a version of a blob: made before anything is done about it, and kept longer than any event comes
 * again. `claimed`: nothing is decided. `waiting`: it is decided which job it starts. `started` and `refused`: it is over.
 */
export interface Claim {
  /** Its id. */
  claim: string;
  event: MediaEvent;
  state: 'claimed' | 'waiting' | 'started' | 'refused';
  job?: ClaimedJob;
  /** Why it was refused. */
  message?: string;
}

/** All that it takes to start the job. */
export interface ClaimedJob {
  jobId: string;
  spec: JobSpec;
  /** Whether it waits for what its folder is expected to hold. */
  waits: boolean;
  /** Expected ones; 0 when nobody knows. */
  items: number;
  /** Of its input, as far as the event says. */
  bytes: number;
}

/** A version of a blob. */
export type Version = Pick<MediaEvent, 'account' | 'container' | 'name' | 'etag'>;

/** What has started a job. */
export interface Origin {
  /** In the media account, beginning with the inbox. */
  path: string;
  /** Without quotes. */
  etag: string;
}

/** What makes a claim one claim: this text is hashed to its id. */
export const claimedText = ({ account, container, name, etag }: Version): string =>
  `${account}/${container}/${name}\n${etag}`;

export const claimed = (claim: string, event: MediaEvent): Claim => ({ claim, event, state: 'claimed' });

// Each step returns the very claim that it got when it has nothing to change: who comes late undoes nothing.

export const decided = (before: Claim, job: ClaimedJob): Claim =>
  before.state === 'claimed' ? { ...before, state: 'waiting', job } : before;

export const started = (before: Claim): Claim =>
  before.state === 'waiting' ? { ...before, state: 'started' } : before;

export const refused = (before: Claim, message: string): Claim =>
  before.state === 'claimed' || before.state === 'waiting' ? { ...before, state: 'refused', message } : before;

/** Where those who wait stand: names that sort by arrival. */
export const LINE_PREFIX = 'line/';

/** @param arrival milliseconds since the epoch. */
export const lineName = (claim: string, arrival: number): string =>
  `${LINE_PREFIX}${String(arrival).padStart(15, '0')}-${claim}`;

/** The claim that stands there. */
export const parseLineName = (name: string): string | undefined =>
  /^line\/\d{15}-(inbox-[0-9a-f]{32})$/.exec(name)?.[1];

/** No event is older than the service that sends it. */
const EARLIEST = Date.UTC(2015, 0);

/**
 * When new media came, in milliseconds since the epoch.
 * @param time of the event.
 * @param now in its place, when it is none or cannot be right.
 */
export function arrivalOf(time: string, now: number): number {
  const at = Date.parse(time);
  return at >= EARLIEST && at <= Math.max(now, EARLIEST) ? at : now;
}
