import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { Span } from '../../src/tracing/spans.js';
import { DurableClient } from './durable-client.js';
import { type HostProcess, newHub, startHost } from './host-process.js';
import { HubTables } from './hub-tables.js';
import { readSpans } from './trace-tree.js';

/** A host that can be killed and started again on its hub, and whose `slow` activities leave marks. */
export class MarkedHost {
  readonly #folder = mkdtempSync(path.join(os.tmpdir(), 'devhost-marks-'));
  readonly hub = newHub();
  readonly tables = new HubTables(this.hub);
  client = new DurableClient('');
  url = '';
  readonly #app: string;
  readonly #args: string[];
  readonly #env: NodeJS.ProcessEnv;
  #host: HostProcess | undefined;

  /** `app` is a folder below test/fixtures. */
  constructor(app = 'durable', args: string[] = [], env: NodeJS.ProcessEnv = {}) {
    this.#app = app;
    this.#args = args;
    this.#env = env;
  }

  get log(): string {
    return this.#host?.log ?? '';
  }

  async start(): Promise<this> {
    const env = { MARKS: path.join(this.#folder, 'marks'), ...this.#env };
    const args = ['--spans', path.join(this.#folder, 'spans'), ...this.#args];
    this.#host = await startHost({ app: this.#app, hub: this.hub, args, env });
    this.url = this.#host.url;
    this.client = new DurableClient(this.#host.url);
    return this;
  }

  async stop(signal?: NodeJS.Signals): Promise<number | null | undefined> {
    return await this.#host?.stop(signal);
  }

  async killAndRestart(): Promise<void> {
    await this.stop('SIGKILL');
    await this.start();
  }

  /** The marks that activities left, one for each time one ran. */
  marks(prefix = ''): string[] {
    try {
      const lines = readFileSync(path.join(this.#folder, 'marks'), 'utf8').trim().split('\n');
      return lines.filter((line) => line.startsWith(prefix));
    } catch {
      return [];
    }
  }

  /** What the host has reported so far, before and after a kill. */
  spans(): Span[] {
    return readSpans(path.join(this.#folder, 'spans'));
  }

  async dispose(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A marked host that is up, and gone when the test ends. */
export async function startMarkedHost(app?: string, args?: string[]): Promise<MarkedHost> {
  const host = await new MarkedHost(app, args).start();
  onTestFinished(async () => await host.dispose());
  return host;
}
