import { createHash } from 'node:crypto';
import { parseTraceParent, type TracePlace } from '../job/trace.js';

const digits = (parts: (string | number)[], length: number) =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, length);

/** The id of the span or event that these words name: the same whoever reports it, and however often. */
export const idOf = (...parts: (string | number)[]): string => digits(parts, 16);

/** What names a run of a job among all: the first has no number, as in what earlier versions of the app told. */
export const runKey = (run = 1): number[] => (run === 1 ? [] : [run]);

/** The span around the start of a run's orchestration, which hangs below it. */
export const startId = (jobId: string, run?: number) => idOf('start', jobId, ...runKey(run));

/** The span of an attempt; no two runs of a job have a batch of the same number. It is known before the container is launched, so that the container can be told. */
export const attemptId = (jobId: string, batch: number, attempt: number) => idOf('attempt', jobId, batch, attempt);

/**
 * Where what an invocation does for a job belongs in the job's trace. Below the invocation, if the host has carried the job's trace to
 * it; else where the job's record says. Without both, the job gets a trace that is derived from its id.
 * @param kept what the job's record says.
 * @param traceParent of the invocation.
 */
export function placeOf(jobId: string, kept: TracePlace | undefined, traceParent: string | undefined): TracePlace {
  const here = parseTraceParent(traceParent);
  if (here && (kept === undefined || kept.traceId === here.traceId)) return here;
  return kept ?? here ?? { traceId: digits(['trace', jobId], 32) };
}
