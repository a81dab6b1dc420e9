import { createHash, randomBytes } from 'node:crypto';

/** A span as those below it know it (W3C Trace Context). */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** 16 hexadecimal digits. */
  spanId: string;
  /** Passed on as it came; a trace that begins here is sampled. */
  sampled: boolean;
  /** The header `tracestate`, passed on as it came; empty when there is none. */
  state: string;
}

const TRACE_PARENT =
  /^(?<version>[\da-f]{2})-(?<traceId>[\da-f]{32})-(?<spanId>[\da-f]{16})-(?<flags>[\da-f]{2})(?<rest>-.*)?$/;
const MAX_STATE = 512;

/** Reads `traceparent` and `tracestate`. Undefined for a header that W3C says to ignore; then a trace begins anew. */
export function parseTraceParent(parent: unknown, state: unknown): TraceContext | undefined {
  const found = typeof parent === 'string' ? TRACE_PARENT.exec(parent)?.groups : undefined;
  const { version, traceId = '', spanId = '', flags = '', rest } = found ?? {};
  if (version === undefined || version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  const sampled = (Number.parseInt(flags, 16) & 1) === 1;
  return { traceId, spanId, sampled, state: isState(state) ? state : '' };
}

function isState(state: unknown): state is string {
  return typeof state === 'string' && state.length <= MAX_STATE && /^[\t\u0020-\u007e]*$/.test(state);
}

/** What the sender of a request is doing, if its headers say so. */
export function traceOf(headers: Record<string, unknown>): TraceContext | undefined {
  return parseTraceParent(headers['traceparent'], headers['tracestate']);
}

export function traceParentOf({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}

/** The first span of a new trace. */
export function beginTrace(): TraceContext {
  return { traceId: randomBytes(16).toString('hex'), spanId: newSpanId(), sampled: true, state: '' };
}

export function newSpanId(): string {
  return randomBytes(8).toString('hex');
}

/** An id that is the same whenever it is derived from the same things: 16 digits for a span, 32 for a trace. */
export function derivedId(digits: 16 | 32, ...of: (string | number)[]): string {
  return createHash('sha256').update(of.join('\n')).digest('hex').slice(0, digits);
}
