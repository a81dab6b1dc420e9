import { excessOf, type Losses, tooManyLost } from '../../job/tolerance.js';
import { type Loss, lossesWith } from '../../job-store/batches/losses.js';
import { readFoundItems } from '../../job-store/images/items.js';
import type { ResolvedJob } from '../../job-store/resolved-job.js';
import { stopJob } from '../../job-store/stop.js';
import { readTimetable } from '../../job-store/videos/video-timing.js';
import type { Storage } from '../../storage/storage.js';

/**
 * Keeps the batches of a job from going on once all of them together have lost more than it tolerates. Each batch asks after it has written
 * its own record: of those that do so at the same moment the last one sees them all.
 * @param own what the batch has lost that asks.
 * @param why what happened to one of the items.
 */
export async function stopIfTooMuchIsLost(storage: Storage, job: ResolvedJob, own: Loss, why: string): Promise<void> {
  const { jobId, run, spec } = job;
  const { tolerate } = spec;
  const items = tolerate.failedPercent === undefined ? 0 : await itemsOf(storage, job);
  const isTooMuch = (losses: Losses) => excessOf(tolerate, items, losses) !== undefined;
  const excess = excessOf(tolerate, items, await lossesWith(storage, jobId, own, isTooMuch));
  if (!excess) return;
  await stopJob(storage, jobId, {
    ...(run !== undefined && { run }),
    reason: 'failed',
    blame: 'user',
    message: tooManyLost(excess, why),
    exceeded: true,
    ...(tolerate.onExceeded === 'finish' && { running: 'finish' }),
  });
}

/** Of the jobs that this process works for: of a video it takes its whole timetable to tell. */
const itemCounts = new WeakMap<ResolvedJob, number>();

async function itemsOf(storage: Storage, job: ResolvedJob): Promise<number> {
  const known = itemCounts.get(job);
  if (known !== undefined) return known;
  const items =
    'video' in job
      ? (await readTimetable(storage, job.jobId)).times.length
      : ((await readFoundItems(storage, job.jobId))?.items ?? 0);
  itemCounts.set(job, items);
  return items;
}
