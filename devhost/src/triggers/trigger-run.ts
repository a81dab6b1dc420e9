import type { TypedData } from '../app/core-types.js';
import type { AppFunction } from '../app/function-registry.js';
import type { Invoker } from '../app/invoker.js';
import { type Log, messageOf } from '../log.js';
import { type ExportSpans, functionSpan } from '../tracing/spans.js';
import { beginTrace } from '../tracing/trace-context.js';

/** What functions need that the host calls by itself. */
export interface Services {
  invoker: Invoker;
  log: Log;
  exportSpans: ExportSpans | undefined;
}

/** What a trigger hands to its function. */
export interface TriggerInput {
  data: TypedData;
  triggerMetadata?: Record<string, TypedData>;
}

/** Runs a function once, as a trace of its own. Says whether it succeeded: what it throws is logged. */
export async function runOnce(target: AppFunction, input: TriggerInput, services: Services): Promise<boolean> {
  const { invoker, log, exportSpans } = services;
  const trace = beginTrace();
  const start = new Date().toISOString();
  let ok = true;
  try {
    await invoker.invoke(target, { ...input, trace });
  } catch (error) {
    ok = false;
    log.write('error', target.name, messageOf(error));
  }
  exportSpans?.([functionSpan(target.name, { trace, start }, { ok })]);
  return ok;
}
