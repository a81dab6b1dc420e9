import type { HttpResponseInit, InvocationContext } from '@azure/functions';
import * as df from 'durable-functions';
import { checkSpecSize, inputOf, type JobSpec, makeJobId, parseSpec } from '../../job/spec.js';
import { requireInputs } from '../../job-store/inputs.js';
import type { Ports } from '../../activities/ports.js';
import { JobError } from '../../job/failure.js';
import { whatIsOutside } from '../../job-store/callers/own-places.js';
import type { Caller, Callers } from '../callers.js';
import { refuse } from '../http.js';
import { findJob, idOfRequest, noJob, randomId } from '../jobs.js';
import type { Launcher } from '../launch.js';

/**
 * `POST /api/jobs`: checks what can be checked at once, starts the job and answers 202 with the URLs that manage it, or 429 while too much
 * runs or its caller has had enough for the day. The same request with the same `Idempotency-Key` starts no second job.
 */
export const createStartJob = ({
  storage,
  bundledModels,
  urls,
  launcher,
  callers,
}: Pick<Ports, 'storage' | 'bundledModels' | 'urls'> & { launcher: Launcher; callers: Callers }) =>
  callers.known(async (request, context, caller) => {
    checkSpecSize(Number(request.headers.get('content-length') ?? 0));
    const body = await request.text();
    const spec = parseSpec(body);
    await checkOwn(callers, caller, spec);
    const key = request.headers.get('idempotency-key');
    const own = caller.sees === 'own' ? [caller.id] : [];
    const jobId = makeJobId(inputOf(spec), key === null ? randomId() : idOfRequest(key, body, ...own));
    const accepted = () => {
      const jobUrl = new URL(`${new URL(request.url).pathname.replace(/\/$/, '')}/${jobId}`, request.url).toString();
      return caller.sees === 'own' ? acceptedForOwner(jobId, jobUrl) : acceptedForAll(context, jobId, jobUrl);
    };
    if (key !== null && (await findJob(context, jobId)) !== undefined)
      return (await callers.maySee(caller, jobId)) ? accepted() : refuse(404, noJob(jobId));
    const bytes = await requireInputs({ storage, bundledModels, urls }, spec);
    const job = { jobId, spec, owner: caller.id, items: 0, bytes };
    const place = await launcher.reserve(context, job);
    if (place instanceof JobError) throw place;
    await launcher.launch(context, { ...job, acceptedAt: place.since });
    return accepted();
  });

/** @throws JobError `user` when a caller who sees its own jobs alone names what may be another's. */
export async function checkOwn(callers: Callers, caller: Caller, spec: JobSpec): Promise<void> {
  if (caller.sees === 'all') return;
  const outside = whatIsOutside(caller.id, spec);
  if (outside !== undefined) throw new JobError('user', outside);
  const { list } = spec.input;
  if (typeof list === 'object' && !(await callers.maySee(caller, list.failedItemsOf)))
    throw new JobError('user', noJob(list.failedItemsOf));
}

/** Retry-After: when it is worth while to look at the job for the first time. */
const answer = (location: string, body: object): HttpResponseInit => ({
  status: 202,
  headers: { Location: location, 'Retry-After': '10' },
  jsonBody: body,
});

/** The standard URLs have a key that opens every job. */
const acceptedForOwner = (id: string, jobUrl: string) => answer(jobUrl, { id, jobUrl });

function acceptedForAll(context: InvocationContext, jobId: string, jobUrl: string): HttpResponseInit {
  const standard = df.getClient(context).createHttpManagementPayload(jobId);
  return answer(standard.statusQueryGetUri, Object.assign({ jobUrl }, standard));
}
