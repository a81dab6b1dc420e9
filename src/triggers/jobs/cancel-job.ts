import { messageOf } from '../../job/failure.js';
import { cancelJob } from '../../job-store/stop.js';
import type { Ports } from '../../activities/ports.js';
import * as df from 'durable-functions';
import { tellCancelled, wakeJob } from '../job-watch.js';
import { answerErrors, refuse } from '../http.js';
import { findJob, isOver, noJob } from '../jobs.js';

/** `DELETE /api/jobs/{id}`: asks the job to stop; its containers are removed and it ends as cancelled. Answers 202. */
export const createCancelJob = ({ storage, telemetry }: Pick<Ports, 'storage' | 'telemetry'>) =>
  answerErrors(async (request, context) => {
    const id = request.params.id ?? '';
    const job = await findJob(context, id);
    if (!job) return refuse(404, noJob(id));
    const ended = () => refuse(410, `Job "${id}" has ended already.`);
    if (isOver(job)) return ended();
    const cancelled = { by: 'request', at: new Date().toISOString() } as const;
    if (!(await cancelJob(storage, id, 'The job was cancelled.', cancelled))) return ended();
    const client = df.getClient(context);
    await tellCancelled({ storage, telemetry }, client, id, 'request', context.traceContext?.traceParent);
    // The watch over the job wakes it, too, until it has ended.
    await wakeJob(storage, client, job).catch((error: unknown) => context.warn(messageOf(error)));
    return { status: 202 };
  });
