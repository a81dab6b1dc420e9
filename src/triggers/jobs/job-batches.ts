import { nameOfChoice } from '../../job/compute-choice.js';
import { publishedIn } from '../../job/progress.js';
import { listLaunched } from '../../job-store/batches/batch-state.js';
import { readNow } from '../../job-store/now.js';
import { computeOf, readResolvedJob } from '../../job-store/resolved-job.js';
import type { Storage } from '../../storage/storage.js';
import { answerErrors, answerVersion } from '../http.js';
import type { WaitingHere } from '../job-watch.js';
import { findKept } from '../jobs.js';
import { batchRows, readSince } from './batch-rows.js';
import { stateOf } from './job-status.js';

/**
 * `GET /api/jobs/{id}/batches?since=`: the batches of the latest run and their attempts, from a listing of what the job's status tells and,
 * while it runs, one of the containers that were asked for.
 */
export const createListBatches = ({
  storage,
  waitingHere,
}: {
  storage: Storage;
  waitingHere: (jobId: string) => WaitingHere[];
}) =>
  answerErrors(async (request, context) => {
    const { id = '' } = request.params;
    const since = readSince(request.query.get('since'));
    const status = await findKept(storage, context, id);
    if (!('runtimeStatus' in status)) return status;
    const published = publishedIn(status.customStatus);
    const state = stateOf(status, published);
    const ended = state === 'queued' || state === 'running' ? undefined : state;
    const [now, launched, job] = await Promise.all([
      readNow(storage, id),
      ended ? [] : listLaunched(storage, id),
      !ended && published?.plan ? readResolvedJob(storage, id, published.run ?? 1) : undefined,
    ]);
    const placeOf = (compute: number | undefined) => (job === undefined ? '' : nameOfChoice(computeOf(job, compute)));
    const facts = { published, now, launched, here: waitingHere(id), placeOf, ended };
    const rows = batchRows(facts, since);
    return answerVersion(request, { ...rows, at: new Date().toISOString() }, rows);
  });
