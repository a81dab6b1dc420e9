import { messageOf } from '../../job/failure.js';
import { type AttemptProgress, progressMetadata } from '../../container-contract/progress.js';

/** Short enough for one write a second even when each write takes a while. */
const INTERVAL_MS = 750;

/** Writes the progress at a fixed interval, never twice at the same time. */
export class ProgressWriter {
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

  /** Writes now, and from then on at least once a second. */
  start(): void {
    this.#tick();
    this.#timer = setInterval(() => this.#tick(), INTERVAL_MS);
  }

  /** Waits for a write that is under way, writes a last time, and stops. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.#writing;
    await this.#put();
  }

  #tick(): void {
    if (this.#writing) return;
    this.#writing = this.#put().finally(() => {
      this.#writing = undefined;
    });
  }

  async #put(): Promise<void> {
    const progress = this.current();
    try {
      await this.write(JSON.stringify(progress), progressMetadata(progress));
    } catch (error) {
      this.warn(`progress not written: ${messageOf(error)}`);
    }
  }
}
