import { z } from 'zod';
import { counted } from './failure.js';

/** What a frame of the output video shows that could not be scored: itself, or the last one before it that was scored. */
export const FILLS = ['source', 'previous'] as const;
export type Fill = (typeof FILLS)[number];

/** What becomes of the containers that run when too much is lost: they end by themselves, or are ended at once. */
export const ON_EXCEEDED = ['finish', 'cancel'] as const;

/** What a job may lose before it fails. Each bound that it names counts; none named: no item may be lost. */
export const toleranceChoices = z
  .strictObject({
    /** Items without an output, for whatever reason. */
    failedItems: z.int().min(0).optional(),
    /** The same in percent of the job's items. */
    failedPercent: z.number().min(0).max(100).optional(),
    /** Batches that are given up. What they leave behind counts as failed items only where a bound for those is named. */
    failedBatches: z.int().min(0).optional(),
    onExceeded: z.enum(ON_EXCEEDED).default('cancel'),
    /** For a video; left out: `source`. */
    fill: z.enum(FILLS).optional(),
    doubtfulPictures: z.boolean().optional(),
  })
  .transform(({ failedItems, ...others }) => {
    const named = failedItems ?? others.failedPercent ?? others.failedBatches;
    return { ...others, ...(named === undefined ? { failedItems: 0 } : failedItems !== undefined && { failedItems }) };
  });

export type Tolerance = Pick<z.output<typeof toleranceChoices>, 'failedItems' | 'failedPercent' | 'failedBatches'>;

/** What a job has lost so far. */
export interface Losses {
  /** Items that could not be scored, each for its own reason. */
  failed: number;
  /** Items that batches left behind when they were given up. */
  missing: number;
  /** Batches that were given up with items missing. */
  batches: number;
}

export interface Excess extends Losses {
  bound: 'failedItems' | 'failedPercent' | 'failedBatches';
  most: number;
  /** Of the job. */
  items: number;
}

/** The bound that is exceeded, if any. @param items of the job. */
export function excessOf(tolerance: Tolerance, items: number, losses: Losses): Excess | undefined {
  const { failedItems, failedPercent, failedBatches } = tolerance;
  const { failed, missing, batches } = losses;
  const exceeded = (bound: Excess['bound'], most: number): Excess => ({ ...losses, bound, most, items });
  if (failedItems !== undefined && failed + missing > failedItems) return exceeded('failedItems', failedItems);
  if (failedPercent !== undefined && failed + missing > share(failedPercent, items))
    return exceeded('failedPercent', failedPercent);
  if (failedBatches !== undefined && batches > failedBatches) return exceeded('failedBatches', failedBatches);
  return failed > itemsThatMayFail(tolerance, items) ? exceeded('failedItems', 0) : undefined;
}

/** How many items may fail for their own reasons. @param items of the job. */
export function itemsThatMayFail({ failedItems, failedPercent }: Tolerance, items: number): number {
  if (failedItems === undefined && failedPercent === undefined) return 0;
  return Math.min(failedItems ?? Infinity, failedPercent === undefined ? Infinity : share(failedPercent, items));
}

/** Whole items that a percentage allows; what a decimal fraction lacks in a computer is no item. */
const share = (percent: number, items: number) => Math.floor((percent * items) / 100 + 1e-6);

/** The sentence for a job that has lost more than it tolerates. @param why what happened to some of the items. */
export function tooManyLost({ bound, most, items, failed, missing, batches }: Excess, why: string): string {
  const lost = failed + missing;
  const what =
    bound === 'failedBatches'
      ? `${counted(batches, 'batch')} ${batches === 1 ? 'was' : 'were'} given up with ${counted(missing, 'item')} missing`
      : `${bound === 'failedPercent' ? `${lost} of ${counted(items, 'item')}` : counted(lost, 'item')} could not be scored`;
  return `${what} and tolerate.${bound} is ${most} (${why}).`;
}

/**
 * What is shown in place of each frame without an output, in the order of the frames: another frame's output, or undefined for the frame
 * as it came, which is also what those get that have no scored frame before them; with `nearest`, they get the first one behind them.
 */
export function fillsOf(unscored: Set<number>, fill: Fill | 'nearest' = 'source'): Map<number, number | undefined> {
  let first: number | undefined;
  if (fill === 'nearest') for (first = 0; unscored.has(first);) first += 1;
  const fills = new Map<number, number | undefined>();
  for (const index of [...unscored].toSorted((a, b) => a - b)) {
    const before = index - 1;
    const shown = unscored.has(before) ? fills.get(before) : before < 0 ? first : before;
    fills.set(index, fill === 'source' ? undefined : shown);
  }
  return fills;
}
