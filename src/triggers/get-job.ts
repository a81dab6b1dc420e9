import type { PublishedStatus } from '../job/progress.js';
import { jobOf } from '../job-store/layout.js';
import type { Storage } from '../storage/storage.js';
import { answerErrors, refuse } from './http.js';
import type { WaitingHere } from './job-watch.js';
import { readJobStatus } from './job-status.js';
import { findJob, hasEnded } from './jobs.js';

/** Before that, a job without records is one that was ended before it began. */
const DAY_MS = 86_400_000;

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
    const status = await findJob(context, id);
    if (!status) return refuse(404, `There is no job "${id}".`);
    const isOld = hasEnded(status.runtimeStatus) && Date.now() - new Date(status.createdTime).getTime() > DAY_MS;
    if (isOld && !(await jobOf(storage, id).exists()))
      return refuse(404, `The records of job "${id}" have been removed, as it ended long ago.`);
    const published = (status.customStatus ?? undefined) as PublishedStatus | undefined;
    return {
      jsonBody: await readJobStatus(storage, id, status, published, { now: Date.now(), here: waitingHere(id) }),
    };
  });
