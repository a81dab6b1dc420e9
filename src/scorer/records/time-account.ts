import type { ScorerSplit } from '../../job/attempts/bottleneck.js';

/** What an idle engine waits for while a step goes on; the steps that bring it a frame soonest come first. */
const WAITS = {
  modelLoad: 'model',
  prepare: 'pictures',
  decode: 'pictures',
  fetch: 'storage',
  // Only what holds the items in flight remains: the one that ends soonest makes room for another.
  store: 'storage',
  encode: 'pictures',
  finish: 'pictures',
} as const satisfies Record<string, keyof ScorerSplit>;

/** What is done for items outside the engine, and the loading of the model. */
export type Step = keyof typeof WAITS;
const STEPS = Object.keys(WAITS) as Step[];

/** The engine's news arrive late where this thread is busy; nothing keeps it for longer than a few stretches. */
const MOST_STRETCHES = 100;

/** Says what the time of a scorer goes into, so that every moment counts once: see `TimeUse`. Times are milliseconds since its start. */
export class TimeAccount {
  readonly #split: ScorerSplit = { start: 0, model: 0, storage: 0, pictures: 0, inference: 0, other: 0 };
  readonly #running = Object.fromEntries(STEPS.map((step) => [step, 0])) as Record<Step, number>;
  /** What the latest stretches of time would have gone into with an idle engine. */
  readonly #stretches: { from: number; to: number; use: keyof ScorerSplit }[] = [];
  #isReady = false;
  /** Share of the engine's sessions that work. */
  #busy = 0;
  #now = 0;

  constructor(private readonly clock = () => performance.now()) {}

  /** The engine has its model. */
  ready(): void {
    this.#advance();
    this.#isReady = true;
  }

  async during<T>(step: Step, work: () => Promise<T>): Promise<T> {
    this.#advance();
    this.#running[step] += 1;
    try {
      const working = work();
      // A step that does not wait at once, as one in pure JavaScript, keeps this thread from all else.
      this.#advance(WAITS[step]);
      return await working;
    } finally {
      this.#advance();
      this.#running[step] -= 1;
    }
  }

  /**
   * @param share of the engine's sessions that work, 0 to 1.
   * @param since when this has been so, which may be some time ago where it is fewer than before.
   */
  engineBusy(share: number, since: number): void {
    this.#advance();
    if (share < this.#busy) this.#correct(since, this.#busy - share);
    this.#busy = share;
  }

  /** So much of the time in which the engine worked went into pictures. */
  noInference(milliseconds: number): void {
    this.#split.inference -= milliseconds;
    this.#split.pictures += milliseconds;
  }

  /** What the time until now has gone into. */
  split(): ScorerSplit {
    this.#advance();
    return { ...this.#split };
  }

  #advance(use = this.#idleFor()): void {
    const from = this.#now;
    this.#now = this.clock();
    const took = this.#now - from;
    if (took <= 0) return;
    this.#split.inference += took * this.#busy;
    this.#split[use] += took * (1 - this.#busy);
    const last = this.#stretches.at(-1);
    if (last?.use === use) last.to = this.#now;
    else this.#stretches.push({ from, to: this.#now, use });
    if (this.#stretches.length > MOST_STRETCHES) this.#stretches.shift();
  }

  #idleFor(): keyof ScorerSplit {
    const step = STEPS.find((each) => this.#running[each] > 0);
    return step === undefined ? (this.#isReady ? 'other' : 'start') : WAITS[step];
  }

  /** A share of the engine has been idle since then. */
  #correct(since: number, share: number): void {
    for (const { from, to, use } of this.#stretches) {
      const idle = Math.max(0, to - Math.max(from, since)) * share;
      this.#split.inference -= idle;
      this.#split[use] += idle;
    }
  }
}
