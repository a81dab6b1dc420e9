import Module from 'node:module';
import type { Log, LogLevel } from '../log.js';
import type { FunctionCallback, FunctionMetadata, LogCategory, ProgrammingModel } from './core-types.js';
import { type AppFunction, FunctionRegistry } from './function-registry.js';

const NAMES = ['preInvocation', 'postInvocation', 'appStart', 'appTerminate', 'log'] as const;
type HookName = (typeof NAMES)[number];
type HookCallback = (context: Record<string, unknown>) => unknown;

/** The app's hooks, called in the order of registration. Callbacks may change the context they are given. */
class Hooks {
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

/** Same contract as the worker's class of this name: groups things that can be undone. */
class Disposable {
  static from(...disposables: { dispose(): unknown }[]): Disposable {
    return new Disposable(() => {
      for (const each of disposables) each.dispose();
    });
  }

  #undo: (() => unknown) | undefined;

  constructor(undo: () => unknown) {
    this.#undo = undo;
  }

  dispose(): unknown {
    const undo = this.#undo;
    this.#undo = undefined;
    return undo?.();
  }
}

/**
 * The host's side of `@azure/functions-core`, a module that exists only in the worker's memory: the Functions library
 * requires it at the first `app.*` call and registers everything through it (Azure/azure-functions-nodejs-worker,
 * src/setupCoreModule.ts).
 */
export class CoreModule {
  readonly functions = new FunctionRegistry();
  readonly hooks = new Hooks();
  model: ProgrammingModel | undefined;
  readonly #handlers = new Map<string, FunctionCallback>();
  readonly #log: Log;
  #locked = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Ends the time of registration, as the worker does when start-up is over. */
  lock(): void {
    this.#locked = true;
  }

  handlerOf({ name }: AppFunction): FunctionCallback {
    const handler = this.#handlers.get(name);
    if (!handler) throw new Error(`The app has no function '${name}'.`);
    return handler;
  }

  /** What `require('@azure/functions-core')` returns. */
  exports(): Record<string, unknown> {
    return {
      version: '3.9.1',
      hostVersion: '4.1037.0',
      Disposable,
      setProgrammingModel: (model: ProgrammingModel) => {
        this.model = model;
      },
      getProgrammingModel: () => this.model,
      registerFunction: (metadata: FunctionMetadata, handler: FunctionCallback) => this.#register(metadata, handler),
      registerHook: (name: string, callback: HookCallback) => new Disposable(this.hooks.add(name, callback)),
      log: (level: LogLevel, category: LogCategory, message: string) => this.emit(level, category, 'app', message),
    };
  }

  /** Runs the log hooks, which may change level and text, then writes the line. */
  emit(level: LogLevel, category: LogCategory, source: string, message: string, invocationContext?: unknown): void {
    const context = { level, message, category, invocationContext, hookData: {}, appHookData: this.hooks.appData };
    this.hooks.runNow('log', context);
    this.#log.write(context.level, source, context.message);
  }

  #register(metadata: FunctionMetadata, handler: FunctionCallback): Disposable {
    if (this.#locked) throw new Error(`A function can only be registered during app startup: '${metadata.name}'.`);
    this.functions.add(metadata);
    this.#handlers.set(metadata.name, handler);
    return new Disposable(() => undefined);
  }
}

/** Makes `require('@azure/functions-core')` answer with this module from now on; every other name passes through. */
export function installCoreModule(core: CoreModule): void {
  const exported = core.exports();
  const original = Reflect.get(Module.prototype, 'require') as (this: Module, id: string) => unknown;
  Module.prototype.require = function requireOrCore(this: Module, id: string): unknown {
    return id === '@azure/functions-core' ? exported : original.call(this, id);
  };
}
