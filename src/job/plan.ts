import type { FrameFormat } from './items/formats.js';

// Batches: what one container scores

/** The most containers that a job may ask for at once. */
export const MOST_PARALLEL = 100;

/** The most items that a job may ask for in a batch. */
export const MOST_IN_BATCH = 5000;

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
  /** Number of the first one, where an earlier run of the job has had batches: no two of a job's batches have the same number. */
  firstBatch?: number;
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
 * @param pack a batch holds whole packs of so many items; only the job's last pack may be shorter.
 * @param firstBatch with which number the batches begin.
 */
export function planBatches(
  items: number,
  size: number | 'auto',
  maxParallel: number,
  pack = 1,
  firstBatch = 0,
): BatchPlan {
  if (items === 0) return { items, size: 1, batches: 0, lanes: 0 };
  const chosen = Math.ceil((size === 'auto' ? automaticSize(items, maxParallel) : size) / pack) * pack;
  const batches = Math.ceil(items / chosen);
  const numbers = firstBatch > 0 ? { firstBatch } : {};
  return { items, size: chosen, batches, ...numbers, lanes: Math.min(maxParallel, batches) };
}

function automaticSize(items: number, maxParallel: number): number {
  const rounds = Math.ceil(items / (maxParallel * LARGEST_AUTO_SIZE));
  return Math.max(Math.min(SMALLEST_AUTO_SIZE, items), Math.ceil(items / (maxParallel * rounds)));
}

/** The batch with this number, or undefined when the plan has none. */
export function batchAt(plan: BatchPlan, index: number): Batch | undefined {
  const first = (index - firstBatchOf(plan)) * plan.size;
  if (first < 0 || first >= plan.items) return undefined;
  return { index, first, count: Math.min(plan.size, plan.items - first) };
}

export const firstBatchOf = ({ firstBatch = 0 }: BatchPlan) => firstBatch;
/** The number that no batch of the plan has any more. */
export const endOfBatches = (plan: BatchPlan) => firstBatchOf(plan) + plan.batches;
/** Number of the batch with this item. */
export const batchOfItem = (plan: BatchPlan, item: number) => firstBatchOf(plan) + Math.floor(item / plan.size);
export const laneOfBatch = (plan: BatchPlan, batch: number) => (batch - firstBatchOf(plan)) % plan.lanes;

/** Lane k runs the batches k, k + lanes, k + 2 × lanes, … of those of the plan. */
export function batchesOfLane(plan: BatchPlan, lane: number): Batch[] {
  const batches: Batch[] = [];
  for (let index = firstBatchOf(plan) + lane; ; index += plan.lanes) {
    const batch = batchAt(plan, index);
    if (!batch) return batches;
    batches.push(batch);
  }
}

// Frames: what they are stored as where the disk is this machine's

/** Bytes of a frame as PNG for each of its pixels' own, of real and of painted frames: see docs/lab/frames.md. */
const PNG_SHARE = 0.6;
/** What frames may take of a disk: it holds the video and its output, too. */
const DISK_SHARE = 0.9;

/**
 * Whether frames fit on a disk as they are to be stored; raw ones that do not are stored as PNG, which holds the same pixels.
 * @param need bytes of all frames and scored frames without compression.
 * @param free bytes that are left.
 */
export function fitFrames(format: FrameFormat, need: number, free: number): { format: FrameFormat; warning?: string } {
  const room = free * DISK_SHARE;
  const packed = need * PNG_SHARE;
  const left = `and the disk of the local storage has ${sizeOf(free)} left`;
  if (format === 'jpg' || (format === 'ppm' ? need : packed) <= room) return { format };
  if (packed > room)
    return {
      format: 'png',
      warning: `The frames take about ${sizeOf(packed)} even as PNG, ${left}: free some space, or the job waits for it when the disk is full.`,
    };
  return {
    format: 'png',
    warning: `The frames would take ${sizeOf(need)} as they are, ${left}, so they are stored as PNG, which takes about ${sizeOf(packed)}.`,
  };
}

const sizeOf = (bytes: number) => (bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`);

// Packs: what is stored as one blob

/** A pack is held in memory while it is written, and one ahead of what is read. */
export const PACK_BYTES = 32 * 1024 * 1024;
/** Larger ones save no more requests that count. */
const PACK_ITEMS = 64;
/** The most items that a job may ask for in a pack. */
export const MOST_PACKED = 1000;

export interface PackChoice {
  /** What the job asks for. */
  asked: number | 'auto';
  /** Frames that are expected. */
  expected: number;
  /** Of a batch, and how many run at once: as for `planBatches`. */
  size: number | 'auto';
  maxParallel: number;
  bytesPerItem: number;
}

/**
 * How many frames a pack holds: as many as fit into `PACK_BYTES`, in nearly equal packs a batch, so that rounding a batch up to whole
 * packs changes its length little.
 */
export function choosePack({ asked, expected, size, maxParallel, bytesPerItem }: PackChoice): number {
  const fitting = fittingItems(bytesPerItem);
  if (asked !== 'auto') return Math.min(asked, fitting);
  const most = Math.min(fitting, PACK_ITEMS);
  const share = Math.max(1, size === 'auto' ? planBatches(expected, 'auto', maxParallel).size : size);
  return Math.ceil(share / Math.ceil(share / most));
}

const fittingItems = (bytesPerItem: number) => Math.max(1, Math.floor(PACK_BYTES / bytesPerItem));

/** How many items of a folder of images have what the model says of them in one pack. @param bytesPerItem left out: a few. */
export const chooseResultPack = (asked: number | 'auto', bytesPerItem = 0): number =>
  Math.min(asked === 'auto' ? MOST_PACKED : asked, fittingItems(bytesPerItem));

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
