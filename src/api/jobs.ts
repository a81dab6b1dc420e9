import type { Cancelled } from '../job/attempts/attempt-end.js';
import type { AttemptRow } from '../job/attempts/attempt-row.js';
import type { ContainerTime } from '../job/attempts/bottleneck.js';
import type { PhaseSummary } from '../job/attempts/phases.js';
import type { Span } from '../job/estimate/estimate.js';
import type { BatchCounts, ItemCounts, Stage } from '../job/progress.js';
import type { JobSpec } from '../job/spec.js';

/** Answer of `GET /api/jobs/{id}`. */
export interface JobStatus {
  id: string;
  /** Of the job, from 1; what follows is about this run. */
  run: number;
  state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled';
  stage: Stage | null;
  /** Items handled by the current stage while a video is split or stitched, or images are listed or collected; else scored ones. */
  items: ItemCounts;
  batches: BatchCounts;
  /** Container runs that were settled. */
  attempts: number;
  /** How often batches were run again; a container that helped another one is no retry. */
  retries: number;
  /** How many of them ran where, e.g. `{ "aci in westeurope": 12 }`. */
  ranOn: Record<string, number>;
  /** Which batches wait, for their next container or for a look at the one they have, and why: at most three reasons. */
  waiting: string[];
  /** Items of the current stage per second; of an ended job the scored ones. Null until something is done. */
  itemsPerSecond: number | null;
  /** @deprecated The same number under its old name, for one release. */
  framesPerSecond: number | null;
  secondsLeft: number | null;
  /** Where the time of the settled container runs went, from launch to stored; null before there are any. */
  containerTime: ContainerTime | null;
  /** Seconds that the phases of the settled container runs took. */
  phases: PhaseSummary;
  /** Seconds per stage; the current stage up to now. */
  stages: Partial<Record<Stage, number>>;
  warnings: string[];
  /** Why the job failed or was cancelled; `kind` tells whose failure it is. */
  error: { kind: 'user' | 'platform'; message: string } | null;
  /** What its containers have cost so far, and are likely to cost in all, in USD; null where no price is known, 0 on the app's own machine. */
  cost: { soFar: number; inAll: Span | null } | null;
  /** Where the job is slowest, and what would help, in one or two sentences; null while nothing tells. */
  bottleneck: string | null;
  /** Who has cancelled the job, and when; null for any other. */
  cancelled: Cancelled | null;
  /** Path of the finished video in the media storage account, or the prefix of all outputs of an image folder or of a video's predictions. */
  output: string | null;
  /** The prefix of `predictions.jsonl` and `predictions.csv`, once a job that makes them is done. */
  predictions: string | null;
  /** ISO 8601. */
  createdAt: string;
  /** What the job was told to do, with what was filled in; null where nobody knows any more. */
  spec: JobSpec | null;
  /** When one of the containers that run has last said how far it is, ISO 8601; null while none does. */
  reportedAt: string | null;
}

/** Answer of `GET /api/jobs?state=&from=&limit=`: jobs that the caller may see, the newest first. */
export interface JobList {
  /** At most `limit`. They may be fewer, even none, although there are older ones: then `next` is not null. */
  jobs: ListedJob[];
  /** What to pass as `from` to get older ones; null at the end. */
  next: string | null;
}

/** A line of the list. What is not known any more, as its records were removed, is null. */
export interface ListedJob extends Pick<
  JobStatus,
  'id' | 'run' | 'state' | 'stage' | 'items' | 'itemsPerSecond' | 'secondsLeft' | 'output' | 'cost'
> {
  /** When its first run was accepted, ISO 8601: its place in the list. */
  createdAt: string;
  /** What it does now, how it ended, or why it failed, in words. */
  now: string;
  /** Path of the video or of the folder of images, or the URL of the video. */
  input: string;
  model: string;
  compute: string;
  /** ISO 8601; null while it goes on. */
  endedAt: string | null;
  /** URL of a small picture of what it has made, readable for an hour; null while there is none. */
  thumbnail: string | null;
}

/** Answer of `GET /api/jobs/{id}/batches`: the batches of the latest run and their attempts. */
export interface BatchList {
  run: number;
  /** When this was true, ISO 8601. */
  at: string;
  /** In the order of their numbers; with `since` those that have changed, and those that run or wait. */
  batches: BatchRow[];
  /** What to pass as `since` to get only what changes from now on. */
  next: string;
}

export interface BatchRow {
  /** From 0. */
  batch: number;
  /** Number of its first item in the job, and how many it has. */
  first: number;
  count: number;
  state: 'pending' | 'running' | 'done' | 'failed';
  done: number;
  failed: number;
  /** What it waits for; null when it does not. */
  waiting: string | null;
  /** Why items are missing; '' when none is. */
  message: string;
  /** Containers that were launched for it. */
  runs: number;
  /** In their order; of very many the last ones. */
  attempts: AttemptRow[];
}

/** Answer of `POST /api/jobs/{id}/redrive`. */
export interface RedriveAnswer {
  id: string;
  /** The run that begins, or the one that has left nothing to do. */
  run: number;
  /** Which run begins and what it keeps, or that there is nothing to do. */
  message: string;
}

/** Answer of `GET /api/jobs/{id}/files`: some of the outputs of an image folder, or of the predictions of a video. */
export interface FileList {
  /** `name` is below the output prefix; `url` is readable for an hour. */
  files: { name: string; bytes: number; url: string }[];
  /** What to pass as `from` to get the next ones; null at the end. */
  next: string | null;
}

/** Answer of `GET /api/jobs/{id}/files/{file}` where the request accepts JSON. */
export interface FileAnswer {
  /** Readable for an hour. */
  url: string;
  bytes: number;
  /** Media type, as it is stored. */
  type: string;
}

/** Answer of `GET /api/jobs/{id}/pictures`. */
export interface PictureList {
  pictures: Picture[];
}

/** What was made of an item, and what it was made of. */
export interface Picture {
  /** Number of the item, from 0. */
  item: number;
  /** Of the image, below its folder; of a frame, its number. */
  name: string;
  /** Null where a folder's image has no output, or none that is a file of its own. */
  scored: StoredPicture | null;
  /** Null when it is gone. */
  source: StoredPicture | null;
}

export interface StoredPicture {
  /** Readable for an hour. */
  url: string;
  /** Its name in the ZIP file without compression that is at the URL; null where the file itself is it. */
  member: string | null;
  /** Ending of its name without the dot, as in `ppm`, `png` and `jpg`; of a model that gives no pictures `json` or `npy`. */
  format: string;
  /** Of the file at the URL. */
  bytes: number;
}

/** Answer of `GET /api/jobs/{id}/frames`: some of the frames of a video's job, as they are stored so far. */
export interface FrameList {
  parts: FramePart[];
  /** What to pass as `from` to get the next ones; null at the end. */
  next: string | null;
}

/** A frame, or consecutive ones in a ZIP file without compression, in which they are named by their numbers: `0000042.ppm`. */
export interface FramePart {
  /** Ends in what it is; the same for every answer. */
  name: string;
  /** Frames from 0, both ends included. The last pack of a video's own frames may end sooner. */
  first: number;
  last: number;
  /** Those among them that failed. */
  absent: number[];
  bytes: number;
  /** Readable for an hour. */
  url: string;
}
