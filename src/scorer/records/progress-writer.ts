import { messageOf } from '../../job/failure.js';
import { LONGEST_PAUSE } from '../../job/progress.js';
import { type AttemptProgress, progressMetadata } from '../../container-contract/progress.js';

/** How often it looks for news. */
const LOOK_MS = 500;
/** Between two writes of counts: with the look, what is stored is at most two seconds old. */
const LEAST_PAUSE_MS = 1500;

/** Writes the progress when there is news and now and then, never twice at the same time. */
export class ProgressWriter {
  #wroteAt = 0;
  #ended = false;
  #told: AttemptProgress | undefined;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;

  /**
   * @param write stores the progress; `metadata` holds its counts.
   * @param warn gets a sentence when a write fails, which does not end the run.
   */
  constructor(
    private readonly current: () => AttemptProgress,
    private readonly write: (text: string, metadata: Record<string, string>) => Promise<void>,
    private readonly warn: (sentence: string) => void,
  ) {}

  /**
   * Writes now, and from then on what is new: a phase at once, counts at most two seconds after they have changed; without news every ten
   * seconds.
   */
  start(): void {
    void this.#write(this.current());
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** Writes what is the case now, and returns when that is stored or storage has refused it. */
  async now(): Promise<void> {
    while (this.#writing) await this.#writing;
    if (!this.#ended) await this.#write(this.current());
  }

  /** Waits for a write that is under way, writes a last time, and stops. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    this.#ended = true;
    await this.#writing;
    await this.#put(this.current());
  }

  #look(): void {
    if (this.#writing) return;
    const [now, progress] = [performance.now(), this.current()];
    const hasCounted = countsIn(progress) !== countsIn(this.#told);
    const pauseMs = hasCounted ? LEAST_PAUSE_MS : LONGEST_PAUSE * 1000;
    if (phaseOf(progress) !== phaseOf(this.#told) || now - this.#wroteAt > pauseMs - LOOK_MS / 2)
      void this.#write(progress);
  }

  #write(progress: AttemptProgress): Promise<void> {
    this.#wroteAt = performance.now();
    this.#told = { ...progress, times: { ...progress.times } };
    this.#writing = this.#put({ ...progress, pauseSeconds: LONGEST_PAUSE }).finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #put(progress: AttemptProgress): Promise<void> {
    try {
      await this.write(JSON.stringify(progress), progressMetadata(progress));
    } catch (error) {
      this.warn(`progress not written: ${messageOf(error)}`);
    }
  }
}

const phaseOf = (progress: AttemptProgress | undefined) => [progress?.phase, progress?.times.firstItem].join(' ');
const countsIn = (progress: AttemptProgress | undefined) =>
  [progress?.done, progress?.skipped, progress?.failed].join(' ');
