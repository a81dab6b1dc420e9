// Batches: what one container scores

/** The most containers that a job may ask for at once. */
export const MOST_PARALLEL = 100;

/** A run of consecutive items scored by one container. */
export interface Batch {
  index: number;
  /** Index of its first item. */
  first: number;
  count: number;
}

export interface BatchPlan {
  items: number;
  /** Items per batch; the last batch may be shorter. */
  size: number;
  batches: number;
  /** Sub-orchestrations that each run their batches one after another; never more than batches. */
  lanes: number;
}

/** A smaller batch costs more to start than to score. */
const SMALLEST_AUTO_SIZE = 16;
/** When the container of a larger batch is lost, its retry starts too late. */
const LARGEST_AUTO_SIZE = 500;

/**
 * Cuts `items` consecutive items into batches of nearly equal length. `auto` starts as few containers as it can and gives
 * each lane the same number of batches, so that all lanes end together.
 */
export function planBatches(items: number, size: number | 'auto', maxParallel: number): BatchPlan {
  if (items === 0) return { items, size: 1, batches: 0, lanes: 0 };
  const chosen = size === 'auto' ? automaticSize(items, maxParallel) : size;
  const batches = Math.ceil(items / chosen);
  return { items, size: chosen, batches, lanes: Math.min(maxParallel, batches) };
}

function automaticSize(items: number, maxParallel: number): number {
  const rounds = Math.ceil(items / (maxParallel * LARGEST_AUTO_SIZE));
  return Math.max(Math.min(SMALLEST_AUTO_SIZE, items), Math.ceil(items / (maxParallel * rounds)));
}

/** The batch with this index, or undefined beyond the last one. */
export function batchAt(plan: BatchPlan, index: number): Batch | undefined {
  const first = index * plan.size;
  if (index < 0 || first >= plan.items) return undefined;
  return { index, first, count: Math.min(plan.size, plan.items - first) };
}

/** Lane k runs the batches k, k + lanes, k + 2 × lanes, … */
export function batchesOfLane(plan: BatchPlan, lane: number): Batch[] {
  const batches: Batch[] = [];
  for (let index = lane; ; index += plan.lanes) {
    const batch = batchAt(plan, index);
    if (!batch) return batches;
    batches.push(batch);
  }
}

// Chunks: what one activity splits or encodes of a long video

/** The work of one activity: what two cores decode and store in about two minutes. */
const CHUNK_SECONDS = 120;
/** Seconds that a frame of any size takes, and seconds per pixel, as measured in docs/media.md. */
const FRAME_SECONDS = 0.01;
const PIXEL_SECONDS = 25e-9;

/** How many frames of this size one activity splits or encodes. */
export const chunkFrames = ({ width, height }: { width: number; height: number }): number =>
  Math.max(1, Math.floor(CHUNK_SECONDS / (FRAME_SECONDS + PIXEL_SECONDS * width * height)));

/** Frames `first` to `first + count` (exclusive) of a video. */
export interface FrameRange {
  first: number;
  count: number;
}

/** Chunk `index` of `items` frames cut into chunks of `size`; the last one may be shorter. */
export const chunkAt = (index: number, items: number, size: number): FrameRange => ({
  first: index * size,
  count: Math.min(size, items - index * size),
});
