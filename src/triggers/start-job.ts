import * as df from 'durable-functions';
import { checkSpecSize, makeJobId, parseSpec } from '../job/spec.js';
import { writeTraceParent } from '../job/trace.js';
import { requireInputs } from '../job-store/inputs.js';
import { freePlace, keepPlace } from '../job-store/outputs.js';
import { type JobInput, scoreJob } from '../orchestrators/score-job.js';
import type { Ports } from '../activities/ports.js';
import { placeOf, startId } from '../telemetry/ids.js';
import { answerErrors } from './http.js';
import { askHost, findJob, idOfRequest, randomId } from './jobs.js';

/**
 * `POST /api/jobs`: checks what can be checked at once, starts the job and answers 202 with the URLs that manage it. The same request with
 * the same `Idempotency-Key` starts no second job.
 */
export const createStartJob = ({
  storage,
  bundledModels,
  telemetry,
}: Pick<Ports, 'storage' | 'bundledModels' | 'telemetry'>) =>
  answerErrors(async (request, context) => {
    checkSpecSize(Number(request.headers.get('content-length') ?? 0));
    const body = await request.text();
    const spec = parseSpec(body);
    const key = request.headers.get('idempotency-key');
    const id = key === null ? randomId() : idOfRequest(key, body);
    const jobId = makeJobId(spec.input.video ?? spec.input.images ?? '', id);
    const client = df.getClient(context);
    const accepted = () => {
      const standard = client.createHttpManagementPayload(jobId);
      const jobUrl = new URL(`${new URL(request.url).pathname.replace(/\/$/, '')}/${jobId}`, request.url).toString();
      return {
        status: 202,
        headers: { Location: standard.statusQueryGetUri, 'Retry-After': '10' },
        jsonBody: Object.assign({ jobUrl }, standard),
      };
    };
    if (key !== null && (await findJob(context, jobId)) !== undefined) return accepted();
    await requireInputs(storage, bundledModels, spec);
    const place = placeOf(jobId, undefined, context.traceContext?.traceParent);
    const input: JobInput = { jobId, spec, traceParent: writeTraceParent(place.traceId, startId(jobId)) };
    const { video, images, predictions, overwrite } = spec.output;
    const outputs = [video, images, predictions].filter((output) => output !== undefined);
    const free = async () => {
      for (const output of outputs) await freePlace(storage, { jobId, output });
    };
    const start = async () => {
      try {
        await askHost(() => client.startNew(scoreJob.name, { instanceId: jobId, input }));
      } catch (error) {
        // The host may have started it all the same: its answer was lost.
        if ((await findJob(context, jobId)) !== undefined) return;
        await free();
        throw error;
      }
    };
    const facts = {
      jobId,
      place,
      model: spec.model,
      compute: spec.compute.kind,
      input: spec.input.video === undefined ? 'images' : 'video',
    } as const;
    try {
      for (const output of outputs) await keepPlace(storage, { jobId, output, overwrite });
    } catch (error) {
      await free();
      throw error;
    }
    await telemetry.startJob(facts, start);
    return accepted();
  });
