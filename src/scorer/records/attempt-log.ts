import { formatLogLine, type LogLevel, type LogSource, logLine } from '../../container-contract/log-line.js';
import { messageOf } from '../../job/failure.js';
import type { StoredLog, TaskBlobs } from '../run/task-blobs.js';

/** How long a line waits until it is stored: of a scorer that is killed, storage holds the rest. */
const STORE_EVERY_MS = 2000;
/** Characters of a log; the results hold what a longer one would tell of its items. */
const MOST = 512 * 1024;

/** Adds a sentence to the log of the run. */
export type Log = (sentence: string, level?: LogLevel) => void;

/** The scorer's own account of its run, without URLs and secrets: every line is printed at once and stored soon. */
export class AttemptLog {
  #lines: string[] = [];
  #characters = 0;
  #stored: Pick<StoredLog, 'version' | 'metadata'> | undefined;
  #isStored = true;
  #failed = false;
  #timer: NodeJS.Timeout | undefined;
  #storing: Promise<void> = Promise.resolve();

  constructor(
    private readonly source: LogSource,
    private readonly blobs: Pick<TaskBlobs, 'writeLog'>,
    private readonly blob: string,
  ) {}

  readonly say: Log = (sentence, level = 'info') => {
    if (this.#characters > MOST) return;
    this.#add(sentence, level);
    if (this.#characters > MOST) this.#add('The log is full: further lines are left out, up to the last one.', 'warn');
  };

  /** Stores what has been said, now, and what is said from now on: of a run that ends at once, storage holds the beginning at least. */
  start(): void {
    const store = () => {
      this.#storing = this.#storing.then(() => this.#store());
    };
    store();
    this.#timer = setInterval(store, STORE_EVERY_MS);
  }

  /** Says the last sentence and waits until all is stored, or storage has refused it. */
  async end(sentence: string, level: LogLevel): Promise<void> {
    this.#add(sentence, level);
    clearInterval(this.#timer);
    await this.#storing;
    await this.#store();
  }

  #add(message: string, level: LogLevel): void {
    const line = formatLogLine(logLine(this.source, { time: new Date().toISOString(), level, message }));
    this.#lines.push(line);
    this.#characters += line.length;
    this.#isStored = false;
    process.stdout.write(line);
  }

  async #store(): Promise<void> {
    try {
      while (!this.#isStored) {
        const count = this.#lines.length;
        const written = await this.blobs.writeLog(this.blob, this.#lines.join(''), this.#stored);
        this.#stored = written;
        // The run before this one, which the platform ended and began again, or the app, which holds that the run is over.
        if ('text' in written) this.#lines = [...new Set([...linesOf(written.text), ...this.#lines])];
        else this.#isStored = count === this.#lines.length;
      }
      this.#failed = false;
    } catch (error) {
      // What could not be stored is printed, and is stored as soon as storage takes it.
      if (!this.#failed) this.say(messageOf(error), 'warn');
      this.#failed = true;
    }
  }
}

const linesOf = (text: string) => text.split('\n').flatMap((line) => (line === '' ? [] : `${line}\n`));
