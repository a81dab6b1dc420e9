import { counted } from './counted.js';

/** The sentence for a job with more failed items than it tolerates; `why` says what happened to one of them. */
export function tooManyFailed(failed: number, tolerated: number, why: string): string {
  return `${counted(failed, 'item')} could not be scored and tolerate.failedItems is ${tolerated} (${why}).`;
}
