import { HostTask } from './host-task.js';

/**
 * External events of one execution. Durable extension behaviour: names match without regard to case (the SDK matches
 * exactly), early events wait in a queue, several waiters on one name are served last in, first out.
 */
export class ExternalEvents {
  readonly #early = new Map<string, string[]>();
  readonly #waiters = new Map<string, { name: string; task: HostTask }[]>();
  readonly #warn: (message: string) => void;

  constructor(warn: (message: string) => void) {
    this.#warn = warn;
  }

  raise(name: string): void {
    const key = name.toLowerCase();
    const waiter = this.#waiters.get(key)?.pop();
    if (!waiter) {
      this.#early.set(key, [...(this.#early.get(key) ?? []), name]);
      return;
    }
    this.#compare(waiter.name, name);
    waiter.task.settle();
  }

  waitFor(name: string): HostTask {
    const key = name.toLowerCase();
    const task = new HostTask();
    const early = this.#early.get(key)?.shift();
    if (early === undefined) {
      this.#waiters.set(key, [...(this.#waiters.get(key) ?? []), { name, task }]);
      return task;
    }
    this.#compare(name, early);
    task.settle();
    return task;
  }

  #compare(waited: string, raised: string): void {
    if (waited === raised) return;
    this.#warn(
      `The event '${raised}' was taken by a wait for '${waited}', but the SDK compares exactly: the orchestrator hangs, as in Azure. Raise it as '${waited}'.`,
    );
  }
}
