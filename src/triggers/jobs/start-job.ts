import * as df from 'durable-functions';
import { checkSpecSize, inputOf, makeJobId, parseSpec } from '../../job/spec.js';
import { requireInputs } from '../../job-store/inputs.js';
import type { Ports } from '../../activities/ports.js';
import { answerErrors } from '../http.js';
import { findJob, idOfRequest, randomId } from '../jobs.js';
import { type Launcher, noRoom } from '../launch.js';

/**
 * `POST /api/jobs`: checks what can be checked at once, starts the job and answers 202 with the URLs that manage it, or 429 while too much
 * runs. The same request with the same `Idempotency-Key` starts no second job.
 */
export const createStartJob = ({
  storage,
  bundledModels,
  launcher,
}: Pick<Ports, 'storage' | 'bundledModels'> & { launcher: Launcher }) =>
  answerErrors(async (request, context) => {
    checkSpecSize(Number(request.headers.get('content-length') ?? 0));
    const body = await request.text();
    const spec = parseSpec(body);
    const key = request.headers.get('idempotency-key');
    const id = key === null ? randomId() : idOfRequest(key, body);
    const jobId = makeJobId(inputOf(spec), id);
    const accepted = () => {
      const standard = df.getClient(context).createHttpManagementPayload(jobId);
      const jobUrl = new URL(`${new URL(request.url).pathname.replace(/\/$/, '')}/${jobId}`, request.url).toString();
      return {
        status: 202,
        headers: { Location: standard.statusQueryGetUri, 'Retry-After': '10' },
        jsonBody: Object.assign({ jobUrl }, standard),
      };
    };
    if (key !== null && (await findJob(context, jobId)) !== undefined) return accepted();
    const bytes = await requireInputs(storage, bundledModels, spec);
    const job = { jobId, spec, items: 0, bytes };
    const full = await launcher.reserve(context, job);
    if (full !== undefined) throw noRoom(full);
    await launcher.launch(context, job);
    return accepted();
  });
