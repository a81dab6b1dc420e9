import { setTimeout as sleep } from 'node:timers/promises';

/** A container that wants to run. */
export interface Claim {
  name: string;
  jobId: string;
  /** Cores that it could use, 1 or more. */
  cores: number;
}

/** How long a claim waits for cores before it is sent away to ask again, in milliseconds. */
const HELD_MS = 10_000;
/** A claim that has not asked for so long is forgotten: its job has ended. */
const FORGOTTEN_MS = 300_000;
/** The longest pause between two asks, in seconds. */
const LONGEST_PAUSE = 120;

interface Waiting extends Claim {
  since: number;
  asked: number;
  /** Set while the claim waits here; gives it its cores. */
  grant?: (cores: number) => void;
}

/**
 * Shares the cores of this machine among the containers of all jobs. Cores that become free go to the job that has the fewest at that
 * moment, and between equals to the container that has waited longest.
 */
export class Turns {
  readonly #given = new Map<string, Claim>();
  readonly #waiting = new Map<string, Waiting>();

  constructor(
    private readonly cores: number,
    private readonly heldMs = HELD_MS,
  ) {}

  /**
   * Waits for cores, ten seconds at most, and no longer than a few others wait already.
   * @param atOnce does not wait, and stands in no line.
   * @returns the cores that the container has until `release`: as many as it could use or as are free, at least one. 0 when there are
   * none yet; it keeps its place in the line if it asks again within five minutes.
   */
  async take(claim: Claim, atOnce = false): Promise<number> {
    const now = Date.now();
    const { since = now } = this.#waiting.get(claim.name) ?? {};
    const waiting: Waiting = { ...claim, since, asked: now };
    this.#waiting.set(claim.name, waiting);
    const held = [...this.#waiting.values()].filter(({ grant }) => grant).length;
    if (held >= this.cores) return 0;
    let granted: number | undefined;
    const arrived = new AbortController();
    waiting.grant = (cores) => {
      granted = cores;
      arrived.abort();
    };
    this.#share();
    // Rejects when the cores have arrived.
    if (!atOnce) await sleep(this.heldMs, undefined, { signal: arrived.signal }).catch(() => undefined);
    else if (granted === undefined) this.#waiting.delete(claim.name);
    delete waiting.grant;
    return granted ?? 0;
  }

  /** Seconds after which a claim that got nothing asks again: the longer it has waited, the later. */
  pauseFor(name: string): number {
    const { since = Date.now() } = this.#waiting.get(name) ?? {};
    return Math.min(LONGEST_PAUSE, 1 + (Date.now() - since) / 4000);
  }

  release(name: string): void {
    this.#given.delete(name);
    this.#share();
  }

  #share(): void {
    for (const { name, asked } of this.#waiting.values())
      if (Date.now() - asked > FORGOTTEN_MS) this.#waiting.delete(name);
    for (;;) {
      const free = this.cores - sum([...this.#given.values()]);
      const [next] = [...this.#waiting.values()]
        .filter(({ grant }) => grant)
        .toSorted((one, other) => this.#coresOf(one.jobId) - this.#coresOf(other.jobId) || one.since - other.since);
      if (!next?.grant || free < 1) return;
      const { name, jobId } = next;
      const cores = Math.min(next.cores, free);
      this.#given.set(name, { name, jobId, cores });
      this.#waiting.delete(name);
      next.grant(cores);
    }
  }

  #coresOf(jobId: string): number {
    return sum([...this.#given.values()].filter((claim) => claim.jobId === jobId));
  }
}

const sum = (claims: Claim[]) => claims.reduce((total, { cores }) => total + cores, 0);
