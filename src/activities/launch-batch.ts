import type { ScoreTask, TaskItem } from '../job/task.js';
import { containerName, logBlob, modelBlob, progressBlob, resultBlob, STOP, taskBlob } from '../storage/layout.js';
import {
  blobSas,
  containerSas,
  jobOf,
  mediaBlob,
  modelsOf,
  type Storage,
  workOf,
  writeJson,
} from '../storage/storage.js';
import { readBatchState } from './batch-state.js';
import type { AttemptInput, LaunchResult } from './inputs.js';
import { imagesOf, readItems } from './job-items.js';
import type { Ports } from './ports.js';
import { readResolvedJob, type ResolvedJob } from './resolved-job.js';

/** Starts one container for the items of the batch that have no output yet. A second delivery starts nothing. */
export function createLaunchBatch({ storage, compute }: Pick<Ports, 'storage' | 'compute'>) {
  return async (input: AttemptInput): Promise<LaunchResult> => {
    const { jobId, batch, attempt } = input;
    if (await jobOf(storage, jobId).getBlobClient(STOP).exists()) return { remaining: input.count, stopped: true };
    const job = await readResolvedJob(storage, jobId);
    const state = await readBatchState(storage, job, input.first, input.count, batch, attempt - 1);
    if (state.missing.length === 0) return { remaining: 0, stopped: false };
    const items = await readItems(storage, job, input.first, input.count);
    const missing = state.missing.flatMap((index) => items[index - input.first] ?? []);
    await writeJson(jobOf(storage, jobId), taskBlob(batch, attempt), makeTask(job, input, missing));
    await compute[job.spec.compute.kind].launch({
      name: containerName(jobId, batch, attempt),
      jobId,
      batch,
      attempt,
      deadline: Date.now() + accessSeconds(job) * 1000,
      parallel: job.parallel,
      environment: await scorerEnvironment(storage, job, taskBlob(batch, attempt)),
    });
    return { remaining: state.missing.length, stopped: false };
  };
}

function makeTask(job: ResolvedJob, { batch, attempt }: AttemptInput, items: TaskItem[]): ScoreTask {
  return {
    jobId: job.jobId,
    batch,
    attempt,
    items,
    card: job.card,
    progressBlob: progressBlob(batch, attempt),
    resultBlob: resultBlob(batch, attempt),
    logBlob: logBlob(batch, attempt),
  };
}

/** Time a container may need to be given its place and to end, on top of the batch's own limit. */
const SAS_MARGIN_SECONDS = 3600;

/** How long a container can reach its blobs; afterwards it is of no use to anyone. */
const accessSeconds = ({ spec: { timeouts } }: ResolvedJob) => timeouts.batchSeconds + SAS_MARGIN_SECONDS;

async function scorerEnvironment(storage: Storage, job: ResolvedJob, task: string): Promise<Record<string, string>> {
  const { model, style } = job.spec;
  const seconds = accessSeconds(job);
  const [jobUrl, workUrl, modelUrl, styleUrl, inputUrl] = await Promise.all([
    containerSas(jobOf(storage, job.jobId), 'rcwl', seconds),
    containerSas(workOf(storage, job.jobId), 'rcwl', seconds),
    blobSas(modelsOf(storage).getBlobClient(modelBlob(model)), 'r', seconds),
    style === undefined ? undefined : blobSas(mediaBlob(storage, style), 'r', seconds),
    'images' in job ? containerSas(imagesOf(storage, job).container, 'r', seconds) : undefined,
  ]);
  const environment = { TASK_BLOB: task, JOB_CONTAINER_URL: jobUrl, WORK_CONTAINER_URL: workUrl, MODEL_URL: modelUrl };
  return {
    ...environment,
    ...(styleUrl !== undefined && { STYLE_URL: styleUrl }),
    ...(inputUrl !== undefined && { INPUT_CONTAINER_URL: inputUrl }),
  };
}
