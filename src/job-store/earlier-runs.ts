import pMap from 'p-map';
import { JobError } from '../job/failure.js';
import { changedSince, type MadeOf, notComparable } from '../job/redrive.js';
import type { JobSpec } from '../job/spec.js';
import { listBlobs, readJson, type Storage, writeJson } from '../storage/storage.js';
import {
  COMPARISON,
  CONTACT_SHEET,
  DELIVERED_PREFIX,
  FAILED_ITEMS,
  ITEM_LISTS_PREFIX,
  ITEMS,
  jobOf,
  MANIFEST,
  manifestOfRun,
  NOW_PREFIX,
  OUTPUT_FILES,
  parseBatchBlob,
  SPLIT_CHUNKS,
  STOP,
  tasksPrefix,
  TIMES_PREFIX,
  THUMBNAIL,
  TIMING,
  workOf,
} from './layout.js';
import { readMadeOf } from './made-of.js';
import type { EarlierRun, Manifest } from './manifest.js';
import type { ResolvedJob } from './resolved-job.js';

const REMOVED_AT_ONCE = 16;

/** Keeps the manifest of the run that has ended beside those of earlier ones: the job is not over any more. */
export async function shelveManifest(storage: Storage, jobId: string): Promise<void> {
  const job = jobOf(storage, jobId);
  const manifest = await readJson<Manifest>(job, MANIFEST);
  if (!manifest) return;
  await writeJson(job, manifestOfRun(manifest.run ?? 1), manifest);
  await job.getBlobClient(MANIFEST).deleteIfExists();
}

/** The runs before this one whose manifests are there. */
export async function readEarlierRuns(storage: Storage, jobId: string, run: number): Promise<EarlierRun[]> {
  const runs: EarlierRun[] = [];
  for (let each = 1; each < run; each += 1) {
    const manifest = manifestOfRun(each);
    const found = await readJson<Manifest>(jobOf(storage, jobId), manifest);
    if (!found) continue;
    const { outcome, message, finishedAt, totals } = found;
    runs.push({ run: each, outcome, message, finishedAt, totals, manifest });
  }
  return runs;
}

/** The number that no batch of the job has had so far, as far as its records tell. */
export async function endOfEarlierBatches(storage: Storage, jobId: string): Promise<number> {
  const job = jobOf(storage, jobId);
  const manifest = await readJson<Manifest>(job, MANIFEST);
  let end = Math.max(0, ...(manifest?.batches ?? []).map(({ batch }) => batch + 1));
  for await (const { name } of listBlobs(job, { prefix: tasksPrefix() }))
    end = Math.max(end, (parseBatchBlob(name)?.batch ?? -1) + 1);
  return end;
}

/**
 * Removes what would stand in the way of the next run: what its status tells, and records of what is no longer there.
 * @param keeps whether it goes on with what earlier runs have made; if not, all of that goes.
 */
export async function clearForRun(
  storage: Storage,
  jobId: string,
  { keeps = false }: { keeps: boolean | undefined },
): Promise<void> {
  const [job, work] = [jobOf(storage, jobId), workOf(storage, jobId)];
  const hasWork = await work.exists();
  if (await job.exists()) {
    const gone = [
      NOW_PREFIX,
      DELIVERED_PREFIX,
      ...(keeps && hasWork ? [] : [TIMES_PREFIX]),
      ...(keeps ? [] : [ITEM_LISTS_PREFIX]),
    ];
    for (const prefix of gone) await removeBelow(job, prefix);
    const ends = [COMPARISON, FAILED_ITEMS, OUTPUT_FILES];
    const single = keeps ? ends : [...ends, ITEMS, TIMING, SPLIT_CHUNKS, CONTACT_SHEET, THUMBNAIL];
    for (const blob of single) await job.getBlobClient(blob).deleteIfExists();
  }
  if (hasWork && !keeps) await removeBelow(work, '');
}

async function removeBelow(container: ReturnType<typeof jobOf>, prefix: string): Promise<void> {
  const remove = async ({ name }: { name: string }) => {
    // What is decided over the job's runs holds.
    if (name !== STOP) await container.getBlobClient(name).deleteIfExists();
  };
  await pMap(listBlobs(container, { prefix }), remove, { concurrency: REMOVED_AT_ONCE });
}

/** @throws JobError `user` when what the outputs of earlier runs are made of is not what it was. */
export async function requireSame(storage: Storage, earlier: ResolvedJob, spec: JobSpec): Promise<MadeOf> {
  const { jobId, made, prepared } = earlier;
  if (made === undefined || prepared === undefined)
    throw new JobError(
      'user',
      `Job ${jobId} was started by an earlier version of the app, which did not keep what its outputs are made of; score everything again with {"fromScratch": true}.`,
    );
  const now = await readMadeOf(storage, spec);
  const changed = changedSince(made, now, spec);
  if (changed !== undefined) throw notComparable(jobId, changed);
  return now;
}
