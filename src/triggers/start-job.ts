import type { HttpHandler } from '@azure/functions';
import * as df from 'durable-functions';
import { isBundled } from '../activities/prepare-job.js';
import { JobError } from '../job/failure.js';
import { makeJobId } from '../job/id.js';
import { checkSpecSize, type JobSpec, parseSpec } from '../job/spec.js';
import type { JobInput } from '../orchestrators/inputs.js';
import { mediaBlob, modelBlob, modelsOf, splitPath } from '../job-store/layout.js';
import { isNotFound, type Storage } from '../storage/storage.js';
import { answerError } from './answers.js';
import { randomId } from './random-id.js';

/** `POST /api/jobs`: checks what can be checked at once, starts the job and answers 202 with the URLs that manage it. */
export function createStartJob(ports: { storage: Storage; bundledModels: string }): HttpHandler {
  return async (request, context) => {
    try {
      checkSpecSize(Number(request.headers.get('content-length') ?? 0));
      const spec = parseSpec(await request.text());
      await checkReferences(ports, spec);
      const input: JobInput = { jobId: makeJobId(spec.input.video ?? spec.input.images ?? '', randomId()), spec };
      const client = df.getClient(context);
      await client.startNew('scoreJob', { instanceId: input.jobId, input });
      const standard = client.createHttpManagementPayload(input.jobId);
      const jobUrl = new URL(
        `${new URL(request.url).pathname.replace(/\/$/, '')}/${input.jobId}`,
        request.url,
      ).toString();
      return {
        status: 202,
        headers: { Location: standard.statusQueryGetUri, 'Retry-After': '10' },
        jsonBody: Object.assign({ jobUrl }, standard),
      };
    } catch (error) {
      return answerError(error, (message) => context.error(message));
    }
  };
}

async function checkReferences(
  { storage, bundledModels }: { storage: Storage; bundledModels: string },
  spec: JobSpec,
): Promise<void> {
  const { video: name, images } = spec.input;
  const [video, folder, style, model] = await Promise.all([
    name === undefined || mediaBlob(storage, name).exists(),
    images === undefined || hasBlobs(storage, images),
    spec.style === undefined || mediaBlob(storage, spec.style).exists(),
    modelsOf(storage).getBlobClient(modelBlob(spec.model)).exists(),
  ]);
  if (!video) throw new JobError('user', `There is no video ${name} in the media storage account; upload it first.`);
  if (!folder)
    throw new JobError(
      'user',
      `There is nothing below ${images} in the media storage account; upload the images first.`,
    );
  if (!style)
    throw new JobError(
      'user',
      `There is no style picture ${spec.style} in the media storage account; upload it first.`,
    );
  if (!model && !(await isBundled(bundledModels, spec.model))) {
    throw new JobError(
      'user',
      `There is no model "${spec.model}"; upload its .onnx file first, or use "starry-night", which comes with the app.`,
    );
  }
}

/** Whether there is any blob whose path starts so. */
async function hasBlobs(storage: Storage, path: string): Promise<boolean> {
  const { container, blob: prefix } = splitPath(path);
  try {
    const pages = storage.media.getContainerClient(container).listBlobsFlat({ prefix }).byPage({ maxPageSize: 1 });
    for await (const { segment } of pages) if (segment.blobItems.length > 0) return true;
    return false;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
