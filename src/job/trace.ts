/** Where something belongs: its trace and, if known, the span below which it hangs. */
export interface TracePlace {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** 16 hexadecimal digits; absent at the root of a trace. */
  parentId?: string | undefined;
}

/** W3C Trace Context, section 3.2: version, trace id, parent id, flags; versions after 00 may add more. */
const TRACE_PARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/;

/** Reads a `traceparent`; undefined for anything else. */
export function parseTraceParent(text: string | null | undefined): Required<TracePlace> | undefined {
  const [, version, traceId, parentId, more] = TRACE_PARENT.exec(text ?? '') ?? [];
  if (traceId === undefined || parentId === undefined) return undefined;
  if (version === '00' && more !== undefined) return undefined;
  return { traceId, parentId };
}

/** Says that all below this span is to be recorded. */
export const writeTraceParent = (traceId: string, spanId: string) => `00-${traceId}-${spanId}-01`;
