import { listBlobs, type Storage } from '../storage/storage.js';
import { JOB_PREFIX, jobOf, WORK_PREFIX, workOf } from './layout.js';
import { type EntryKey, findEntry, removeEntry } from './list/job-list.js';
import { removeOwner } from './callers/owners.js';
import { type Manifest, readManifest } from './manifest.js';
import { withdrawFromReuse } from './reuse/offer.js';

/** For how many days what a job leaves behind is kept after its end; 0: for ever. */
export interface Retention {
  /** Frames and scored items of jobs that failed, were cancelled or were refused. */
  framesDays: number;
  /** Everything else that a job keeps for itself: its manifest, logs and contact sheet. */
  recordsDays: number;
}

const DAY_MS = 86_400_000;

/** A job that has left something in storage. */
export interface KnownJob {
  jobId: string;
  outcome: Manifest['outcome'] | 'unfinished';
  /** When it ended, or, without a manifest, when it last wrote anything; in milliseconds since the epoch. */
  since: number;
  /** Whether its frames were asked for: then they and its records are the user's. */
  asked: boolean;
}

/**
 * Jobs that have records.
 * @param isWanted leaves some out, by when they began, in milliseconds since the epoch.
 */
export async function* listJobs(
  storage: Storage,
  isWanted: (jobId: string, began: number) => boolean = () => true,
): AsyncGenerator<KnownJob> {
  for await (const { name, properties } of storage.internal.listContainers({ prefix: JOB_PREFIX })) {
    const jobId = name.slice(JOB_PREFIX.length);
    if (!isWanted(jobId, properties.lastModified.getTime())) continue;
    const manifest = await readManifest(storage, jobId);
    if (manifest)
      yield {
        jobId,
        outcome: manifest.outcome,
        since: Date.parse(manifest.finishedAt),
        asked: manifest.outcome === 'done' && (manifest.resolved ?? manifest).spec?.output.keepFrames === true,
      };
    else {
      const since = await lastChange(storage, jobId, properties.lastModified.getTime());
      yield { jobId, outcome: 'unfinished', since, asked: false };
    }
  }
}

async function lastChange(storage: Storage, jobId: string, created: number): Promise<number> {
  let latest = created;
  for await (const { properties } of listBlobs(jobOf(storage, jobId), { prefix: '' }))
    latest = Math.max(latest, properties.lastModified.getTime());
  return latest;
}

/**
 * Jobs that are listed and have no records: they have not begun, or were ended before they did, or somebody has removed their records by hand.
 * @param notAfter leaves out those that were accepted later, in milliseconds since the epoch.
 */
export async function* listWithoutRecords(
  storage: Storage,
  entries: Map<string, EntryKey[]>,
  notAfter = Infinity,
): AsyncGenerator<KnownJob> {
  for (const [jobId, [key]] of entries) {
    if (!key || key.acceptedAt > notAfter || (await jobOf(storage, jobId).exists())) continue;
    const entry = await findEntry(storage, key);
    // Meanwhile somebody has removed it.
    if (!entry) continue;
    const { end } = entry;
    const since = end === undefined ? key.acceptedAt : Date.parse(end.endedAt);
    yield { jobId, outcome: end?.state ?? 'unfinished', since, asked: false };
  }
}

/** The jobs that have frames, or scored ones, in storage. */
export async function findFramed(storage: Storage): Promise<Set<string>> {
  const found = new Set<string>();
  for await (const { name } of storage.media.listContainers({ prefix: WORK_PREFIX }))
    found.add(name.slice(WORK_PREFIX.length));
  return found;
}

const isOlder = (since: number, days: number, now: number) => days > 0 && now - since > days * DAY_MS;

/** Whether anything of a job may be due to go. @param began in milliseconds since the epoch. */
export const mayBeDue = (
  { began, hasFrames }: { began: number; hasFrames: boolean },
  { framesDays, recordsDays }: Retention,
  now: number,
): boolean => isOlder(began, recordsDays, now) || (hasFrames && isOlder(began, framesDays, now));

/** What of a job that is over is due to go. */
export function dueOf({ since, asked }: KnownJob, { framesDays, recordsDays }: Retention, now: number) {
  const records = !asked && isOlder(since, recordsDays, now);
  return { frames: records || (!asked && isOlder(since, framesDays, now)), records };
}

/**
 * Removes the frames of a job and, if asked to, its records. What it has delivered stays.
 * @param listed where the job is in the list of jobs.
 */
export async function removeJob(
  storage: Storage,
  jobId: string,
  { records, listed = [] }: { records: boolean; listed?: EntryKey[] | undefined },
): Promise<void> {
  if (records) await withdrawFromReuse(storage, jobId);
  await workOf(storage, jobId).deleteIfExists();
  if (!records) return;
  await removeOwner(storage, jobId);
  for (const entry of listed) await removeEntry(storage, entry);
  // Last: without its records nobody would find what else is left.
  await jobOf(storage, jobId).deleteIfExists();
}

/** Bytes of a job's frames and records. */
export async function bytesOfJob(storage: Storage, jobId: string): Promise<number> {
  let bytes = 0;
  for (const container of [workOf(storage, jobId), jobOf(storage, jobId)])
    for await (const { properties } of listBlobs(container, { prefix: '' })) bytes += properties.contentLength ?? 0;
  return bytes;
}
