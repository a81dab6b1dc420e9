/** Writes a row never twice at once; changes made while a write is under way go out together in the next one. */
export class RowWriter {
  readonly #write: () => Promise<void>;
  #last: Promise<void> = Promise.resolve();
  #queued: Promise<void> | undefined;

  constructor(write: () => Promise<void>) {
    this.#write = write;
  }

  /** Resolves when the row as it is now is stored. */
  save(): Promise<void> {
    if (!this.#queued) {
      const before = this.#last.catch(() => undefined);
      this.#queued = before.then(() => {
        this.#queued = undefined;
        return this.#write();
      });
      this.#last = this.#queued;
    }
    return this.#queued;
  }

  /** Resolves when no write is under way, whether it succeeded or not. */
  async idle(): Promise<void> {
    await this.#last.catch(() => undefined);
  }
}
