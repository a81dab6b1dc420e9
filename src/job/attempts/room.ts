import type { Failure } from '../failure.js';

/** The computes of a job among which a batch looks for room. */
export interface RoomPolicy {
  /** Two or more by their names, in the order in which it tries them; elsewhere they have their numbers, from 0. */
  computes: string[];
  /** How long a batch waits for room on one of them. */
  afterSeconds: number;
}

/** What a lane knows of the room on the computes of its job; starts as `ROOM_EVERYWHERE`. */
export interface Search {
  /** The compute that the next container is to have. */
  compute: number;
  /** Since when the batch has waited for room there, in milliseconds since the epoch; absent: it does not wait. */
  since?: number;
  /** Computes that had no room when they were last tried. */
  full: Full[];
  /** Set when the attempt that comes next has been asked for elsewhere. */
  moved?: true;
}

interface Full {
  compute: number;
  /** How often in a row. */
  times: number;
  /** Until when others are tried before it, in milliseconds since the epoch. */
  until: number;
}

export const ROOM_EVERYWHERE: Search = { compute: 0, full: [] };

/** What a compute had no room for. */
export interface Refused {
  /** When its container was asked for, and when that was refused, in milliseconds since the epoch. */
  askedAt: number;
  at: number;
  /** How long the batch would wait until it tries again. */
  delaySeconds: number;
  /** How long the platform wants to be left alone at least. */
  retryAfterSeconds?: number | undefined;
}

export interface Turn {
  search: Search;
  /** Until the batch tries again, on the compute of `search`. */
  delaySeconds: number;
}

/** A compute that was full so often is tried again after so many times the wait at most. */
const GROWTH = 4;
const LONGEST_SECONDS = 3600;

/** A batch begins with the first compute that is not known to be full, so that a lane comes back to one that was. */
export function beginBatch({ full, compute }: Search, { computes }: RoomPolicy, now: number): Search {
  return { compute: firstFree(full, computes.length, now) ?? compute, full };
}

/** A container had its place on the compute. */
export const foundRoom = ({ compute, full }: Search): Search => ({
  compute,
  full: full.filter((each) => each.compute !== compute),
});

/**
 * A compute had no room. The batch waits for it as long as it may and tries it once more at the end of that time, if it may; it does not wait
 * for one that was full before, which it has tried only to see whether it still is. Then it turns to the first one that is not known to be full,
 * at once. When all are, it goes on with the one that was found so longest ago, and waits as it would without any choice.
 */
export function foundNoRoom(search: Search, policy: RoomPolicy, refused: Refused): Turn {
  const { askedAt, at, delaySeconds, retryAfterSeconds = 0 } = refused;
  const { compute, full, since = askedAt } = search;
  const before = full.find((each) => each.compute === compute);
  const patience = before ? 0 : Math.max(0, policy.afterSeconds - (at - since) / 1000);
  if (patience > 0 && retryAfterSeconds <= patience)
    return { search: { compute, since, full }, delaySeconds: Math.min(delaySeconds, patience) };
  const leftAt = at + patience * 1000;
  const times = (before?.times ?? 0) + 1;
  const seconds = Math.min(LONGEST_SECONDS, policy.afterSeconds * GROWTH ** (times - 1));
  const others = full.filter((each) => each.compute !== compute);
  const known = [...others, { compute, times, until: leftAt + seconds * 1000 }];
  const free = firstFree(known, policy.computes.length, leftAt);
  if (free !== undefined) return { search: { compute: free, full: known }, delaySeconds: patience };
  const oldest = others.toSorted((one, other) => one.until - other.until)[0]?.compute ?? compute;
  return { search: { compute: oldest, full: known }, delaySeconds };
}

/** A compute by its name, and when a batch that waits for room on another one turns to it, in milliseconds since the epoch. */
export interface NextTurn {
  compute: string;
  at: number;
}

/** Where a batch that waits turns to if there is still no room; undefined where nobody knows yet. */
export function nextTurn(search: Search, policy: RoomPolicy, now: number): NextTurn | undefined {
  const { compute, full, since = now } = search;
  if (full.some((each) => each.compute === compute)) return undefined;
  const at = since + policy.afterSeconds * 1000;
  const next = firstFree([...full, { compute, times: 1, until: Infinity }], policy.computes.length, at);
  const name = policy.computes[next ?? -1];
  return name === undefined ? undefined : { compute: name, at };
}

function firstFree(full: Full[], computes: number, now: number): number | undefined {
  const isFree = (compute: number) => !full.some((each) => each.compute === compute && each.until > now);
  return Array.from({ length: computes }, (_, compute) => compute).find(isFree);
}

/** The search of one batch. Times are in milliseconds since the epoch. */
export class PlaceSearch {
  constructor(
    private readonly policy: RoomPolicy,
    /** What is known now. */
    public search: Search,
  ) {}

  /** Of the compute that the next container is to have. */
  get name(): string {
    return this.policy.computes[this.search.compute] ?? '';
  }

  /** What the next attempt is launched with. */
  where(now: number): { compute: number; moved?: true; turn?: NextTurn } {
    const { compute, moved } = this.search;
    const turn = nextTurn(this.search, this.policy, now);
    return { compute, ...(moved && { moved }), ...(turn && { turn }) };
  }

  /** @param compute where it had been launched before, if that is another one. */
  hasLaunched(compute: number = this.search.compute): void {
    const { moved: _, ...known } = this.search;
    this.search = compute === known.compute ? known : { compute, full: known.full };
  }

  hasRoom(): void {
    this.search = foundRoom(this.search);
  }

  /** @returns the seconds until the next attempt. */
  afterFailure(
    { noRoom, retryAfterSeconds }: Pick<Failure, 'noRoom' | 'retryAfterSeconds'>,
    { isLaunched, ...tried }: Omit<Refused, 'retryAfterSeconds'> & { isLaunched: boolean },
  ): number {
    if (noRoom !== true) {
      if (isLaunched) this.hasRoom();
      return tried.delaySeconds;
    }
    const { compute, moved } = this.search;
    const turn = foundNoRoom(this.search, this.policy, { ...tried, retryAfterSeconds });
    const hasMoved = moved ?? (!isLaunched && turn.search.compute !== compute);
    this.search = { ...turn.search, ...(hasMoved && { moved: true }) };
    return turn.delaySeconds;
  }
}
