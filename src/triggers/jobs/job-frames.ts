import type { BlobItem } from '@azure/storage-blob';
import type { DurableOrchestrationStatus } from 'durable-functions';
import type { FrameList, FramePart } from '../../api/jobs.js';
import { FRAMES_PREFIX, parseFramesBlob, SCORED_PREFIX } from '../../container-contract/places.js';
import { JobError } from '../../job/failure.js';
import { FRAME_FORMATS } from '../../job/items/formats.js';
import type { PublishedStatus } from '../../job/progress.js';
import { partOf } from '../../job-store/batches/scored-parts.js';
import { scoredEnding } from '../../job-store/images/items.js';
import { workOf } from '../../job-store/layout.js';
import { findResolvedJob, readResolvedJob, type ResolvedJob } from '../../job-store/resolved-job.js';
import type { Storage } from '../../storage/storage.js';
import { answerErrors, refuse } from '../http.js';
import { listThousand, readableUrl } from './job-files.js';
import { findKept, isOver } from '../jobs.js';

const NONE_YET: FrameList = { parts: [], next: null };

/** `GET /api/jobs/{id}/frames?source=&from=`: the scored frames of a video that are stored, or those that they were made of. */
export const createListFrames = ({ storage }: { storage: Storage }) =>
  answerErrors(async (request, context) => {
    const { id = '' } = request.params;
    const isSource = readFlag('source', request.query.get('source'));
    const status = await findKept(storage, context, id);
    if (!('runtimeStatus' in status)) return status;
    const job = (await findResolvedJob(storage, id)) && (await readResolvedJob(storage, id));
    if (job && !('video' in job))
      return refuse(404, `Job "${id}" scores images and has no frames; what it made of them is listed at /files.`);
    if (isSource && job?.images !== undefined)
      return refuse(
        404,
        `The frames of job "${id}" are the files below ${job.images}; leave "source" (--source) out for the scored ones.`,
      );
    const isThere = await workOf(storage, id).exists();
    if (isOver(status) && !(job && isThere)) return refuse(404, whyNone(id, status, job));
    if (!job) return { jsonBody: NONE_YET };
    const ending = scoredEnding(job);
    if (!isSource && !FRAME_FORMATS.some((format) => format === ending))
      return refuse(
        404,
        `The model of job "${id}" gives no pictures, so the job has only the frames as they came: ask for them with "source" (--source).`,
      );
    return { jsonBody: await listFrames(storage, job, isSource, request.query.get('from') ?? '') };
  });

/** @throws JobError `user` when it is neither true nor false; false when it is left out. */
function readFlag(name: string, text: string | null): boolean {
  if (text === null || text === '' || text === 'false') return false;
  if (text === 'true') return true;
  throw new JobError('user', `"${name}" must be true or false.`);
}

async function listFrames(
  storage: Storage,
  { jobId, pack }: ResolvedJob,
  isSource: boolean,
  from: string,
): Promise<FrameList> {
  const work = workOf(storage, jobId);
  const { items, next } = await listThousand(work, isSource ? FRAMES_PREFIX : SCORED_PREFIX, from);
  const parts = items.map(async (blob): Promise<FramePart[]> => {
    const range = isSource ? sourceRange(blob, pack) : partOf(blob);
    if (!range) return [];
    const { first, last, absent } = range;
    const url = await readableUrl(storage, work, blob.name);
    return [{ name: blob.name, first, last, absent, bytes: blob.properties.contentLength ?? 0, url }];
  });
  return { parts: (await Promise.all(parts)).flat(), next };
}

function sourceRange({ name }: BlobItem, pack: number): Pick<FramePart, 'first' | 'last' | 'absent'> | undefined {
  const range = parseFramesBlob(name, pack);
  return range && { ...range, absent: [] };
}

/** Why a job that has ended has no frames. */
function whyNone(id: string, status: DurableOrchestrationStatus, job: ResolvedJob | undefined): string {
  const state: string = status.runtimeStatus;
  const published = (status.customStatus ?? undefined) as PublishedStatus | undefined;
  if (state === 'Completed' && job?.spec.output.keepFrames === false)
    return `Job "${id}" did not keep its frames; start it with "keepFrames": true in its "output", and they stay.`;
  if (published?.cancelled) return `Job "${id}" was cancelled, so its frames have been removed.`;
  const { plan, error } = published ?? {};
  if (plan === undefined && error) return `Job "${id}" ended before it had frames: ${error.message}`;
  return `The frames of job "${id}" have been removed.`;
}
