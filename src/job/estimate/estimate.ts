import type { AttemptReport } from '../manifest.js';
import type { BatchPlan } from '../plan.js';
import { round } from '../progress.js';

/** A range in which a number lies in eight of ten cases. */
export interface Span {
  low: number;
  high: number;
}

/** How long a job has taken, for the estimate of the next one like it. */
export interface Pace {
  /** Seconds that a container took for an item, and until its first one and after its last. */
  item: Span;
  start: Span;
  /** Seconds before and after scoring. */
  around: number;
  items: number;
  /** Of a frame; absent for images, which have any size. */
  pixels?: number | undefined;
  /** Cores of a container; absent where nobody knows. */
  cpus?: number | undefined;
  gpus?: number | undefined;
}

const TENTH = 0.1;
/** With fewer runs than this, what they show is widened by so much. */
const FEW = 3;
const FEW_WIDER: Span = { low: 0.75, high: 1.35 };

const scaled = ({ low, high }: Span, by: number, wider: Span = { low: 1, high: 1 }): Span => ({
  low: low * by * wider.low,
  high: high * by * wider.high,
});

/** The range of what was seen, without the tenth at either end. */
function spanOf(values: number[]): Span {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  const span = { low: at(TENTH), high: at(1 - TENTH) };
  return values.length < FEW ? scaled(span, 1, FEW_WIDER) : span;
}

/**
 * What the containers of a job show.
 * @param seconds of the whole job.
 * @returns undefined when none of them tells.
 */
export function paceOf(
  attempts: AttemptReport[],
  { seconds, items, pixels }: { seconds: number; items: number; pixels: number | undefined },
): Pace | undefined {
  const seen = attempts.flatMap(({ phases, scored, place }) => {
    const { firstItem, lastItem, pulled = 0, started = 0, modelLoaded = 0, stored = 0 } = phases?.seconds ?? {};
    if (!phases || scored === 0 || firstItem === undefined || lastItem === undefined) return [];
    const [from, to] = [Date.parse(phases.launched), Date.parse(phases.endedAt ?? phases.launched)];
    return [{ item: (firstItem + lastItem) / scored, start: pulled + started + modelLoaded + stored, from, to, place }];
  });
  const [first] = seen;
  if (!first) return undefined;
  const from = seen.reduce((least, each) => Math.min(least, each.from), Infinity);
  const to = seen.reduce((most, each) => Math.max(most, each.to), -Infinity);
  const { cpus, gpus } = first.place ?? {};
  const short = ({ low, high }: Span) => ({ low: round(low, 5), high: round(high, 5) });
  return {
    item: short(spanOf(seen.map(({ item }) => item))),
    start: short(spanOf(seen.map(({ start }) => start))),
    around: round(Math.max(0, seconds - (to - from) / 1000), 2),
    items,
    ...(pixels !== undefined && { pixels }),
    ...(cpus !== undefined && { cpus }),
    ...(gpus !== undefined && gpus > 0 && { gpus }),
  };
}

/** What is expected of each container, and of what is around them all, in seconds. */
export interface Expected {
  item: Span;
  start: Span;
  around: Span;
}

interface Wanted {
  items: number;
  pixels: number | undefined;
  cpus: number | undefined;
}

/** Another size or number of cores changes the time of an item less than it should, or more. */
const SCALED_WIDER: Span = { low: 0.7, high: 1.4 };

/** What a job like an earlier one is expected to take. Part of what is around the scoring grows with the items, nobody knows which. */
export function expectedBy(pace: Pace, { items, pixels, cpus }: Wanted): Expected {
  const size = pixels !== undefined && pace.pixels !== undefined ? pixels / pace.pixels : 1;
  const cores = cpus !== undefined && pace.cpus !== undefined && pace.gpus === undefined ? pace.cpus / cpus : 1;
  const by = size * cores;
  const all = (pace.around * items * size) / Math.max(1, pace.items);
  return {
    item: scaled(pace.item, by, by === 1 ? undefined : SCALED_WIDER),
    start: pace.start,
    around: { low: Math.min(pace.around, all) * 0.8, high: Math.max(pace.around, all) * 1.25 },
  };
}

/** What a container takes until its first item: on this machine as seen, in Azure as the sources of docs/api.md tell, with the pull of the image. */
const STARTS: Record<'local' | 'aci' | 'container-apps', Span> = {
  local: { low: 0.4, high: 4 },
  aci: { low: 30, high: 150 },
  'container-apps': { low: 20, high: 150 },
};
/** A container also reads, decodes, encodes and stores; and cores of a cloud are slower than most. */
const TRIAL_WIDER: Record<'local' | 'aci' | 'container-apps', Span> = {
  local: { low: 0.8, high: 2 },
  aci: { low: 0.8, high: 3 },
  'container-apps': { low: 0.8, high: 3 },
};
/** Seconds that the preparation takes, and those of a frame that is split and encoded: half and twice of what docs/media.md measured. */
const PREPARE: Span = { low: 1, high: 6 };
const FRAME: Span = { low: 0.5, high: 2 };
const FRAME_SECONDS = 0.01;
const PIXEL_SECONDS = 25e-9;
/** Splitting and encoding. */
const STEPS = 2;

/**
 * What a job is expected to take by a trial of its model on the app's machine.
 * @param cpuSeconds of all cores together for one picture.
 * @param pixels of a frame; undefined of images, which are neither split nor encoded.
 */
export function expectedByTrial(
  cpuSeconds: number,
  { items, pixels, cpus = 1, compute }: Wanted & { compute: 'local' | 'aci' | 'container-apps' },
): Expected {
  const frames = pixels === undefined ? 0 : STEPS * items * (FRAME_SECONDS + PIXEL_SECONDS * pixels);
  return {
    item: scaled({ low: cpuSeconds / cpus, high: cpuSeconds / cpus }, 1, TRIAL_WIDER[compute]),
    start: STARTS[compute],
    around: { low: PREPARE.low + frames * FRAME.low, high: PREPARE.high + frames * FRAME.high },
  };
}

/**
 * From start to end, and of all containers together.
 * @param plan of the batches, of which those of a lane follow each other.
 */
export function estimateJob({ items, batches, lanes }: BatchPlan, { item, start, around }: Expected) {
  const perLane = lanes === 0 ? 0 : Math.ceil(batches / lanes);
  const share = lanes === 0 ? 0 : Math.ceil(items / lanes);
  const wall = (of: 'low' | 'high') => around[of] + perLane * start[of] + share * item[of];
  const containers = (of: 'low' | 'high') => batches * start[of] + items * item[of];
  const tenths = (seconds: number) => round(seconds, 1);
  return {
    seconds: { low: tenths(wall('low')), high: tenths(wall('high')) },
    containerSeconds: { low: tenths(containers('low')), high: tenths(containers('high')) },
  };
}

/** What the rest of a job may cost beside what as much has cost so far. */
const REST: Span = { low: 0.75, high: 1.35 };

/**
 * What a job is likely to cost in all, by what it has cost so far; undefined before anything is done.
 * @param done items that it has scored, and those that are left.
 */
export function costInAll(soFar: number, { done, left }: { done: number; left: number }): Span | undefined {
  if (done <= 0) return undefined;
  const rest = (soFar / done) * left;
  return { low: round(soFar + rest * REST.low, 6), high: round(soFar + rest * REST.high, 6) };
}
