import { randomUUID } from 'node:crypto';
import { traceParentOf } from '../tracing/trace-context.js';
import type { CoreModule } from './core-module.js';
import type { CoreInvocationContext, TypedData } from './core-types.js';
import type { AppFunction } from './function-registry.js';
import type { InvocationInput, Invoker } from './invoker.js';

/**
 * Calls a function of the app that is loaded in this process as the worker does: arguments, preInvocation hooks, handler, postInvocation hooks (which
 * may swallow or replace result and error), response.
 */
export class AppInvoker implements Invoker {
  readonly #core: CoreModule;
  readonly #clientPayload: string;

  /** `clientPayload` is the JSON text that every durableClient binding receives. */
  constructor(core: CoreModule, clientPayload: string) {
    this.#core = core;
    this.#clientPayload = clientPayload;
  }

  async invoke(target: AppFunction, input: InvocationInput): Promise<TypedData | null | undefined> {
    const logged: { context?: unknown } = {};
    const coreContext = this.#coreContext(target, input, logged);
    const model = this.#core.model?.getInvocationModel(coreContext);
    if (!model) throw new Error('No programming model: the app registered nothing.');
    const { context, inputs } = await model.getArguments();
    logged.context = context;
    const shared = { hookData: {}, appHookData: this.#core.hooks.appData, invocationContext: context };

    coreContext.state = 'preInvocationHooks';
    const before = { ...shared, functionCallback: this.#core.handlerOf(target), inputs };
    await this.#core.hooks.run('preInvocation', before);

    coreContext.state = 'invocation';
    const after = { ...shared, inputs: before.inputs, result: null as unknown, error: null as unknown };
    try {
      after.result = await model.invokeFunction(context, before.inputs, before.functionCallback);
    } catch (error) {
      after.error = error;
    }
    coreContext.state = 'postInvocationHooks';
    await this.#core.hooks.run('postInvocation', after);
    coreContext.state = undefined;
    if (after.error) throw toError(after.error);
    return (await model.getResponse(context, after.result)).returnValue;
  }

  #coreContext(target: AppFunction, input: InvocationInput, logged: { context?: unknown }): CoreInvocationContext {
    const invocationId = randomUUID();
    const clients = target.clients.map((binding) => ({ name: binding.name, data: { string: this.#clientPayload } }));
    return {
      invocationId,
      metadata: target.metadata,
      state: undefined,
      request: {
        invocationId,
        functionId: target.metadata.functionId ?? target.name,
        inputData: [{ name: target.trigger.name, data: input.data }, ...clients],
        triggerMetadata: input.triggerMetadata ?? {},
        traceContext: { traceParent: traceParentOf(input.trace), traceState: input.trace.state, attributes: {} },
      },
      log: (level, category, message) => this.#core.emit(level, category, target.name, message, logged.context),
    };
  }
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
