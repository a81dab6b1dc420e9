import type { Log } from '../log.js';
import type { TypedData } from './core-types.js';
import type { AppFunction } from './function-registry.js';
import type { InvocationInput } from './invoker.js';
import type { WorkerProcess } from './worker-process.js';

/** How long the process is kept without anything to do. */
const REST_MS = 10_000;
const FAREWELL_MS = 1000;

/**
 * A second process of the app for the turns of orchestrations, which wait for nothing but the orchestrator's code, while functions in the first
 * one compute. It is started when it is needed and ends when it has rested.
 */
export class Relief {
  readonly #fork: () => WorkerProcess;
  readonly #log: Log;
  #process: WorkerProcess | undefined;
  #resting: NodeJS.Timeout | undefined;

  constructor(fork: () => WorkerProcess, log: Log) {
    this.#fork = fork;
    this.#log = log;
  }

  /** Rejects with the orchestrator's error, with CutOff, or with a UserFault when the app cannot be loaded a second time. */
  async call(target: AppFunction, input: InvocationInput): Promise<TypedData | null | undefined> {
    clearTimeout(this.#resting);
    const worker = (this.#process ??= this.#start());
    try {
      await worker.loaded;
      return await worker.call(target, input);
    } finally {
      clearTimeout(this.#resting);
      this.#resting = setTimeout(() => void this.stop(), REST_MS).unref();
    }
  }

  async stop(): Promise<void> {
    clearTimeout(this.#resting);
    const worker = this.#process;
    this.#process = undefined;
    await worker?.terminate(FAREWELL_MS);
  }

  kill(): void {
    this.#process?.kill();
  }

  #start(): WorkerProcess {
    this.#log.warn(
      'A function keeps the app from everything else. In Azure orchestrations wait until it ends; here they go on in a second process.',
    );
    const worker = this.#fork();
    void worker.ended.then(() => {
      if (this.#process === worker) this.#process = undefined;
      return undefined;
    });
    return worker;
  }
}
