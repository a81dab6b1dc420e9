/** Runs at most `limit` jobs at a time, first come first served. */
export class Limiter {
  readonly #limit: number;
  #running = 0;
  #closed = false;
  #queue: (() => void)[] = [];
  #idle: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Resolves when the job has ended; never, when the limiter was closed before its turn came. */
  async run<T>(job: () => Promise<T>): Promise<T> {
    if (this.#closed || this.#running >= this.#limit) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#running += 1;
    try {
      return await job();
    } finally {
      this.#release();
    }
  }

  /** No job begins any more. */
  close(): void {
    this.#closed = true;
  }

  /** Resolves when no job is running. */
  async idle(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #release(): void {
    const next = this.#closed ? undefined : this.#queue.shift();
    // The slot passes on to the next job.
    if (next) next();
    else this.#running -= 1;
    if (this.#running > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
