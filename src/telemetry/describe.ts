import { type Blame, hideSecrets } from '../job/failure.js';
import { type AttemptPhases, containerSeconds, PHASES } from '../job/attempts/phases.js';
import type { TracePlace } from '../job/trace.js';
import { attemptId, idOf, runKey, startId } from './ids.js';
import type { Dimensions, Span, TelemetryEvent, TelemetryRecord } from './records.js';

/** The job that something is told of. Model and compute are unknown of a job that failed before it was resolved. */
interface OfJob {
  jobId: string;
  /** From 1; the first, when left out. */
  run?: number | undefined;
  /** Where it belongs in the job's trace. */
  place: TracePlace;
  model?: string | undefined;
  compute?: string | undefined;
}

/** Times are ISO 8601 everywhere. */
export interface JobStarted extends OfJob {
  input: 'video' | 'images';
}

export interface Preflight extends OfJob {
  verdict:
    | {
        ok: true;
        parallel: number;
        expectedItems: number | undefined;
        splitChunks: number;
        gpu: boolean;
        warnings: number;
      }
    | Refusal;
}

interface Refusal {
  ok: false;
  blame: Blame;
  message: string;
}

export interface AttemptEnded extends OfJob {
  batch: number;
  attempt: number;
  phases: AttemptPhases;
  /** What its end means for the batch, who is to blame if it failed, and the sentence. */
  outcome: 'complete' | 'stopped' | 'failed';
  blame?: Blame | undefined;
  message: string;
  /** How the watch over the container ended. */
  watchEnd: string;
  /** What the scorer says of itself: `completed`, `interrupted` or `failed`. */
  scorer?: string | undefined;
  /** As the scorer names it: the first word is the execution provider. */
  device?: string | undefined;
  /** Items that it scored, and that it could not score. */
  items: number;
  failedItems: number;
  exitCode?: number | undefined;
  where: { region?: string; cpus?: number; memoryGib?: number; gpus?: number };
  /** Milliseconds of work by kind. */
  timings: object;
}

export interface JobEnded extends OfJob {
  outcome: 'done' | 'failed' | 'cancelled';
  blame: Blame;
  message: string;
  /** Items with an output, and without one. */
  items: number;
  failedItems: number;
  /** How many of the items with an output were taken over from other jobs; undefined of a job that does not ask for it. */
  reusedItems?: number | undefined;
  attempts: number;
  /** Since the job was prepared; undefined of one that never was. */
  seconds?: number | undefined;
  containerSeconds: number;
}

export interface Swept extends OfJob {
  container: string;
  batch?: number | undefined;
  attempt?: number | undefined;
  /** Why it was removed. */
  message: string;
}

/** New media that starts no job. */
export interface MediaRefused {
  /** The claim's id. */
  claim: string;
  /** Its path in the media account. */
  blob: string;
  place: TracePlace;
  /** Why. */
  message: string;
}

/** A message on which the app has failed again and again. */
export interface MessageLost {
  /** Path of what is kept of it in the media account. */
  record: string;
  place: TracePlace;
}

export interface JobCancelled extends OfJob {
  /** `request`: somebody asked the app for it; `host`: the orchestration was terminated. */
  by: 'request' | 'host';
}

export const describeStart = (facts: JobStarted, start: string, end: string, ok: boolean): Span => ({
  type: 'span',
  traceId: facts.place.traceId,
  id: startId(facts.jobId, facts.run),
  parentId: facts.place.parentId,
  name: 'start scoreJob',
  role: 'app',
  kind: 'client',
  start,
  end,
  ok,
  dimensions: dimensionsOf(facts),
});

export const describeStarted = (facts: JobStarted, time: string): TelemetryEvent =>
  event('job.started', { ...facts, place: { ...facts.place, parentId: startId(facts.jobId, facts.run) } }, time, {
    key: runKey(facts.run),
    dimensions: { input: facts.input },
  });

export function describePreflight(facts: Preflight, time: string): TelemetryEvent {
  const { verdict } = facts;
  if (!verdict.ok)
    return event('preflight.done', facts, time, {
      key: runKey(facts.run),
      dimensions: { verdict: 'refused', blame: verdict.blame, message: verdict.message },
    });
  const { parallel, expectedItems, splitChunks, warnings, gpu } = verdict;
  return event('preflight.done', facts, time, {
    key: runKey(facts.run),
    dimensions: { verdict: 'ok', gpu: String(gpu) },
    measurements: knownNumbers({ parallel, expectedItems, splitChunks, warnings }),
  });
}

/** The attempt from its launch to its end, its phases below it, and what it did in numbers. */
export function describeAttempt(facts: AttemptEnded): TelemetryRecord[] {
  const { jobId, batch, attempt, phases, where, outcome, blame, watchEnd, scorer, message } = facts;
  const { launched, endedAt = launched } = phases;
  const id = attemptId(jobId, batch, attempt);
  const dimensions = dimensionsOf({
    ...facts,
    device: /^\w+/.exec(facts.device ?? '')?.[0],
    region: where.region,
  });
  const ends = known({ outcome, blame, watchEnd, scorer });
  const common = { type: 'span', traceId: facts.place.traceId, role: 'scorer' } as const;
  const span: Span = {
    ...common,
    id,
    parentId: facts.place.parentId,
    name: 'attempt',
    kind: 'consumer',
    ...interval(launched, endedAt),
    ok: outcome !== 'failed',
    dimensions: { ...dimensions, ...ends },
  };
  const below = describePhasesOf(facts, { ...common, parentId: id, kind: 'internal', ok: true, dimensions });
  const ended = event('attempt.ended', { ...facts, place: { ...facts.place, parentId: id } }, endedAt, {
    key: [batch, attempt],
    dimensions: { ...dimensions, ...ends, message },
    measurements: measure(facts),
  });
  return [span, ...below, ended];
}

function describePhasesOf(
  { jobId, batch, attempt, phases: { launched, ended } }: AttemptEnded,
  common: Omit<Span, 'id' | 'name' | 'start' | 'end'>,
): Span[] {
  let before = launched;
  return PHASES.flatMap((phase) => {
    const end = ended[phase];
    if (end === undefined) return [];
    const span = { ...common, id: idOf('phase', jobId, batch, attempt, phase), name: phase, ...interval(before, end) };
    if (Date.parse(end) > Date.parse(before)) before = end;
    return [span];
  });
}

/** Clocks differ between platform and container: what seems to end before it began takes no time. */
function interval(start: string, end: string): { start: string; end: string } {
  return { start: Date.parse(start) > Date.parse(end) ? end : start, end };
}

function measure({ phases, where, items, failedItems, exitCode, timings }: AttemptEnded): Record<string, number> {
  const { cpus, memoryGib, gpus } = where;
  const work = Object.entries(timings).map(([kind, ms]) => [`${kind}Seconds`, Math.round(Number(ms)) / 1000] as const);
  const waits = Object.entries(phases.seconds).map(([phase, seconds]) => [`${phase}Seconds`, seconds] as const);
  return knownNumbers({
    items,
    failedItems,
    exitCode,
    containerSeconds: containerSeconds(phases),
    ...Object.fromEntries(waits),
    ...Object.fromEntries(work),
    cpus,
    memoryGib,
    gpus,
  });
}

export function describeJobEnd(facts: JobEnded, time: string): TelemetryEvent {
  const { outcome, blame, message, items, failedItems, reusedItems, attempts, seconds } = facts;
  return event('job.ended', facts, time, {
    key: runKey(facts.run),
    dimensions: { outcome, blame: outcome === 'failed' ? blame : undefined, message },
    measurements: knownNumbers({
      items,
      failedItems,
      reusedItems,
      attempts,
      seconds,
      containerSeconds: facts.containerSeconds,
    }),
  });
}

export const describeSwept = (facts: Swept, time: string): TelemetryEvent =>
  event('container.swept', facts, time, {
    key: [facts.container],
    dimensions: { ...dimensionsOf(facts), container: facts.container, message: facts.message },
  });

export const describeRefused = ({ claim, blob, place, message }: MediaRefused, time: string): TelemetryEvent =>
  event('media.refused', { jobId: '', place }, time, { key: [claim], dimensions: { blob, message } });

export const describeLost = ({ record, place }: MessageLost, time: string): TelemetryEvent =>
  event('message.lost', { jobId: '', place }, time, { key: [record], dimensions: { record } });

export const describeCancelled = (facts: JobCancelled, time: string): TelemetryEvent =>
  event('job.cancelled', facts, time, { key: runKey(facts.run), dimensions: { by: facts.by } });

interface Told {
  /** What sets it apart from other events of its name and job. */
  key?: (string | number)[];
  dimensions?: Record<string, string | undefined>;
  measurements?: Record<string, number>;
}

function event(
  name: string,
  facts: OfJob,
  time: string,
  { key = [], dimensions = {}, measurements = {} }: Told,
): TelemetryEvent {
  const { traceId, parentId } = facts.place;
  return {
    type: 'event',
    traceId,
    id: idOf(name, facts.jobId, ...key),
    parentId,
    name,
    role: 'app',
    time,
    dimensions: { ...dimensionsOf(facts), ...known(dimensions) },
    measurements,
  };
}

interface Named {
  jobId: string;
  batch?: number | undefined;
  attempt?: number | undefined;
  model?: string | undefined;
  device?: string | undefined;
  compute?: string | undefined;
  region?: string | undefined;
}

const dimensionsOf = ({ jobId, batch, attempt, model, device, compute, region }: Named): Dimensions =>
  known({ job: jobId, batch: batch?.toString(), attempt: attempt?.toString(), model, device, compute, region });

/** Leaves out what is unknown or says nothing. Values may quote what users and platforms have written. */
const known = (values: Record<string, string | undefined>): Dimensions =>
  Object.fromEntries(
    Object.entries(values).flatMap(([name, value = '']) => (value === '' ? [] : [[name, hideSecrets(value)]])),
  );

const knownNumbers = (values: Record<string, number | undefined>): Record<string, number> =>
  Object.fromEntries(Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
