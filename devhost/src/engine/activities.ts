import { setTimeout as sleep } from 'node:timers/promises';
import PQueue from 'p-queue';
import type { TypedData } from '../app/core-types.js';
import { activityCompleted, activityFailed, activityInput } from '../protocol/activity.js';
import type { CompletionBody, ExecutionStarted, TaskScheduled } from '../protocol/history.js';
import type { Times } from '../tracing/orchestration-spans.js';

/** One activity that an execution of an instance has scheduled. */
export interface ActivityCall {
  /** How the execution began. */
  start: ExecutionStarted;
  scheduled: TaskScheduled & { EventId: number; Timestamp: string };
}

export interface ActivityPorts {
  /** Calls the activity function; rejects with what it throws. */
  call(call: ActivityCall, data: TypedData, metadata: Record<string, TypedData>): Promise<TypedData | null | undefined>;
  /** Hears of each run, before its outcome is on its way. */
  ended(call: ActivityCall, times: Times, ok: boolean): void;
  /** Takes the outcome to the instance that waits for it. */
  deliver(call: ActivityCall, outcome: CompletionBody): void;
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
    const { InstanceId, ExecutionId } = call.start.OrchestrationInstance;
    const key = `${InstanceId}\n${ExecutionId}\n${call.scheduled.EventId}`;
    if (this.#open.has(key)) return;
    this.#open.add(key);
    void this.#queue.add(async () => {
      const start = new Date().toISOString();
      const outcome = await this.#run(call);
      const times = { start, end: new Date().toISOString() };
      this.#ports.ended(call, times, outcome.EventType === 'TaskCompleted');
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

  async #run(call: ActivityCall): Promise<CompletionBody> {
    const { start, scheduled } = call;
    const { Name: name, EventId: taskId } = scheduled;
    try {
      const { data, triggerMetadata } = activityInput(scheduled, start.OrchestrationInstance.InstanceId);
      return activityCompleted(taskId, await this.#ports.call(call, data, triggerMetadata));
    } catch (error) {
      return activityFailed(name, taskId, error);
    }
  }
}
