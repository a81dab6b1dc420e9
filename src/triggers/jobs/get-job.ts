import { publishedIn } from '../../job/progress.js';
import type { Storage } from '../../storage/storage.js';
import { answerErrors, refuse } from '../http.js';
import type { WaitingHere } from '../job-watch.js';
import { readJobStatus } from './job-status.js';
import { findKept } from '../jobs.js';

/** `GET /api/jobs/{id}`: live progress, from the orchestration's status and the reports of its containers. */
export const createGetJob = ({
  storage,
  waitingHere,
}: {
  storage: Storage;
  waitingHere: (jobId: string) => WaitingHere[];
}) =>
  answerErrors(async (request, context) => {
    const id = request.params.id ?? '';
    const status = await findKept(storage, context, id);
    if (typeof status === 'string') return refuse(404, status);
    const published = publishedIn(status.customStatus);
    return {
      jsonBody: await readJobStatus(storage, id, status, published, { now: Date.now(), here: waitingHere(id) }),
    };
  });
