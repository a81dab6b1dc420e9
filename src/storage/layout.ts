/**
 * The only place that spells a container or blob name.
 *
 * Media account: `inbox`, `styles`, `outbox` (what users bring and take) and one `work-<job>` container per job (frames and
 * scored frames). Internal account: `models`, `limits`, `app-secrets` and one `job-<job>` container per job. A container per job lets a scorer's
 * SAS reach its own job only, and lets one call remove all that the job left.
 */
export const INBOX = 'inbox';
export const STYLES = 'styles';
export const OUTBOX = 'outbox';
export const MODELS = 'models';
/** What all instances of the app count together. */
export const LIMITS = 'limits';
/** What the app keeps for itself, beyond any job. */
export const APP_SECRETS = 'app-secrets';
/** In `APP_SECRETS`: the key with which environments of Container Apps executions are sealed. */
export const SEALING_KEY_BLOB = 'sealing-key';

export type FrameFormat = 'png' | 'jpg';

export const workContainer = (jobId: string) => `work-${jobId}`;
export const jobContainer = (jobId: string) => `job-${jobId}`;

export const modelBlob = (model: string) => `${model}.onnx`;
export const cardBlob = (model: string) => `${model}.json`;
export const labelsBlob = (model: string) => `${model}.labels.txt`;

/** Creates of container groups, by subscription and region. */
export const createLedgerBlob = (name: string) => `creates/${name}.json`;

const FRAME_DIGITS = 7;

/** Name of the item for frame `index` (from 0); sorts as the frames follow each other. */
export const itemName = (index: number) => String(index).padStart(FRAME_DIGITS, '0');
export const frameBlob = (index: number, format: FrameFormat) => `frames/${itemName(index)}.${format}`;
export const scoredBlob = (index: number, format: FrameFormat) => `scored/${itemName(index)}.${format}`;

/** Index of a frame's blob, or undefined for any other name. */
export function frameIndex(blob: string): number | undefined {
  const match = /^frames\/(\d+)\.(?:png|jpg)$/.exec(blob);
  return match ? Number(match[1]) : undefined;
}
export const FRAMES_PREFIX = 'frames/';

/** The longest prefix shared by the outputs of items `first` to `last`, both included: what to list for a batch. */
export const scoredPrefix = (first: number, last: number) => `scored/${sharedDigits(first, last)}`;
/** The same for the frames themselves. */
export const framesPrefix = (first: number, last: number) => `frames/${sharedDigits(first, last)}`;

function sharedDigits(first: number, last: number): string {
  const from = itemName(first);
  const to = itemName(last);
  let length = 0;
  while (length < from.length && from[length] === to[length]) length += 1;
  return from.slice(0, length);
}

/** Index of a scored frame's blob, or undefined for any other name. */
export function scoredIndex(blob: string): number | undefined {
  const match = /^scored\/(\d+)\.(?:png|jpg)$/.exec(blob);
  return match ? Number(match[1]) : undefined;
}

const batchName = (batch: number) => `b${String(batch).padStart(5, '0')}`;
const attemptName = (batch: number, attempt: number) => `${batchName(batch)}-a${attempt}`;

export const PROGRESS_PREFIX = 'progress/';
export const SETTLED_PREFIX = 'settled/';
export const taskBlob = (batch: number, attempt: number) => `tasks/${attemptName(batch, attempt)}.json`;
export const progressBlob = (batch: number, attempt: number) => `${PROGRESS_PREFIX}${attemptName(batch, attempt)}.json`;
export const resultBlob = (batch: number, attempt: number) => `results/${attemptName(batch, attempt)}.json`;
export const logBlob = (batch: number, attempt: number) => `logs/${attemptName(batch, attempt)}.log`;
export const settledBlob = (batch: number) => `${SETTLED_PREFIX}${batchName(batch)}.json`;

/** Batch and attempt that a progress or settled blob speaks of; attempt 0 for a settled blob. */
export function parseBatchBlob(blob: string): { batch: number; attempt: number } | undefined {
  const match = /\/b(\d+)(?:-a(\d+))?\.json$/.exec(blob);
  return match ? { batch: Number(match[1]), attempt: Number(match[2] ?? 0) } : undefined;
}

/** Progress of an activity that handles many frames itself: its frames, or those of one chunk. */
export const stageProgressBlob = (stage: 'split' | 'stitch', chunk = 0) => `${stageProgressPrefix(stage)}${chunk}.json`;
export const stageProgressPrefix = (stage: 'split' | 'stitch') => `stages/${stage}-`;
/** Where a long video is cut to be split by several activities. */
export const SPLIT_CHUNKS = 'chunks.json';
/** When each frame of a chunk is shown. */
export const chunkTimesBlob = (chunk: number) => `times/${String(chunk).padStart(5, '0')}.json`;
/** A part of the encoded picture, in the work container. */
export const segmentBlob = (chunk: number) => `segments/${String(chunk).padStart(5, '0')}.mov`;
/** The job as `prepareJob` resolved it. */
export const RESOLVED_JOB = 'job.json';
/** Present when no further container may be launched: the job was cancelled, or one of its batches failed for good. */
export const STOP = 'stop.json';
export const MANIFEST = 'manifest.json';
/** When each frame is shown, as `splitVideo` found out. */
export const TIMING = 'timing.json';
/** What `stitchVideo` found when it read its output back. */
export const COMPARISON = 'comparison.json';
export const CONTACT_SHEET = 'contact-sheet.png';

/** Name of the container that runs an attempt: the same for every delivery of the launch, different for every attempt. */
export const containerName = (jobId: string, batch: number, attempt: number) =>
  `${jobId}-${attemptName(batch, attempt)}`;

/** Splits `container/name` of a job specification. */
export function splitPath(path: string): { container: string; blob: string } {
  const slash = path.indexOf('/');
  return { container: path.slice(0, slash), blob: path.slice(slash + 1) };
}
