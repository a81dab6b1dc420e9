import type { Observation } from '../compute/provider.js';
import { type AttemptPhases, sumsOf } from '../job/phases.js';
import type { SettledCounts } from '../job/progress.js';
import type { AttemptResult } from '../container-contract/task.js';
import { tooManyFailed } from '../job/tolerance.js';
import { containerName, jobOf, logBlob, settledBlob, STOP } from '../job-store/layout.js';
import { readJson, type Storage, writeJson } from '../storage/storage.js';
import { readPhases } from '../job-store/attempt-phases.js';
import { type BatchState, readBatchState } from '../job-store/batch-state.js';
import type { SettleInput, SettleResult } from './inputs.js';
import type { Ports } from './ports.js';
import { readResolvedJob } from '../job-store/resolved-job.js';
import { noteWaiting, orTell } from '../job-store/waiting.js';

/** The settled blob: the counts for the status, and what was seen of the container before it was removed. */
export interface Settled extends SettledCounts {
  message: string;
  observation: Observation;
  /** Of all attempts in which a container ran. */
  phases: AttemptPhases[];
}

/** After a container ended: compares outputs with items, keeps its log, removes it. A second delivery says the same. */
export function createSettleBatch({ storage, compute }: Pick<Ports, 'storage' | 'compute'>) {
  const settle = async (input: SettleInput): Promise<SettleResult> => {
    const { jobId, batch, attempt, first, count } = input;
    const job = await readResolvedJob(storage, jobId);
    const provider = compute[job.spec.compute.kind];
    const name = containerName(jobId, batch, attempt);
    const earlier = await readJson<Settled>(jobOf(storage, jobId), settledBlob(batch));
    const observation = earlier?.attempt === attempt ? earlier.observation : await provider.observe(name);
    await keepLog(storage, input, () => provider.logs(name));
    await writeSettled(storage, input, {
      done: 0,
      failed: 0,
      phases: [],
      ...earlier,
      message: '',
      batch,
      attempt,
      state: 'retrying',
      observation,
    });
    await provider.remove(name);
    const state = await readBatchState(storage, job, first, count, batch, attempt);
    const own = state.results.find((each) => each.attempt === attempt);
    const phases = await readPhases(storage, input, observation, own);
    const before = earlier?.phases.filter((each) => each.attempt !== attempt) ?? [];
    const stop = await readJson<Stop>(jobOf(storage, jobId), STOP);
    const result = judge(input, state, observation, stop);
    const { done, missing, message } = result;
    const givenUp = result.failure === 'user' || (result.failure === 'charged' && input.attemptsLeft === 0);
    const failed = result.failed + (givenUp ? missing : 0);
    await writeSettled(storage, input, {
      batch,
      attempt,
      done,
      failed,
      state: stateOf(result, givenUp),
      message,
      observation,
      phases: phases ? [...before, phases] : before,
    });
    if (stateOf(result, givenUp) === 'retrying') await noteWaiting(storage, input, message);
    const doom = doomOf(result, failed, job.spec.tolerate.failedItems);
    if (doom !== undefined && !stop)
      await writeJson(jobOf(storage, jobId), STOP, { reason: 'failed', message: doom } satisfies Stop);
    return result;
  };
  return (input: SettleInput) => orTell(storage, input, () => settle(input));
}

/** Why the job cannot end well after this, if so. */
function doomOf({ failure, message }: SettleResult, failed: number, tolerated: number): string | undefined {
  if (failure === 'user') return message;
  return failed > tolerated ? tooManyFailed(failed, tolerated, message) : undefined;
}

/** Why nothing more is launched for a job. */
export interface Stop {
  reason: 'cancelled' | 'failed';
  message: string;
}

/** The scorer uploads its own log before it ends; one that was killed leaves only what the platform kept. */
async function keepLog(
  storage: Storage,
  { jobId, batch, attempt }: SettleInput,
  read: () => Promise<string>,
): Promise<void> {
  const blob = jobOf(storage, jobId).getBlockBlobClient(logBlob(batch, attempt));
  if (await blob.exists()) return;
  const log = await read();
  await blob.upload(log, Buffer.byteLength(log), { blobHTTPHeaders: { blobContentType: 'text/plain; charset=utf-8' } });
}

export async function writeSettled(
  storage: Storage,
  { jobId, batch }: { jobId: string; batch: number },
  settled: Settled,
): Promise<void> {
  const { attempt, done, failed, state } = settled;
  const phases = JSON.stringify(sumsOf(settled.phases));
  const metadata = { attempt: String(attempt), done: String(done), failed: String(failed), state, phases };
  await writeJson(jobOf(storage, jobId), settledBlob(batch), settled, metadata);
}

function stateOf({ missing, failure }: SettleResult, givenUp: boolean): SettledCounts['state'] {
  if (missing === 0) return 'done';
  if (givenUp) return 'failed';
  return failure === 'stopped' || failure === 'cancelled' ? 'stopped' : 'retrying';
}

function judge(input: SettleInput, state: BatchState, observation: Observation, stop: Stop | undefined): SettleResult {
  const counts = { done: state.done.length, failed: state.failed.length, missing: state.missing.length };
  const item = state.failed[0];
  if (counts.missing === 0) return { ...counts, failure: 'none', message: item ? `${item.name}: ${item.reason}` : '' };
  const own = state.results.find((result) => result.attempt === input.attempt);
  if (input.verdict === 'stopped')
    return {
      ...counts,
      failure: stop?.reason === 'cancelled' ? 'cancelled' : 'stopped',
      message: stop?.message ?? 'the job was stopped',
    };
  if (own?.failure) return { ...counts, failure: own.failure.kind, message: own.failure.message };
  if (input.verdict === 'provision-timeout')
    return { ...counts, failure: 'platform', message: 'the container showed no sign of life in time' };
  if (observation.blame === 'user')
    return { ...counts, failure: 'user', message: observation.reason ?? 'the container cannot run' };
  if (observation.blame === 'platform' || own?.outcome === 'interrupted') {
    return {
      ...counts,
      failure: 'platform',
      message: observation.reason ?? 'the container was interrupted by its platform',
    };
  }
  if (input.verdict === 'unseen' && !own && (observation.state === 'running' || observation.state === 'provisioning'))
    return { ...counts, failure: 'platform', message: 'the container could not be looked at for too long' };
  return { ...counts, failure: 'charged', message: endedBecause(input.verdict, observation, own) };
}

function endedBecause(
  verdict: SettleInput['verdict'],
  observation: Observation,
  own: AttemptResult | undefined,
): string {
  if (verdict === 'stalled') return 'the scorer handled no item for longer than timeouts.stallSeconds';
  if (verdict === 'batch-timeout') return 'the batch took longer than timeouts.batchSeconds';
  if (own) return 'the scorer ended without scoring every item';
  return observation.reason ?? 'the scorer ended without a result';
}
