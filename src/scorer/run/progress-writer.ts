import { messageOf } from '../../job/failure.js';
import { pauseAtAge } from '../../job/progress.js';
import { type AttemptProgress, progressMetadata } from '../../container-contract/progress.js';

/** Writes the progress again and again, never twice at the same time. */
export class ProgressWriter {
  #startedAt = 0;
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

  /** Writes now, and from then on every second, less often as the run gets older. */
  start(): void {
    this.#startedAt = performance.now();
    this.#tick();
  }

  /** Waits for a write that is under way, writes a last time, and stops. */
  async end(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#writing;
    await this.#put(this.current());
  }

  #tick(): void {
    const pauseSeconds = pauseAtAge((performance.now() - this.#startedAt) / 1000);
    this.#timer = setTimeout(() => this.#tick(), pauseSeconds * 1000);
    if (this.#writing) return;
    this.#writing = this.#put({ ...this.current(), pauseSeconds }).finally(() => {
      this.#writing = undefined;
    });
  }

  async #put(progress: AttemptProgress): Promise<void> {
    try {
      await this.write(JSON.stringify(progress), progressMetadata(progress));
    } catch (error) {
      this.warn(`progress not written: ${messageOf(error)}`);
    }
  }
}
