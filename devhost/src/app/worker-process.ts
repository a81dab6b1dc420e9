import { type ChildProcess, fork } from 'node:child_process';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { UserFault } from '../log.js';
import type { TypedData } from './core-types.js';
import type { AppFunction } from './function-registry.js';
import type { InvocationInput } from './invoker.js';
import { errorOf, type Failure, type FromWorker, type LoadedApp, type ToWorker } from './messages.js';

const MAIN = fileURLToPath(new URL('./worker-main.js', import.meta.url));

/** How a worker process ended. */
export interface WorkerEnd {
  /** As .NET tells it on Linux: 128 and the signal's number for a process that was killed. */
  code: number;
  signal: NodeJS.Signals | null;
  /** What the app threw where nobody catches. */
  crash: Failure | undefined;
  /** The function for whose time the process was ended. */
  tooLong: string | undefined;
  /** Whether another process had taken its place already. */
  retired: boolean;
  /** Names of the functions that ran in it. */
  running: string[];
}

/** The process ended before the function did. */
export class CutOff extends Error {
  readonly end: WorkerEnd;
  /** Whether the function had begun. */
  readonly begun: boolean;
  /** Whether the process was ended because of this very call. */
  readonly tooLong: boolean;

  constructor(end: WorkerEnd, { begun, tooLong }: { begun: boolean; tooLong: boolean }) {
    super('The process ended before the function did.');
    this.end = end;
    this.begun = begun;
    this.tooLong = tooLong;
  }
}

interface Call {
  name: string;
  resolve(value: TypedData | null | undefined): void;
  reject(error: Error): void;
  limit: NodeJS.Timeout | undefined;
  sent: number;
  begun: boolean;
}

export interface WorkerOptions {
  /** Folder of the app. */
  folder: string;
  /** What is loaded of it, in place of `main` in its package.json. */
  main: string | undefined;
  verbose: boolean;
  /** Milliseconds that a call may take before its process is ended; no limit when left out. */
  callLimit: number | undefined;
  /** What every durableClient binding receives, as JSON text; asked for at the first call. */
  client: () => string;
}

/**
 * A process that loads the app and runs its functions. It has its own process group, so that Ctrl-C reaches the host only and what a crash
 * leaves behind can be found. When the host is gone, it ends by itself.
 *
 * The channel is Node's own with structured clones: no slower than frames of one's own on a pipe, and bytes travel as they are
 * (docs/worker.md has what it costs).
 */
export class WorkerProcess {
  /** Rejects with a UserFault when the app cannot be loaded. */
  readonly loaded: Promise<LoadedApp>;
  readonly ended: Promise<WorkerEnd>;
  readonly #callLimit: number | undefined;
  #client: (() => string) | undefined;
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, Call>();
  #nextId = 0;
  #crash: Failure | undefined;
  #tooLong: Call | undefined;
  #retired = false;
  #isLoaded = false;
  #whenIdle: () => void = () => undefined;
  #hears: (message: FromWorker) => void = () => undefined;

  constructor(options: WorkerOptions) {
    const { folder, main, verbose, callLimit, client } = options;
    this.#callLimit = callLimit;
    this.#client = client;
    this.#child = fork(MAIN, [], {
      cwd: folder,
      detached: true,
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'ipc'],
      execArgv: nodeArguments(),
    });
    this.#child.on('message', (message) => this.#receive(message as FromWorker));
    this.ended = this.#end();
    this.loaded = this.#load();
    this.#send({ kind: 'load', folder, main, verbose });
  }

  /** Whether a call can still reach it. */
  get alive(): boolean {
    return this.#child.connected;
  }

  /** Whether a call has waited so many milliseconds for its function to begin. */
  isHeldUp(ms: number): boolean {
    // Calls begin in the order in which they are sent.
    for (const { begun, sent } of this.#calls.values()) if (!begun) return Date.now() - sent >= ms;
    return false;
  }

  get busy(): boolean {
    return this.#calls.size > 0;
  }

  /** Rejects with the function's error, or with CutOff. */
  async call({ name, triggerType: type }: AppFunction, input: InvocationInput): Promise<TypedData | null | undefined> {
    if (this.#client) this.#send({ kind: 'client', payload: this.#client() });
    this.#client = undefined;
    this.#nextId += 1;
    const id = this.#nextId;
    return await new Promise((resolve, reject) => {
      const call: Call = { name, resolve, reject, limit: undefined, sent: Date.now(), begun: false };
      if (this.#callLimit !== undefined) call.limit = setTimeout(() => this.#endFor(call), this.#callLimit);
      this.#calls.set(id, call);
      this.#send({ kind: 'call', id, type, name, input });
    });
  }

  /** Runs the app's hooks and ends the process, by force after `patience` milliseconds. One that still loads the app is ended at once. */
  async terminate(patience: number): Promise<void> {
    this.#send({ kind: 'terminate' });
    const force = setTimeout(() => this.kill(), this.#isLoaded ? patience : 0);
    await this.ended;
    clearTimeout(force);
  }

  /** Lets functions end, but no longer than `patience` milliseconds, then terminates. */
  async retire(patience: number, farewell: number): Promise<void> {
    this.#retired = true;
    const idle = new Promise<void>((resolve) => (this.#whenIdle = resolve));
    const waited = setTimeout(this.#whenIdle, patience);
    if (this.busy) await Promise.race([idle, this.ended]);
    clearTimeout(waited);
    await this.terminate(farewell);
  }

  /** Ends the process and the children in its group at once. */
  kill(): void {
    killGroup(this.#child);
  }

  async #load(): Promise<LoadedApp> {
    const answer = new Promise<LoadedApp>((resolve, reject) => {
      this.#hears = (message) => {
        if (message.kind === 'loaded') {
          this.#isLoaded = true;
          resolve(message);
        }
        if (message.kind === 'refused')
          reject(new UserFault(message.reason.message, { cause: errorOf(message.reason) }));
      };
    });
    const ended = this.ended.then((end): never => {
      throw new UserFault(`The app ended its process while it was loaded: ${describeEnd(end)}.`);
    });
    try {
      return await Promise.race([answer, ended]);
    } catch (error) {
      this.kill();
      throw error;
    }
  }

  async #end(): Promise<WorkerEnd> {
    const child = this.#child;
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
      child.on('error', () => undefined);
      child.on('exit', () => killGroup(child));
      // By then the last of its messages have been heard.
      child.on('close', (...end: [number | null, NodeJS.Signals | null]) => resolve(end));
      if (child.pid === undefined) resolve([1, null]);
    });
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    const end = {
      code: code ?? 128 + (signal === null ? 0 : os.constants.signals[signal]),
      signal,
      crash: this.#crash,
      tooLong: this.#tooLong?.name,
      retired: this.#retired,
      running: calls.filter(({ begun }) => begun).map(({ name }) => name),
    };
    for (const call of calls) {
      clearTimeout(call.limit);
      call.reject(new CutOff(end, { begun: call.begun, tooLong: call === this.#tooLong }));
    }
    return end;
  }

  #receive(message: FromWorker): void {
    this.#hears(message);
    if (message.kind === 'crash') this.#crash = message.reason;
    if (!('id' in message)) return;
    const call = this.#calls.get(message.id);
    if (!call) return;
    if (message.kind === 'begun') {
      call.begun = true;
      return;
    }
    this.#calls.delete(message.id);
    clearTimeout(call.limit);
    if (message.kind === 'result') call.resolve(message.value);
    else call.reject(errorOf(message.reason));
    if (!this.busy) this.#whenIdle();
  }

  #endFor(call: Call): void {
    this.#tooLong ??= call;
    this.kill();
  }

  #send(message: ToWorker): void {
    // A process that is gone takes no messages; its end settles every call.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }
}

/** Why a process ended, for a sentence. */
export function describeEnd({ code, signal, crash }: WorkerEnd): string {
  if (crash) return `it threw "${crash.message}" where nobody catches`;
  return signal === null ? `exit code ${code}` : `killed by ${signal}`;
}

/** As Core Tools do, arguments for the app's Node come from a setting, such as `--inspect`; a debugger of the host stays with the host. */
function nodeArguments(): string[] {
  const own = process.execArgv.filter((each) => !each.startsWith('--inspect'));
  const asked = process.env['languageWorkers__node__arguments']?.split(' ') ?? [];
  return [...own, ...asked.filter((each) => each !== '')];
}

/** A group is named by the process that began it, also when that one is gone. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing is left of it.
  }
}
