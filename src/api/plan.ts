import type { Span } from '../job/estimate/estimate.js';

/**
 * Answer of `POST /api/plan`: what a job would take. The body is its specification, with `items` beside it where not all of them are in
 * storage: how many there would be. Nothing is started and nothing is kept.
 */
export interface Plan {
  /** Frames of the video or images of the folder; null where nobody knows before the job runs. */
  items: number | null;
  batches: number | null;
  /** Containers that run at once. */
  parallel: number;
  /** From start to end; null where `items` is or nothing tells how fast the model is. */
  seconds: Span | null;
  /** Null where `seconds` is. `local` costs nothing. */
  cost: Cost | null;
  /** What the range is based on, in a sentence: an earlier job with the same model, or a trial of the model on the app's machine. */
  basis: string;
  warnings: string[];
}

export interface Cost extends Span {
  currency: 'USD';
  /** What is counted and what is not, and of which day the prices are. */
  sentence: string;
}
