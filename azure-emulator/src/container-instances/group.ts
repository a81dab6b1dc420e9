import { type Container, type Runtime, SLOW } from '../container.js';
import { befall, type GroupFault } from '../faults.js';
import type { ContainerState, GroupBody, GroupEvent } from './wire.js';

/** One container group and its life, from PUT to DELETE; it calls `lost` when the platform forgets it. */
export class Group {
  provisioningState: 'Pending' | 'Creating' | 'Succeeded' | 'Failed' = 'Pending';
  readonly groupEvents: GroupEvent[] = [];
  readonly containerEvents: GroupEvent[] = [];
  container: Container | undefined;
  restartCount = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly name: string,
    readonly body: GroupBody,
    private readonly runtime: Runtime,
    private readonly fault: GroupFault | undefined,
    private readonly lost: () => void,
  ) {
    if (fault?.fate === 'never-starts') return;
    // With a GPU, Azure took minutes to find a place.
    this.#after(runtime.delays.waitMs * (this.#gpus > 0 ? SLOW : 1), () => this.#place());
  }

  get #gpus(): number {
    return this.body.properties.containers[0]?.properties.resources.requests.gpu?.count ?? 0;
  }

  /** What `instanceView.state` says of the whole group. */
  get state(): string {
    if (this.provisioningState === 'Failed') return 'Failed';
    const code = this.container?.exitCode;
    if (code !== undefined) return code === 0 ? 'Succeeded' : 'Failed';
    return this.container ? 'Running' : 'Pending';
  }

  /** Undefined before the container has a state of its own. */
  get containerState(): ContainerState | undefined {
    const { container } = this;
    if (!container) return this.containerEvents.length > 0 ? { state: 'Waiting', detailStatus: '' } : undefined;
    const startTime = container.startedAt.toISOString();
    const { exitCode } = container;
    if (exitCode === undefined) return { state: 'Running', startTime, detailStatus: '' };
    const finishTime = container.finishedAt?.toISOString() ?? startTime;
    return {
      state: 'Terminated',
      startTime,
      finishTime,
      exitCode,
      detailStatus: exitCode === 0 ? 'Completed' : 'Error',
    };
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.container?.kill();
  }

  #place(): void {
    if (this.fault?.fate === 'no-capacity') {
      this.provisioningState = 'Failed';
      const message = `The requested resource is not available in the location '${this.body.location}' at this moment. Please retry with a different resource request or in another location. Resource requested: '1' CPU '2' GB memory 'Linux' OS`;
      this.groupEvents.push(event('InsufficientCapacity.', message, 'Warning'));
      return;
    }
    this.provisioningState = 'Creating';
    const image = this.body.properties.containers[0]?.properties.image ?? '';
    this.containerEvents.push(event('Pulling', `pulling image "${image}"`));
    const { pullMs } = this.runtime.delays;
    if (this.fault?.fate === 'pull-error') this.#failToPull(image);
    else this.#after(pullMs * (this.fault?.fate === 'slow-pull' ? SLOW : 1), () => this.#start(image));
  }

  #failToPull(image: string): void {
    const failed = event('Failed', `Failed to pull image "${image}": pull access denied`, 'Warning');
    this.containerEvents.push(failed);
    const again = () => {
      failed.count += 1;
      failed.lastTimestamp = new Date().toISOString();
      this.#after(this.runtime.delays.pullMs, again);
    };
    this.#after(this.runtime.delays.pullMs, again);
  }

  #start(image: string): void {
    this.containerEvents.push(event('Pulled', `Successfully pulled image "${image}"`));
    this.provisioningState = 'Succeeded';
    const container = this.#startContainer();
    if (this.fault?.mishap) this.#timer = befall(container, this.fault.mishap, this.lost, () => this.#restart());
  }

  /** As for a Spot container: the platform ends it and starts it again elsewhere. */
  async evict(): Promise<void> {
    await this.container?.kill();
    this.#restart();
  }

  async lose(): Promise<void> {
    await this.stop();
    this.lost();
  }

  #restart(): void {
    this.restartCount += 1;
    this.#startContainer();
  }

  #startContainer(): Container {
    const { environmentVariables = [], command, resources } = this.body.properties.containers[0]?.properties ?? {};
    const values = environmentVariables.map((each) => [each.name, each.secureValue ?? each.value ?? '']);
    const memoryBytes = (resources?.requests.memoryInGB ?? Infinity) * 1e9;
    // This machine may have no GPU: a session on the CPU stands in for each.
    const standIns = this.#gpus > 0 ? { SCORER_DEVICE: 'cpu', SCORER_SESSIONS: String(this.#gpus) } : {};
    const environment = { ...Object.fromEntries(values), ...standIns };
    this.container = this.runtime.start({ environment, command, memoryBytes });
    this.containerEvents.push(event('Started', 'Started container'));
    return this.container;
  }

  #after(milliseconds: number, work: () => void): void {
    this.#timer = setTimeout(work, milliseconds);
    this.#timer.unref();
  }
}

function event(name: string, message: string, type: GroupEvent['type'] = 'Normal'): GroupEvent {
  const now = new Date().toISOString();
  return { count: 1, firstTimestamp: now, lastTimestamp: now, name, message, type };
}
