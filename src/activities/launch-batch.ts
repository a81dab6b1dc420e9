import type { ScoreTask, TaskItem } from '../container-contract/task.js';
import {
  containerName,
  jobOf,
  logBlob,
  mediaBlob,
  modelBlob,
  modelsOf,
  progressBlob,
  resultBlob,
  STOP,
  taskBlob,
  workOf,
} from '../job-store/layout.js';
import { orHeld, whileHolding } from '../storage/lease.js';
import { blobSas, containerSas, type Storage, writeJson } from '../storage/storage.js';
import { readBatchState } from '../job-store/batch-state.js';
import type { AttemptInput, LaunchResult } from './inputs.js';
import { imagesOf, readItems } from '../job-store/items.js';
import type { Ports } from './ports.js';
import { readResolvedJob, type ResolvedJob } from '../job-store/resolved-job.js';
import { forgetWaiting, orTell } from '../job-store/waiting.js';

/**
 * Starts one container for the items of the batch that have no output yet. A second delivery starts nothing; one that comes
 * while the first is at it is a failure of the platform, to be tried again. One that died at it is followed within 30 seconds.
 */
export function createLaunchBatch({ storage, compute }: Pick<Ports, 'storage' | 'compute'>) {
  return async (input: AttemptInput): Promise<LaunchResult> => {
    const { jobId, batch, attempt } = input;
    if (await jobOf(storage, jobId).getBlobClient(STOP).exists()) return { remaining: input.count, stopped: true };
    const job = await readResolvedJob(storage, jobId);
    const provider = compute[job.spec.compute.kind];
    // Nothing is there but where settling was given up: no two containers of a batch run at once, and none is left behind.
    const waiter = { jobId, batch, attempt: attempt - 1 };
    if (attempt > 1) await orTell(storage, waiter, () => provider.remove(containerName(jobId, batch, waiter.attempt)));
    const state = await readBatchState(storage, job, input.first, input.count, batch, attempt - 1);
    if (state.missing.length === 0) return { remaining: 0, stopped: false };
    const items = await readItems(storage, job, input.first, input.count);
    const missing = state.missing.flatMap((index) => items[index - input.first] ?? []);
    const task = jobOf(storage, jobId).getBlockBlobClient(taskBlob(batch, attempt));
    const what = `the launch of batch ${batch}, attempt ${attempt}`;
    await orHeld(what, () => writeJson(jobOf(storage, jobId), task.name, makeTask(job, input, missing)));
    const deadline = Date.now() + accessSeconds(job) * 1000;
    const request = {
      name: containerName(jobId, batch, attempt),
      jobId,
      batch,
      attempt,
      deadline,
      parallel: job.parallel,
      gpu: job.gpu,
      environment: await scorerEnvironment(storage, job, task.name, deadline),
    };
    await whileHolding(task, what, (confirm) =>
      orTell(storage, waiter, () => provider.launch({ ...request, confirm })),
    );
    await forgetWaiting(storage, input);
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
    device: job.spec.compute.device,
    progressBlob: progressBlob(batch, attempt),
    resultBlob: resultBlob(batch, attempt),
    logBlob: logBlob(batch, attempt),
  };
}

/** Time a container may need to be given its place and to end, on top of the batch's own limit. */
const SAS_MARGIN_SECONDS = 3600;

/** How long a container can reach its blobs; afterwards it is of no use to anyone. */
const accessSeconds = ({ spec: { timeouts } }: ResolvedJob) => timeouts.batchSeconds + SAS_MARGIN_SECONDS;

/** @param deadline when the container's access to storage ends, in milliseconds since the epoch. */
async function scorerEnvironment(
  storage: Storage,
  job: ResolvedJob,
  task: string,
  deadline: number,
): Promise<Record<string, string>> {
  const { model, style } = job.spec;
  const [jobUrl, workUrl, modelUrl, styleUrl, inputUrl] = await Promise.all([
    containerSas(storage, jobOf(storage, job.jobId), 'rcwl', deadline),
    containerSas(storage, workOf(storage, job.jobId), 'rcwl', deadline),
    blobSas(storage, modelsOf(storage).getBlobClient(modelBlob(model)), 'r', deadline),
    style === undefined ? undefined : blobSas(storage, mediaBlob(storage, style), 'r', deadline),
    'images' in job ? containerSas(storage, imagesOf(storage, job).container, 'r', deadline) : undefined,
  ]);
  const environment = { TASK_BLOB: task, JOB_CONTAINER_URL: jobUrl, WORK_CONTAINER_URL: workUrl, MODEL_URL: modelUrl };
  return {
    ...environment,
    ...(styleUrl !== undefined && { STYLE_URL: styleUrl }),
    ...(inputUrl !== undefined && { INPUT_CONTAINER_URL: inputUrl }),
  };
}
