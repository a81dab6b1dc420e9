import Module from 'node:module';
import type { Log, LogLevel } from '../log.js';
import type { FunctionCallback, FunctionMetadata, LogCategory, ProgrammingModel } from './core-types.js';
import { FunctionRegistry } from './function-registry.js';
import { Hooks, type HookCallback } from './hooks.js';

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
  readonly #log: Log;
  #locked = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Ends the time of registration, as the worker does when start-up is over. */
  lock(): void {
    this.#locked = true;
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
    this.functions.add(metadata, handler);
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
