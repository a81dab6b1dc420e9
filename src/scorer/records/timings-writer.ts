import { counted, messageOf } from '../../job/failure.js';
import type { ItemTimings } from '../../container-contract/result.js';

/** What a scorer that is killed loses at most, with the time of a write. */
const INTERVAL_MS = 30_000;
/** So much is written before its time. */
const ENOUGH_CHARACTERS = 512 * 1024;
/** So much is kept at most while a write takes long: in UTF-8 less than the 4 MiB that any service version lets one request append. */
const MOST_CHARACTERS = 2 * ENOUGH_CHARACTERS;

/** Writes what each item took, a line for each, now and then; never twice at the same time. */
export class TimingsWriter {
  #text = '';
  #lines = 0;
  #left = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;

  /**
   * @param append adds lines to those that are stored.
   * @param warn gets a sentence when lines are lost, which does not end the run.
   */
  constructor(
    private readonly append: (lines: string) => Promise<void>,
    private readonly warn: (sentence: string) => void,
  ) {}

  add(timings: ItemTimings): void {
    if (this.#text.length > MOST_CHARACTERS) {
      this.#left += 1;
      return;
    }
    this.#text += `${JSON.stringify(timings, inTenths)}\n`;
    this.#lines += 1;
    this.#timer ??= setInterval(() => this.#tick(), INTERVAL_MS).unref();
    if (this.#text.length > ENOUGH_CHARACTERS) this.#tick();
  }

  /** Waits for a write that is under way, writes what is left, and stops. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.#writing;
    await this.#put();
    if (this.#left > 0) this.warn(lost(this.#left, 'storage was too slow'));
  }

  #tick(): void {
    if (this.#writing) return;
    this.#writing = this.#put().finally(() => {
      this.#writing = undefined;
    });
  }

  async #put(): Promise<void> {
    const [text, lines] = [this.#text, this.#lines];
    if (text === '') return;
    [this.#text, this.#lines] = ['', 0];
    try {
      await this.append(text);
    } catch (error) {
      this.warn(lost(lines, messageOf(error)));
    }
  }
}

const inTenths = (_key: string, value: unknown) => (typeof value === 'number' ? Math.round(value * 10) / 10 : value);
const lost = (lines: number, why: string) => `timings of ${counted(lines, 'item')} not written: ${why}`;
