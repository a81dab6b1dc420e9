import type { AttemptProgress } from '../container-contract/task.js';
import { overdue, secondsToNextPoll } from '../job/watch.js';
import { containerName, jobOf, progressBlob, STOP } from '../job-store/layout.js';
import { readJson } from '../storage/storage.js';
import type { ObserveInput, ObserveResult } from './inputs.js';
import type { Ports } from './ports.js';
import { readResolvedJob } from '../job-store/resolved-job.js';
import { forgetWaiting, orTell } from '../job-store/waiting.js';

/** Looks once at a container and its progress, and says whether it still runs and when to look again. */
export function createObserveBatch({ storage, compute }: Pick<Ports, 'storage' | 'compute'>) {
  return async (input: ObserveInput): Promise<ObserveResult> => {
    const { jobId, batch, attempt, launchedAt, timeouts } = input;
    const container = jobOf(storage, jobId);
    const job = await readResolvedJob(storage, jobId);
    const provider = compute[job.spec.compute.kind];
    const [observation, progress, stop] = await Promise.all([
      orTell(storage, input, () => provider.observe(containerName(jobId, batch, attempt))),
      readJson<AttemptProgress>(container, progressBlob(batch, attempt)),
      container.getBlobClient(STOP).exists(),
    ]);
    if (input.again === true) await forgetWaiting(storage, input);
    const now = Date.now();
    const pollSeconds = secondsToNextPoll(provider.poll, launchedAt, now, progress);
    if (observation.state !== 'running' && observation.state !== 'provisioning')
      return { verdict: 'ended', pollSeconds };
    if (stop) return { verdict: 'stopped', pollSeconds };
    return { verdict: overdue(timeouts, launchedAt, now, progress) ?? 'running', pollSeconds };
  };
}
