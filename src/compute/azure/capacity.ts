import { counted } from '../../job/failure.js';
import type { Preflight } from '../provider.js';

/** Containers at once when the job does not say. */
const USUAL_PARALLEL = 10;

/** How many containers a place holds. */
export interface Room {
  /** Beside what runs now. */
  free: number;
  /** If nothing else ran. */
  ever: number;
  /** The numbers behind it, for a sentence. */
  why: string;
}

/**
 * The containers that run at once: as many as the job asks for and as there is room, and at least one, which waits for room.
 * @param asked the job's own wish, if it has one.
 * @param free undefined where Azure lists no quota.
 * @param why the numbers, for the warning of a job that gets fewer than it asks for.
 */
export function fitParallel(
  asked: number | undefined,
  free: number | undefined,
  why: string,
): Pick<Preflight, 'maxParallel' | 'warnings'> {
  const wanted = asked ?? USUAL_PARALLEL;
  const maxParallel = Math.max(1, Math.min(wanted, free ?? wanted));
  if (free === 0)
    return {
      maxParallel,
      warnings: [`Azure's quotas are used up at the moment (${why}), so batches wait and 1 container runs at once.`],
    };
  if (maxParallel >= (asked ?? 1)) return { maxParallel, warnings: [] };
  const room = `Azure's quotas leave room for ${counted(maxParallel, 'container')} (${why})`;
  return { maxParallel, warnings: [`${room}, so ${maxParallel} instead of ${wanted} run at once.`] };
}
