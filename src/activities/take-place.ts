import { takePlace } from '../job-store/inbox/places.js';
import type { Ports } from './ports.js';

export interface TakePlaceInput {
  jobId: string;
  /** Expected ones. */
  items: number;
}

/** Gives a job that has waited for its images a place beside those that run. @returns why there is none, if there is none. */
export function createTakePlace({ storage, limits }: Pick<Ports, 'storage' | 'limits'>) {
  return async ({ jobId, items }: TakePlaceInput): Promise<{ full?: string }> => {
    if (limits === undefined) return {};
    const full = await takePlace(storage, { job: jobId, items, bytes: 0 }, limits);
    return full === undefined ? {} : { full };
  };
}
