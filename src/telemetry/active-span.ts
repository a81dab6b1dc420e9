import { context, propagation, trace, TraceFlags } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';

/**
 * The durable client hands a trace on only below an active OpenTelemetry span, and only when a context manager and a propagator are
 * registered for the process: `getDistributedTracingHeaders` in DurableClient.js of durable-functions 3.5.
 */
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());

/** Runs work while a span is the active one. */
export function whileActive<T>({ traceId, id }: { traceId: string; id: string }, work: () => Promise<T>): Promise<T> {
  const span = trace.wrapSpanContext({ traceId, spanId: id, traceFlags: TraceFlags.SAMPLED });
  return context.with(trace.setSpan(context.active(), span), work);
}
