import type { JobLogs } from '../../api/logs.js';
import { counted, JobError } from '../../job/failure.js';
import { endOfBatches } from '../../job/plan.js';
import { publishedIn } from '../../job/progress.js';
import { lastAttempt } from '../../job-store/batches/batch-state.js';
import { readLogPage } from '../../job-store/batches/log-pages.js';
import type { Storage } from '../../storage/storage.js';
import { answerErrors, refuse } from '../http.js';
import { findKept, isOver } from '../jobs.js';

/** `GET /api/jobs/{id}/logs?batch=&attempt=&from=`: what the job's containers have said so far, about a thousand lines at a time. */
export const createGetLogs = ({ storage }: { storage: Storage }) =>
  answerErrors(async (request, context) => {
    const { id = '' } = request.params;
    const batch = readNumber('batch', request.query.get('batch'), 0);
    const attempt = readNumber('attempt', request.query.get('attempt'), 1);
    const status = await findKept(storage, context, id);
    if (!('runtimeStatus' in status)) return status;
    const over = isOver(status);
    const published = publishedIn(status.customStatus);
    const missing = await whatIsMissing(storage, id, {
      batch,
      attempt,
      over,
      batches: published?.plan && endOfBatches(published.plan),
    });
    if (missing !== undefined) return refuse(404, missing);
    const from = request.query.get('from') ?? '';
    const { lines, more, next } = await readLogPage(storage, id, { batch, attempt, from, isOver: over });
    return { jsonBody: { lines, more, next: next ?? null } satisfies JobLogs };
  });

/** @throws JobError `user` when it is not such a number; undefined when it is left out. */
function readNumber(name: string, text: string | null, least: number): number | undefined {
  if (text === null || text === '') return undefined;
  if (/^\d{1,9}$/.test(text) && Number(text) >= least) return Number(text);
  throw new JobError('user', `"${name}" must be a whole number from ${least}.`);
}

interface Asked {
  batch: number | undefined;
  attempt: number | undefined;
  over: boolean;
  /** Undefined until the job knows. */
  batches: number | undefined;
}

/** Says that the job has no such batch or attempt and never will; undefined when it has, or may have one day. */
async function whatIsMissing(
  storage: Storage,
  id: string,
  { batch, attempt, over, batches }: Asked,
): Promise<string | undefined> {
  if (batch === undefined) return undefined;
  if (batches !== undefined && batch >= batches)
    return `Job "${id}" has no batch ${batch}: it has ${counted(batches, 'batch')}, counted from 0.`;
  if (!over) return undefined;
  const last = await lastAttempt(storage, id, batch);
  if (last === 0) return `Job "${id}" has ended before it ran a container for batch ${batch}.`;
  if (attempt !== undefined && attempt > last)
    return `Job "${id}" has no attempt ${attempt} of batch ${batch}: it had ${counted(last, 'attempt')}.`;
  return undefined;
}
