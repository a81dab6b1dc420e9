/** A task as the host sees it: open, then settled once, well or badly. Listeners run synchronously when it settles. */
export class HostTask {
  #failed = false;
  #settled = false;
  #listeners: ((failed: boolean) => void)[] = [];
  /** True for a task that takes further numbers while it is open: a retry loop or a timer of several hops. */
  readonly takesNumbers: boolean;

  constructor(takesNumbers = false) {
    this.takesNumbers = takesNumbers;
  }

  get settled(): boolean {
    return this.#settled;
  }

  settle(failed = false): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#failed = failed;
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener(failed);
  }

  /** Calls back at once when the task has already settled. */
  whenSettled(listener: (failed: boolean) => void): void {
    if (this.#settled) listener(this.#failed);
    else this.#listeners.push(listener);
  }
}
