import { type Container, type Runtime, SLOW } from '../container.js';
import { befall, type ExecutionFault } from '../faults.js';
import type { ExecutionTemplate, Status } from './wire.js';

/** One execution of a job and its life. */
export class Execution {
  status: Status = 'Processing';
  readonly startTime = new Date();
  endTime: Date | undefined;
  container: Container | undefined;
  readonly #timers: NodeJS.Timeout[] = [];

  /** `lost` is called when the platform forgets it. */
  constructor(
    readonly name: string,
    readonly template: ExecutionTemplate,
    private readonly environment: Record<string, string>,
    private readonly timeoutSeconds: number,
    private readonly runtime: Runtime,
    private readonly fault: ExecutionFault | undefined,
    private readonly lost: () => void,
  ) {
    const { waitMs, pullMs } = runtime.delays;
    if (fault?.fate === 'never-starts') return;
    if (fault?.fate === 'fails') this.#after(waitMs, () => this.#end('Failed'));
    else this.#after(waitMs + pullMs * (fault?.fate === 'slow-pull' ? SLOW : 1), () => this.#run());
  }

  get isLive(): boolean {
    return this.endTime === undefined;
  }

  /** As the service does it: a container that is stopped does not become a failed one. */
  async stop(): Promise<void> {
    this.#end('Stopped');
    await this.container?.kill();
  }

  async lose(): Promise<void> {
    await this.stop();
    this.lost();
  }

  #run(): void {
    this.status = 'Running';
    const { command, args = [], resources } = this.template.containers[0] ?? {};
    const memoryBytes = Number.parseFloat(resources?.memory ?? 'Infinity') * 2 ** 30;
    const spec = { environment: this.environment, command: command && [...command, ...args], memoryBytes };
    const container = this.runtime.start(spec, () => this.#end(container.exitCode === 0 ? 'Succeeded' : 'Failed'));
    this.container = container;
    // With a retry limit of 0 an eviction is the end.
    if (this.fault?.mishap) this.#timers.push(befall(container, this.fault.mishap, this.lost, () => undefined));
    this.#after(this.timeoutSeconds * 1000, () => void container.kill());
  }

  #end(status: Status): void {
    if (!this.isLive) return;
    this.status = status;
    this.endTime = new Date();
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #after(milliseconds: number, work: () => void): void {
    // A timer cannot wait longer than this; no execution of the emulator lasts for weeks.
    this.#timers.push(setTimeout(work, Math.min(milliseconds, 2 ** 31 - 1)).unref());
  }
}
