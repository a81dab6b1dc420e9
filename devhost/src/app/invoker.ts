import type { TraceContext } from '../tracing/trace-context.js';
import type { TypedData } from './core-types.js';
import type { AppFunction } from './function-registry.js';

export interface InvocationInput {
  /** The trigger's data. */
  data: TypedData;
  triggerMetadata?: Record<string, TypedData>;
  /** The span that the invocation is part of. */
  trace: TraceContext;
}

/** Calls functions of the app, wherever they run. */
export interface Invoker {
  /** Rejects with what is left of the function's error after the app's hooks, or with a WorkerFault. */
  invoke(target: AppFunction, input: InvocationInput): Promise<TypedData | null | undefined>;
}

/** The function never ended: its process did, or it took too long. The message is the real host's. */
export class WorkerFault extends Error {
  override readonly name = 'WorkerFault';
}
