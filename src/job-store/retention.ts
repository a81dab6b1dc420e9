import { listBlobs, type Storage } from '../storage/storage.js';
import { JOB_PREFIX, jobOf, workOf } from './layout.js';
import { type EntryKey, removeEntry } from './list/job-list.js';
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
 * All jobs that have records.
 * @param notAfter leaves out those that began later, in milliseconds since the epoch.
 */
export async function* listJobs(storage: Storage, notAfter = Infinity): AsyncGenerator<KnownJob> {
  for await (const { name, properties } of storage.internal.listContainers({ prefix: JOB_PREFIX })) {
    if (properties.lastModified.getTime() > notAfter) continue;
    const jobId = name.slice(JOB_PREFIX.length);
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

/** The oldest moment at which a job may have begun that is of interest now. */
export const oldest = ({ framesDays, recordsDays }: Retention, now: number): number =>
  now - Math.min(...[framesDays, recordsDays].map((each) => (each === 0 ? Infinity : each))) * DAY_MS;

/** What of a job that is over is due to go. */
export function dueOf({ since, asked }: KnownJob, { framesDays, recordsDays }: Retention, now: number) {
  const older = (than: number) => !asked && than > 0 && now - since > than * DAY_MS;
  return { frames: older(framesDays) || older(recordsDays), records: older(recordsDays) };
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
