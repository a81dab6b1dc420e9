import { constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { messageOf, UserFault } from '../log.js';
import type { TraceContext } from './trace-context.js';

/** A stretch of time in a trace, as the real host reports it: one JSON line. */
export interface Span {
  type: 'span';
  traceId: string;
  id: string;
  /** Absent at the root of a trace. */
  parentId?: string | undefined;
  name: string;
  /** As in Application Insights: `server` is a request; the others are dependencies, and a producer counts as a `client`. */
  kind: 'server' | 'client' | 'internal' | 'consumer';
  role: 'host';
  /** ISO 8601 with milliseconds. */
  start: string;
  end: string;
  ok: boolean;
  dimensions: Record<string, string>;
}

/** The call of a function by a request or timer that ends now (the Functions host's request telemetry). */
export function functionSpan(
  name: string,
  { trace, caller, start }: { trace: TraceContext; caller?: TraceContext | undefined; start: string },
  { ok, dimensions = {} }: { ok: boolean; dimensions?: Record<string, string> },
): Span {
  return {
    type: 'span',
    traceId: trace.traceId,
    id: trace.spanId,
    parentId: caller?.spanId,
    name,
    kind: 'server',
    role: 'host',
    start,
    end: new Date().toISOString(),
    ok,
    dimensions,
  };
}

/** Takes spans that have ended. Never throws. */
export type ExportSpans = (spans: readonly Span[]) => void;

/**
 * Appends spans to a file, one JSON line each. They are with the operating system when a call returns, so that they survive a kill of
 * this process. What the disk does not take is lost; that is said once.
 * @throws UserFault when the file cannot be opened.
 */
export function openSpanFile(file: string, warn: (text: string) => void): ExportSpans {
  const descriptor = open(file);
  let warned = false;
  /** Whether the file ends in the middle of a line. */
  let torn = endsInLine(descriptor);
  return (spans) => {
    if (spans.length === 0) return;
    const lines = spans.map((span) => `${JSON.stringify(span)}\n`).join('');
    try {
      const bytes = Buffer.from(torn ? `\n${lines}` : lines);
      torn = writeSync(descriptor, bytes) < bytes.length;
      if (torn) throw new Error('there is no room left');
    } catch (error) {
      if (!warned) warn(`Spans cannot be written to ${file}, and some will be missing there: ${messageOf(error)}.`);
      warned = true;
    }
  };
}

function open(file: string): number {
  // Without O_NONBLOCK a pipe that nobody reads would hold up the host. Reading is for the end of an earlier run.
  const { O_APPEND, O_CREAT, O_NONBLOCK, O_RDWR } = constants;
  try {
    return openSync(file, O_RDWR | O_APPEND | O_CREAT | O_NONBLOCK);
  } catch (error) {
    throw new UserFault(`The file ${file} cannot take spans; name another one with --spans. (${messageOf(error)})`);
  }
}

/** A host that was killed, or a full disk, may have left half a line. */
function endsInLine(descriptor: number): boolean {
  const { size } = fstatSync(descriptor);
  const last = Buffer.alloc(1);
  return size > 0 && readSync(descriptor, last, 0, 1, size - 1) === 1 && last.toString() !== '\n';
}
