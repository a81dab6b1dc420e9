import type { Observation } from '../compute/provider.js';
import { type AttemptPhases, describePhases } from '../job/phases.js';
import type { AttemptProgress, AttemptResult } from '../container-contract/task.js';
import { jobOf, progressBlob } from './layout.js';
import { readJson, type Storage } from '../storage/storage.js';
import type { SettleInput } from '../activities/inputs.js';

/**
 * Puts together what the platform saw of an attempt and what its scorer says of itself, in its result, or in its progress
 * when it was killed.
 * @returns undefined when nobody saw anything: no container ran.
 */
export async function readPhases(
  storage: Storage,
  { jobId, batch, attempt, launchedAt }: SettleInput,
  observation: Observation,
  result: AttemptResult | undefined,
): Promise<AttemptPhases | undefined> {
  const own = result ?? (await readJson<AttemptProgress>(jobOf(storage, jobId), progressBlob(batch, attempt)));
  const ended = { ...observation.times, ...(own ? { started: own.startedAt, ...own.times } : {}) };
  if (Object.keys(ended).length === 0) return undefined;
  return describePhases(attempt, new Date(launchedAt).toISOString(), ended);
}
