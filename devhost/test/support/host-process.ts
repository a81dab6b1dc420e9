import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { inject } from 'vitest';
import { until } from './until.js';

const MAIN = path.resolve(import.meta.dirname, '../../dist/main.js');
const FIXTURES = path.resolve(import.meta.dirname, '../fixtures');

export interface HostOptions {
  /** Folder below test/fixtures, or an absolute one. */
  app: string;
  hub?: string;
  /** Another program than the one that was built here. */
  program?: string;
  args?: string[];
  env?: NodeJS.ProcessEnv;
}

/** A hub name no other test uses. */
export function newHub(): string {
  return `T${randomBytes(8).toString('hex')}`;
}

/** A host in a process of its own, on a free port. */
export class HostProcess {
  readonly hub: string;
  readonly #child: ChildProcess;
  #output = '';
  #log = '';
  url = '';

  constructor(options: HostOptions) {
    this.hub = options.hub ?? newHub();
    const env = { ...process.env, AzureWebJobsStorage: inject('storage'), HUB: this.hub, ...options.env };
    const args = [options.program ?? MAIN, path.resolve(FIXTURES, options.app), '--port', '0', ...(options.args ?? [])];
    this.#child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (text: Buffer) => (this.#output += text.toString()));
    this.#child.stderr?.on('data', (text: Buffer) => (this.#log += text.toString()));
  }

  /** Everything written to stderr so far. */
  get log(): string {
    return this.#log;
  }

  get output(): string {
    return this.#output;
  }

  /** Resolves when the host says that it listens; fails when it ends instead. */
  async ready(): Promise<this> {
    const listening = /listening on (\S+) /;
    await until(() => {
      if (this.#child.exitCode !== null) throw new Error(`The host ended with ${this.#child.exitCode}: ${this.#log}`);
      return listening.test(this.#output);
    });
    this.url = listening.exec(this.#output)?.[1] ?? '';
    return this;
  }

  async exitCode(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
    return this.#child.exitCode;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.#child.kill(signal);
    return await this.exitCode();
  }
}

/** Starts a host and waits until it listens. */
export async function startHost(options: HostOptions): Promise<HostProcess> {
  return await new HostProcess(options).ready();
}
