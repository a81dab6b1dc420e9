import type { Cancelled } from '../job/attempts/attempt-end.js';
import type { ContainerTime } from '../job/attempts/bottleneck.js';
import type { PhaseSummary } from '../job/attempts/phases.js';
import type { BatchCounts, ItemCounts, Stage } from '../job/progress.js';

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
  /** Who has cancelled the job, and when; null for any other. */
  cancelled: Cancelled | null;
  /** Path of the finished video in the media storage account, or the prefix of all outputs of an image folder or of a video's predictions. */
  output: string | null;
  /** The prefix of `predictions.jsonl` and `predictions.csv`, once a job that makes them is done. */
  predictions: string | null;
  /** ISO 8601. */
  createdAt: string;
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
