import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import os from 'node:os';

/** Azure keeps 4 MB of a running container's log, and 16 KB or 1,000 lines of one that has ended. */
const RUNNING_LOG = 4 * 1024 * 1024;
const ENDED_LOG = 16 * 1024;
const ENDED_LINES = 1000;

/** What a request says of its container. */
export interface ContainerSpec {
  environment: NodeJS.ProcessEnv;
  /** In place of the image's entry point. */
  command?: string[] | undefined;
  memoryBytes: number;
}

/** Milliseconds that a container waits for its place and for its image before it starts. */
export interface Delays {
  waitMs: number;
  pullMs: number;
}

/** A slow pull takes so many times as long. */
export const SLOW = 10;

/** Starts containers. */
export interface Runtime {
  delays: Delays;
  /** Starts the image's entry point, or the spec's command; calls `ended` once, when the process is gone. */
  start(spec: ContainerSpec, ended?: () => void): Container;
}

const MEMORY_CHECK_MS = 250;
const PAGE_BYTES = 4096;

/** One container: a process of this machine with exactly the environment of the request and what any program needs. */
export class Container {
  readonly startedAt = new Date();
  finishedAt: Date | undefined;
  exitCode: number | undefined;
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #log = '';
  #reported: number | undefined;

  /** `ended` is called once, when the process is gone. */
  constructor(command: string[], { environment, memoryBytes }: ContainerSpec, ended: () => void) {
    const [program = '', ...args] = command;
    this.#child = spawn(program, args, { env: environment, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    const memoryCheck = setInterval(() => void this.#checkMemory(memoryBytes), MEMORY_CHECK_MS).unref();
    const keep = (chunk: Buffer) => {
      this.#log = (this.#log + chunk.toString('utf8')).slice(-RUNNING_LOG);
    };
    this.#child.stdout?.on('data', keep);
    this.#child.stderr?.on('data', keep);
    this.#child.stdin?.on('error', () => undefined);
    this.#child.on('error', (error) => keep(Buffer.from(`${error.message}\n`)));
    this.#closed = once(this.#child, 'close').catch(() => undefined);
    this.#child.once('close', (code, signal) => {
      clearInterval(memoryCheck);
      this.finishedAt = new Date();
      // As Docker reports a signal.
      this.exitCode = this.#reported ?? code ?? 128 + os.constants.signals[signal ?? 'SIGTERM'];
      ended();
    });
  }

  log(tail: number | undefined): string {
    const ended = this.finishedAt !== undefined;
    const text = ended ? this.#log.slice(-ENDED_LOG) : this.#log;
    const lines = text.split('\n');
    const most = Math.min(tail ?? Infinity, ended ? ENDED_LINES : Infinity) + 1;
    return lines.slice(-most).join('\n');
  }

  /** Stops the process without ending it. */
  hang(): void {
    this.#child.kill('SIGSTOP');
  }

  /** Kills the process; `exitCode` is what Azure would report of it. */
  async kill(exitCode?: number): Promise<void> {
    if (this.finishedAt) return;
    this.#reported = exitCode;
    this.#child.kill('SIGKILL');
    await this.#closed;
  }

  /** Kills a process that uses more memory than its request asks for, as the kernel does in Azure; on Linux only. */
  async #checkMemory(most: number): Promise<void> {
    const statm = await readFile(`/proc/${this.#child.pid}/statm`, 'utf8').catch(() => '');
    if (Number(statm.split(' ')[1] ?? 0) * PAGE_BYTES > most) await this.kill(137);
  }
}
