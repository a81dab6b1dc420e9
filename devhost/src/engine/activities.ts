import { setTimeout as sleep } from 'node:timers/promises';
import PQueue from 'p-queue';
import type { TypedData } from '../app/core-types.js';
import { activityCompleted, activityFailed, activityInput } from '../protocol/activity.js';
import type { CompletionBody, TaskScheduled } from '../protocol/history.js';

/** One activity that an execution of an instance has scheduled. */
export interface ActivityCall {
  instanceId: string;
  executionId: string;
  taskId: number;
  scheduled: TaskScheduled;
}

export interface ActivityPorts {
  /** Calls the activity function; rejects with what it throws. */
  call(name: string, data: TypedData, metadata: Record<string, TypedData>): Promise<TypedData | null | undefined>;
  /** Takes the outcome to the instance that waits for it. */
  deliver(call: ActivityCall, outcome: CompletionBody): void;
  warn(message: string): void;
}

/** Runs activities, at most `limit` at a time, first come first served. What is cut off by a stop runs again after a restart. */
export class Activities {
  readonly #ports: ActivityPorts;
  readonly #queue: PQueue;
  /** Calls that wait or run. */
  readonly #open = new Set<string>();

  constructor(limit: number, ports: ActivityPorts) {
    this.#ports = ports;
    this.#queue = new PQueue({ concurrency: limit });
  }

  /** Starts the activity unless this very call is already under way. */
  start(call: ActivityCall): void {
    const key = `${call.instanceId}\n${call.executionId}\n${call.taskId}`;
    if (this.#open.has(key)) return;
    this.#open.add(key);
    void this.#queue.add(async () => {
      const outcome = await this.#run(call);
      this.#open.delete(key);
      this.#ports.deliver(call, outcome);
    });
  }

  /** Begins nothing new and lets running activities end, but waits no longer than `patience` milliseconds. */
  async stop(patience: number): Promise<void> {
    this.#queue.pause();
    this.#queue.clear();
    const ended = new AbortController();
    const timeout = sleep(patience, undefined, { signal: ended.signal }).catch(() => undefined);
    await Promise.race([this.#queue.onIdle(), timeout]);
    ended.abort();
  }

  async #run({ instanceId, taskId, scheduled }: ActivityCall): Promise<CompletionBody> {
    const { Name: name } = scheduled;
    try {
      const { data, triggerMetadata, arrivesAs } = activityInput(scheduled, instanceId);
      if (arrivesAs !== undefined) {
        this.#ports.warn(
          `Activity '${name}' gets a bare boolean, which Azure passes on as the text "${arrivesAs}": pass an object.`,
        );
      }
      return activityCompleted(taskId, await this.#ports.call(name, data, triggerMetadata));
    } catch (error) {
      return activityFailed(name, taskId, error);
    }
  }
}
