import { setTimeout as pause } from 'node:timers/promises';
import {
  type AttemptEnded,
  describeAttempt,
  describeCancelled,
  describeJobEnd,
  describeLost,
  describePreflight,
  describeRefused,
  describeStart,
  describeStarted,
  describeSwept,
  type JobCancelled,
  type JobEnded,
  type JobStarted,
  type MediaRefused,
  type MessageLost,
  type Preflight,
  type Swept,
} from './describe.js';
import { createFileSink } from './file-sink.js';
import { startId } from './ids.js';
import { createInsightsSink, type InsightsPorts } from './insights.js';
import type { InsightsSettings } from './insights-settings.js';
import type { Sink, TelemetryRecord } from './records.js';

/**
 * What the app tells of its jobs. Nothing here throws, and nothing waits but `flush`. An activity that runs again may report again: the
 * ids are the same, and what this process has reported it does not report twice.
 */
export interface Telemetry {
  /** Starts a job's orchestration below a span of its own, so that the host hands the trace on; it fails as `start` does. */
  startJob<T>(facts: JobStarted, start: () => Promise<T>): Promise<T>;
  preflight(facts: Preflight): void;
  attemptEnded(facts: AttemptEnded): void;
  jobEnded(facts: JobEnded): void;
  cancelled(facts: JobCancelled): void;
  swept(facts: Swept): void;
  mediaRefused(facts: MediaRefused): void;
  messageLost(facts: MessageLost): void;
  /** Ends when everything is delivered or given up, after five seconds at most. */
  flush(): Promise<void>;
}

export interface TelemetrySettings {
  /** Takes everything as lines of JSON. */
  file: string | undefined;
  /** Undefined: there is no Application Insights. */
  insights: InsightsSettings | undefined;
}

/** Says nothing to anybody. */
export const SILENT: Telemetry = {
  startJob: (_, start) => start(),
  preflight: () => undefined,
  attemptEnded: () => undefined,
  jobEnded: () => undefined,
  cancelled: () => undefined,
  swept: () => undefined,
  mediaRefused: () => undefined,
  messageLost: () => undefined,
  flush: () => Promise.resolve(),
};

/** Nothing is loaded, and nothing told, unless a setting says where to. */
export function createTelemetry({ file, insights }: TelemetrySettings, ports: InsightsPorts): Telemetry {
  const sinks: Sink[] = [];
  if (insights !== undefined) sinks.push(createInsightsSink(insights, ports));
  if (file !== undefined) sinks.push(createFileSink(file));
  return sinks.length === 0 ? SILENT : tellTo(sinks);
}

const FLUSH_MS = 5000;
/** Ids that a process remembers to have reported, of the latest records. */
const MOST_REMEMBERED = 20_000;

/** @param sinks where everything goes, each on its own. */
export function tellTo(sinks: Sink[]): Telemetry {
  const told = new Set<string>();
  const isNews = ({ id }: TelemetryRecord) => {
    if (told.has(id)) return false;
    told.add(id);
    for (const oldest of told) {
      if (told.size <= MOST_REMEMBERED) break;
      told.delete(oldest);
    }
    return true;
  };
  const report = (describe: (now: string) => TelemetryRecord[]) =>
    quietly(() => {
      const records = describe(new Date().toISOString()).filter(isNews);
      if (records.length > 0) for (const sink of sinks) quietly(() => sink.report(records));
    });
  const loading = import('./active-span.js').catch(() => undefined);
  return {
    startJob: async (facts, start) => {
      const span = await loading;
      const id = { traceId: facts.place.traceId, id: startId(facts.jobId, facts.run) };
      const began = new Date().toISOString();
      const tell = (ok: boolean) =>
        report((now) => [describeStart(facts, began, now, ok), ...(ok ? [describeStarted(facts, began)] : [])]);
      try {
        const started = await (span ? span.whileActive(id, start) : start());
        tell(true);
        return started;
      } catch (error) {
        tell(false);
        throw error;
      }
    },
    preflight: (facts) => report((now) => [describePreflight(facts, now)]),
    attemptEnded: (facts) => report(() => describeAttempt(facts)),
    jobEnded: (facts) => report((now) => [describeJobEnd(facts, now)]),
    cancelled: (facts) => report((now) => [describeCancelled(facts, now)]),
    swept: (facts) => report((now) => [describeSwept(facts, now)]),
    mediaRefused: (facts) => report((now) => [describeRefused(facts, now)]),
    messageLost: (facts) => report((now) => [describeLost(facts, now)]),
    flush: async () => {
      const late = new AbortController();
      const flushed = Promise.allSettled(sinks.map((sink) => sink.flush())).finally(() => late.abort());
      await Promise.race([flushed, pause(FLUSH_MS, undefined, { signal: late.signal }).catch(() => undefined)]);
    },
  };
}

/** A job is worth more than what is told of it. */
function quietly(tell: () => void): void {
  try {
    tell();
  } catch {
    // Nobody is told.
  }
}
