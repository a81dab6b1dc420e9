import { setTimeout as sleep } from 'node:timers/promises';
import PQueue from 'p-queue';
import { type Log, messageOf, UserFault } from '../log.js';
import type { TypedData } from './core-types.js';
import type { AppFunction } from './function-registry.js';
import { type InvocationInput, type Invoker, WorkerFault } from './invoker.js';
import { Relief } from './relief.js';
import type { FunctionTimeout } from '../settings.js';
import type { LoadedApp } from './messages.js';
import { CutOff, describeEnd, type WorkerEnd, WorkerProcess } from './worker-process.js';

export interface AppWorkerOptions {
  /** Folder of the app. */
  folder: string;
  /** What is loaded of it, in place of `main` in its package.json. */
  main: string | undefined;
  log: Log;
  /** How long an invocation may take; no limit when left out. */
  functionTimeout: FunctionTimeout | undefined;
  /** A turn of an orchestration that a crash cuts off fails, as in Azure; otherwise it is repeated. */
  strict: boolean;
}

/** A turn that has not begun after this time, in milliseconds, waits for a function that computes. */
const HELD_UP_MS = 1500;
/** How often the same turn may be cut off. */
const MAX_CUTS = 3;
/** The longest pause before the app is started again. */
const LONGEST_PAUSE_MS = 30_000;
/** How long the app may take to end: hooks, and where functions still run, which nobody waits for. */
const FAREWELL_MS = 5000;
const SHORT_FAREWELL_MS = 1000;
/** How long functions may go on in a process that another one has replaced. */
const RETIREMENT_MS = 5000;

/**
 * The app in a process of its own, as in Azure: when that crashes or a function takes too long, it is started again, and the functions that ran
 * in it fail with the real host's words. Calls wait while there is no process.
 */
export class AppWorker implements Invoker {
  /** The app as it is at first; rejects with a UserFault when it cannot be loaded. */
  readonly started: Promise<LoadedApp>;
  readonly #options: AppWorkerOptions;
  /** Turns that were cut off run again one by one: one that crashes the process then takes no others with it. */
  readonly #repeated = new PQueue({ concurrency: 1 });
  readonly #relief: Relief;
  readonly #closing = new AbortController();
  #process: WorkerProcess;
  /** Aborted when the process is replaced, so that nobody starts it again. */
  #replaced = new AbortController();
  #ready: Promise<WorkerProcess>;
  #client = '';
  /** How many processes ended, one after another, without having done anything but turns. */
  #fruitless = 0;

  constructor(options: AppWorkerOptions) {
    this.#options = options;
    this.#relief = new Relief(() => this.#fork(), options.log);
    this.#process = this.#fork();
    this.started = this.#process.loaded;
    this.#ready = this.started.then(() => this.#follow(this.#process));
    // Whoever waits for the start hears of it.
    this.#ready.catch(() => undefined);
  }

  /** What every durableClient binding receives, as JSON text. To be called before the first function is. */
  setClient(payload: string): void {
    this.#client = payload;
  }

  async invoke(target: AppFunction, input: InvocationInput): Promise<TypedData | null | undefined> {
    const isTurn = target.triggerType === 'orchestrationTrigger';
    const { strict } = this.#options;
    const call = () => (isTurn && !strict ? this.#turn(target, input) : this.#call(target, input));
    for (let cuts = 0; ;) {
      try {
        const result = await (cuts === 0 ? call() : this.#repeated.add(call));
        if (!isTurn) this.#fruitless = 0;
        return result;
      } catch (error) {
        if (!(error instanceof CutOff)) {
          if (!isTurn) this.#fruitless = 0;
          throw error;
        }
        // Nobody hears it any more: after a restart of the host what was running runs again.
        if (this.#closing.signal.aborted) return await never();
        if (!error.begun && !error.tooLong && !strict) continue;
        if (error.end.retired && (isTurn || target.triggerType === 'activityTrigger')) continue;
        cuts += 1;
        const mayRepeat = isTurn && !strict && !error.tooLong && cuts < MAX_CUTS;
        if (!mayRepeat) throw new WorkerFault(this.#fault(target.name, error.end));
      }
    }
  }

  /**
   * Loads the app again, into a new process that takes over. In the one before, functions have five seconds to end; turns and activities that
   * take longer run again.
   * @param prepare takes the app as it is now; what it returns is called when that takes over. When it throws, or the app
   * cannot be loaded, this throws the same and the process goes on.
   */
  async reload(prepare: (app: LoadedApp) => () => void): Promise<void> {
    const next = this.#fork();
    let takeOver: () => void;
    try {
      takeOver = prepare(await next.loaded);
    } catch (error) {
      next.kill();
      throw error;
    }
    this.#replaced.abort();
    this.#replaced = new AbortController();
    const before = this.#process;
    this.#process = next;
    this.#fruitless = 0;
    this.#ready = Promise.resolve(this.#follow(next));
    takeOver();
    void this.#relief.stop();
    await before.retire(RETIREMENT_MS, SHORT_FAREWELL_MS);
  }

  /** From now on functions that end with their process are not failed, and the process is not started again. */
  close(): void {
    this.#closing.abort();
  }

  /** Runs the app's appTerminate hooks and ends its process. */
  async stop(): Promise<void> {
    this.close();
    this.#relief.kill();
    await this.#process.terminate(this.#process.busy ? SHORT_FAREWELL_MS : FAREWELL_MS);
  }

  /** Ends the process at once. */
  kill(): void {
    this.close();
    this.#relief.kill();
    this.#process.kill();
  }

  async #call(target: AppFunction, input: InvocationInput): Promise<TypedData | null | undefined> {
    return await (await this.#alive()).call(target, input);
  }

  /** Turns are pure: one that is held up may run a second time, and the first answer is taken. */
  async #turn(target: AppFunction, input: InvocationInput): Promise<TypedData | null | undefined> {
    const worker = await this.#alive();
    if (worker.isHeldUp(HELD_UP_MS)) return await this.#relieve(this.#call(target, input), target, input);
    const turn = worker.call(target, input);
    let limit: NodeJS.Timeout | undefined;
    const inTime = await Promise.race([
      turn.then(
        () => true,
        () => true,
      ),
      new Promise<false>((resolve) => {
        limit = setTimeout(() => resolve(false), HELD_UP_MS);
      }),
    ]);
    clearTimeout(limit);
    return await (inTime || !worker.isHeldUp(HELD_UP_MS) ? turn : this.#relieve(turn, target, input));
  }

  async #relieve(
    turn: Promise<TypedData | null | undefined>,
    target: AppFunction,
    input: InvocationInput,
  ): Promise<TypedData | null | undefined> {
    turn.catch(() => undefined);
    const relieved = this.#relief.call(target, input).catch((error: unknown) => {
      if (error instanceof CutOff || error instanceof UserFault) return turn;
      throw error;
    });
    return await Promise.race([turn, relieved]);
  }

  async #alive(): Promise<WorkerProcess> {
    for (;;) {
      const worker = await this.#ready;
      if (worker.alive) return worker;
      await worker.ended;
    }
  }

  #fork(): WorkerProcess {
    const { folder, main, log, functionTimeout } = this.#options;
    return new WorkerProcess({
      folder,
      main,
      verbose: log.verbose,
      callLimit: functionTimeout?.ms,
      client: () => this.#client,
    });
  }

  /** Starts the app again when this process ends. */
  #follow(worker: WorkerProcess): WorkerProcess {
    void this.#startAgainAfter(worker);
    return worker;
  }

  async #startAgainAfter(worker: WorkerProcess): Promise<void> {
    const end = await worker.ended;
    if (worker !== this.#process) return;
    this.#ready = this.#closing.signal.aborted ? never() : this.#restart(this.#describe(end));
  }

  async #restart(what: string): Promise<WorkerProcess> {
    const { log } = this.#options;
    const replaced = this.#replaced.signal;
    for (let said = what; ;) {
      const pause = this.#fruitless === 0 ? 0 : Math.min(LONGEST_PAUSE_MS, 500 * 2 ** (this.#fruitless - 1));
      this.#fruitless += 1;
      log.error(`${said}; it is started again${pause === 0 ? '' : ` in ${pause / 1000} s`}.`);
      try {
        await sleep(pause, undefined, { signal: AbortSignal.any([this.#closing.signal, replaced]) });
        const next = this.#fork();
        this.#process = next;
        await next.loaded;
        if (replaced.aborted) return await this.#ready;
        return this.#follow(next);
      } catch (error) {
        if (this.#closing.signal.aborted) return await never();
        if (replaced.aborted) return await this.#ready;
        said = messageOf(error).replace(/\.$/, '');
      }
    }
  }

  #describe(end: WorkerEnd): string {
    if (end.tooLong !== undefined)
      return `The function '${end.tooLong}' took longer than functionTimeout in host.json allows (${this.#options.functionTimeout?.text}), so the app's process was ended`;
    const running = [...new Set(end.running)];
    const more = running.length > 3 ? ` and ${running.length - 3} more` : '';
    const during = running.length > 0 ? ` while it ran ${running.slice(0, 3).join(', ')}${more}` : '';
    if (end.crash?.stack !== undefined) this.#options.log.debug(end.crash.stack);
    return `The app's process ended (${describeEnd(end)})${during}`;
  }

  /** Of functions that are ended for another's time the real host says the same when their own is over. */
  #fault(name: string, { tooLong, code }: WorkerEnd): string {
    return tooLong === undefined
      ? `node exited with code ${code} (0x${code.toString(16).toUpperCase()})`
      : `Timeout value of ${this.#options.functionTimeout?.text} was exceeded by function: Functions.${name}`;
  }
}

const never = () => new Promise<never>(() => undefined);
