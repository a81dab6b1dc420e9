/** setTimeout takes no more than this. */
const MAX_DELAY = 2 ** 31 - 1;

/** The armed timers of one instance, by task number. */
export class Timers {
  readonly #handles = new Map<number, NodeJS.Timeout>();

  /** Calls back once, never before the time has come. */
  set(id: number, at: Date, fire: () => void): void {
    clearTimeout(this.#handles.get(id));
    const delay = Math.min(Math.max(at.getTime() - Date.now(), 0), MAX_DELAY);
    const handle = setTimeout(() => {
      if (Date.now() < at.getTime()) {
        this.set(id, at, fire);
        return;
      }
      this.#handles.delete(id);
      fire();
    }, delay);
    this.#handles.set(id, handle);
  }

  keepOnly(ids: ReadonlySet<number>): void {
    for (const [id, handle] of this.#handles) {
      if (ids.has(id)) continue;
      clearTimeout(handle);
      this.#handles.delete(id);
    }
  }

  clear(): void {
    this.keepOnly(new Set());
  }
}
