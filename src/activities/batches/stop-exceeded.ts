import { excessOf, type Losses, tooManyLost } from '../../job/tolerance.js';
import { type ListedSettled, listSettled } from '../../job-store/batches/settled.js';
import { readFoundItems } from '../../job-store/images/items.js';
import type { ResolvedJob } from '../../job-store/resolved-job.js';
import { stopJob } from '../../job-store/stop.js';
import { readTimetable } from '../../job-store/videos/video-timing.js';
import type { Storage } from '../../storage/storage.js';

/**
 * Keeps the batches of a job from going on once all of them together have lost more than it tolerates. Each batch asks after it has written
 * its own record: of those that do so at the same moment the last one sees them all.
 * @param why what happened to one of the items.
 */
export async function stopIfTooMuchIsLost(storage: Storage, job: ResolvedJob, why: string): Promise<void> {
  const { jobId, run, spec } = job;
  const { tolerate } = spec;
  const items = tolerate.failedPercent === undefined ? 0 : await itemsOf(storage, job);
  const excess = excessOf(tolerate, items, lossesOf(await listSettled(storage, jobId)));
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

function lossesOf(settled: ListedSettled[]): Losses {
  const losses: Losses = { failed: 0, missing: 0, batches: 0 };
  for (const { failed, missing } of settled) {
    losses.failed += failed - missing;
    losses.missing += missing;
    if (missing > 0) losses.batches += 1;
  }
  return losses;
}

const itemsOf = async (storage: Storage, job: ResolvedJob): Promise<number> =>
  'video' in job
    ? (await readTimetable(storage, job.jobId)).times.length
    : ((await readFoundItems(storage, job.jobId))?.items ?? 0);
