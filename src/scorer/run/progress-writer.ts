import { messageOf } from '../../job/failure.js';
import { type AttemptProgress, progressMetadata } from '../../container-contract/progress.js';

/** Often enough for one write a second when a write takes a while itself. */
const INTERVAL_MS = 750;

/** Writes the progress again and again, never two writes at once. */
export class ProgressWriter {
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;

  /**
   * @param write stores the progress; `metadata` holds its counts.
   * @param warn is told when a write failed; that alone does not end a run.
   */
  constructor(
    private readonly current: () => AttemptProgress,
    private readonly write: (text: string, metadata: Record<string, string>) => Promise<void>,
    private readonly warn: (sentence: string) => void,
  ) {}

  /** Writes now and then at least once a second. */
  start(): void {
    this.#tick();
    this.#timer = setInterval(() => this.#tick(), INTERVAL_MS);
  }

  /** Stops, and writes a last time once the write under way has ended. */
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
