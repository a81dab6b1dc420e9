import type { InvocationContext } from '@azure/functions';
import * as df from 'durable-functions';
import { type PublishedStatus, publishedIn } from '../../job/progress.js';
import type { PriceTable } from '../../job/estimate/prices.js';
import type { JobSpec } from '../../job/spec.js';
import { readResolvedJob } from '../../job-store/resolved-job.js';
import type { Storage } from '../../storage/storage.js';
import { answerErrors, answerVersion } from '../http.js';
import type { WaitingHere } from '../job-watch.js';
import { readJobStatus, withoutClock } from './job-status.js';
import { findKept, inputOfJob } from '../jobs.js';

/** `GET /api/jobs/{id}`: live progress, from the orchestration's status and the reports of its containers. */
export const createGetJob = ({
  storage,
  prices,
  waitingHere,
}: {
  storage: Storage;
  prices: PriceTable;
  waitingHere: (jobId: string) => WaitingHere[];
}) =>
  answerErrors(async (request, context) => {
    const id = request.params.id ?? '';
    const status = await findKept(storage, context, id);
    if (!('runtimeStatus' in status)) return status;
    const published = publishedIn(status.customStatus);
    const spec = (await findSpec(storage, context, id, published)) ?? null;
    const body = await readJobStatus(storage, id, status, published, {
      now: Date.now(),
      here: waitingHere(id),
      spec,
      prices,
    });
    return answerVersion(request, body, withoutClock(body));
  });

/** As the job was resolved; before that, and when that record is gone, as it was asked for. */
async function findSpec(
  storage: Storage,
  context: InvocationContext,
  id: string,
  published: PublishedStatus | undefined,
): Promise<JobSpec | undefined> {
  const resolved = published?.plan && (await readResolvedJob(storage, id, published.run ?? 1).catch(() => undefined));
  return resolved ? resolved.spec : (await inputOfJob(df.getClient(context), id).catch(() => undefined))?.spec;
}
