import { setTimeout as sleep } from 'node:timers/promises';
import type { FunctionRegistry } from '../app/function-registry.js';
import type { Invoker } from '../app/invoker.js';
import type { Log } from '../log.js';
import type { InstanceRow } from '../store/instance-table.js';
import type { TaskHub } from '../store/task-hub.js';
import { ActivityRunner } from './activity-runner.js';
import { createChild } from './children.js';
import type { CompletionBody, ExecutionCompleted, ExecutionStarted, ScheduledEvent } from './history-events.js';
import { Instance, type InstanceSeed, type InstanceServices } from './instance.js';
import { Limiter } from './limiter.js';
import { childOutcome, childStart } from './lineage.js';
import { recoverAll, recoverChild, reload } from './recovery.js';
import { untilStored } from './until-stored.js';

export interface EngineOptions {
  hub: TaskHub;
  functions: FunctionRegistry;
  invoker: Invoker;
  log: Log;
  maxActivities: number;
  maxOrchestrators: number;
}

/** Drives all orchestrations of a hub: every instance that has not ended lives in memory, its state in storage. */
export class Engine {
  readonly hub: TaskHub;
  readonly log: Log;
  readonly live = new Map<string, Instance>();
  readonly #services: InstanceServices;
  readonly #activities: ActivityRunner;
  #stopping = false;

  constructor(options: EngineOptions) {
    const { hub, functions, invoker, log } = options;
    this.hub = hub;
    this.log = log;
    this.#activities = new ActivityRunner({
      limit: options.maxActivities,
      call: (name, data, triggerMetadata) => {
        const target = functions.find('activityTrigger', name);
        if (!target)
          throw new Error(`The function '${name}' doesn't exist, is disabled, or is not an activity function.`);
        return invoker.invoke(target, { data, triggerMetadata });
      },
      deliver: ({ instanceId, executionId }, outcome) => this.deliver(instanceId, executionId, outcome),
      warn: (message) => log.warn(message),
    });
    this.#services = {
      history: hub.history,
      instances: hub.instances,
      turns: new Limiter(options.maxOrchestrators),
      log,
      call: (name, payload) => {
        const target = functions.find('orchestrationTrigger', name);
        if (!target)
          throw new Error(`The function '${name}' doesn't exist, is disabled, or is not an orchestrator function.`);
        return invoker.invoke(target, { data: { string: payload } });
      },
      isKnown: (kind, name) =>
        functions.find(kind === 'activity' ? 'activityTrigger' : 'orchestrationTrigger', name) !== undefined,
      dispatch: (instance, event) => this.dispatch(instance, event),
      ended: (instance, end) => this.#ended(instance, end),
      lost: (instance) => this.#reload(instance),
    };
  }

  /** Brings back every instance that has not ended: open activities run again, timers are armed, missing children made. */
  async recover(): Promise<number> {
    return await recoverAll(this);
  }

  /** Running activities get `patience` milliseconds; their results and the turns under way are stored. */
  async stop(patience: number): Promise<void> {
    this.#stopping = true;
    await this.#activities.stop(patience);
    const instances = [...this.live.values()];
    await Promise.race([
      Promise.all(instances.map((instance) => instance.settled())),
      sleep(2000, undefined, { ref: false }),
    ]);
    await Promise.all(instances.map((instance) => instance.close()));
  }

  adopt(seed: InstanceSeed): Instance {
    const instance = new Instance(seed, this.#services);
    this.live.set(instance.id, instance);
    return instance;
  }

  deliver(instanceId: string, executionId: string, body: CompletionBody): void {
    this.live.get(instanceId)?.deliver({ body, executionId });
  }

  /** Starts work that the history already shows. */
  dispatch(instance: Instance, event: ScheduledEvent, recovering = false): void {
    if (this.#stopping) return;
    const { executionId } = instance.row;
    if (event.EventType === 'TaskScheduled') {
      this.#activities.start({ instanceId: instance.id, executionId, taskId: event.EventId, scheduled: event });
    } else if (event.EventType === 'TimerCreated') {
      instance.arm(event);
    } else {
      const start = childStart(instance, event);
      const work = recovering ? () => recoverChild(this, start) : () => createChild(this, start);
      void untilStored(work, this.log, () => this.#stopping);
    }
  }

  /** Begins a top-level instance whose row is already stored as Pending; `etag` is that of a sentinel without history. */
  begin(row: InstanceRow, etag?: string): Instance {
    const start: ExecutionStarted = {
      EventType: 'ExecutionStarted',
      OrchestrationInstance: { InstanceId: row.instanceId, ExecutionId: row.executionId },
      ParentInstance: null,
      Name: row.name,
      Version: row.version,
      Input: row.input,
      Generation: row.generation,
    };
    const instance = this.adopt({ row, start, history: [], etag, hasRow: true });
    instance.deliver({ body: start });
    return instance;
  }

  #ended(instance: Instance, end: ExecutionCompleted): void {
    this.live.delete(instance.id);
    this.log.debug(`Instance ${instance.id} (${instance.row.name}) ended: ${end.OrchestrationStatus}.`);
    const parent = instance.start.ParentInstance;
    if (!parent) return;
    const { InstanceId, ExecutionId } = parent.OrchestrationInstance;
    this.deliver(InstanceId, ExecutionId, childOutcome(parent, instance.row.name, end));
  }

  #reload(instance: Instance): void {
    if (this.live.get(instance.id) !== instance) return;
    this.live.delete(instance.id);
    void untilStored(
      () => reload(this, instance.id),
      this.log,
      () => this.#stopping,
      1000,
    );
  }
}
