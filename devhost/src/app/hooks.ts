const NAMES = ['preInvocation', 'postInvocation', 'appStart', 'appTerminate', 'log'] as const;
export type HookName = (typeof NAMES)[number];
export type HookCallback = (context: Record<string, unknown>) => unknown;

/** The app's hooks, called in the order of registration. Callbacks may change the context they are given. */
export class Hooks {
  readonly #callbacks = new Map<HookName, HookCallback[]>(NAMES.map((name) => [name, []]));
  /** Shared by every hook for as long as the app runs. */
  readonly appData: Record<string, unknown> = {};

  /** Adds a hook and returns the function that removes it; an unknown name throws a RangeError, as the real worker does. */
  add(name: string, callback: HookCallback): () => void {
    const list = this.#callbacks.get(name as HookName);
    if (!list) {
      throw Object.assign(new RangeError(`Unrecognized hook "${name}"`), { isAzureFunctionsSystemError: true });
    }
    list.push(callback);
    return () => {
      const index = list.indexOf(callback);
      if (index >= 0) list.splice(index, 1);
    };
  }

  async run(name: HookName, context: Record<string, unknown>): Promise<void> {
    for (const callback of this.#callbacks.get(name) ?? []) await callback(context);
  }

  /** Log hooks are synchronous: a log call returns before any promise could settle. */
  runNow(name: HookName, context: Record<string, unknown>): void {
    for (const callback of this.#callbacks.get(name) ?? []) callback(context);
  }
}
