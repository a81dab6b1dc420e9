import type { Storage } from '../storage/storage.js';

/**
 * The only place that spells a container or blob name, but for those of frames and outputs, which scorers compute too:
 * `container-contract/places.ts`.
 *
 * Media account: `inbox`, `styles`, `outbox`, `quarantine` (what users bring and take) and one `work-<job>` container per job (frames
 * and scored frames). Internal account: `models`, `limits`, `claims`, `outputs`, `owners`, `jobs`, `reusable`, `app-secrets` and one `job-<job>` container per job. A container
 * per job lets a scorer's SAS reach its own job only, and lets one call remove all that the job left.
 */
export const INBOX = 'inbox';
export const STYLES = 'styles';
/** The folder of the inbox for what requests upload: it starts nothing, as its name begins with an underscore. */
export const UPLOADS = '_uploads';
export const OUTBOX = 'outbox';
/** What the app could not start a job with, one blob each, with the reason. */
export const QUARANTINE = 'quarantine';
/** What became of each version of a blob of the inbox, and the line of those that wait for room. */
export const CLAIMS = 'claims';
/** The queue in which new media arrives. */
export const INBOX_QUEUE = 'inbox-events';
export const MODELS = 'models';
/** Which jobs have made outputs in which way, for jobs that reuse them. */
const REUSABLE = 'reusable';
/** What all instances of the app count together. */
export const LIMITS = 'limits';
/** Which job writes where, one blob for each output of a job that is not over. */
const OUTPUT_HOLDS = 'outputs';
/** Whose job it is, one blob for each job that a caller has started. */
const OWNERS = 'owners';
/** The list of all jobs, the newest first: one blob each. */
export const LISTED = 'jobs';
/** What the app keeps for itself, beyond any job. */
export const APP_SECRETS = 'app-secrets';
/** In `APP_SECRETS`: the key with which environments of Container Apps executions are sealed. */
export const SEALING_KEY_BLOB = 'sealing-key';
/** In `APP_SECRETS`: with it the keys of callers become ids. */
export const CALLERS_SALT_BLOB = 'callers-salt';

export const JOB_PREFIX = 'job-';
export const WORK_PREFIX = 'work-';
export const workContainer = (jobId: string) => `${WORK_PREFIX}${jobId}`;
export const jobContainer = (jobId: string) => `${JOB_PREFIX}${jobId}`;

export const MODEL_ENDING = '.onnx';
export const modelBlob = (model: string) => `${model}${MODEL_ENDING}`;
export const cardBlob = (model: string) => `${model}.json`;
/** A picture that shows what the model makes. */
export const exampleBlob = (model: string) => `${model}.example.jpg`;
export const labelsBlob = (model: string) => `${model}.labels.txt`;

/** Creates of container groups, by subscription and region. */
export const createLedgerBlob = (name: string) => `creates/${name}.json`;

/** In `LIMITS`: the jobs that run, and what they take up. */
export const PLACES_BLOB = 'places.json';

/** In `LIMITS`: what callers have started, by day and caller. */
export const DAYS_PREFIX = 'days/';
export const dayBlob = (day: string, owner: string) => `${DAYS_PREFIX}${day}/${owner}.json`;

/** In `OWNERS`. */
export const ownerBlob = (jobId: string) => `${jobId}.json`;

const LATEST = 10 ** 14;
const TIME_DIGITS = 14;

/** In `LISTED`: names that sort with the newest first. @param acceptedAt milliseconds since the epoch. */
export const listedBlob = (acceptedAt: number, jobId: string) =>
  `${String(LATEST - acceptedAt).padStart(TIME_DIGITS, '0')}-${jobId}`;

/** Reads such a name; undefined when it is none. */
export function parseListedBlob(name: string): { acceptedAt: number; jobId: string } | undefined {
  const [, before = '', jobId = ''] = /^(\d{14})-(.+)$/.exec(name) ?? [];
  return jobId === '' ? undefined : { acceptedAt: LATEST - Number(before), jobId };
}

export const claimBlob = (claim: string) => `${claim}.json`;

const HASH_DIGITS = 8;
const LONGEST_PATH = 900;

/** A path of the inbox as far as storage can hold it with something behind it. */
const keptPath = (name: string) =>
  name
    .replace(/[\p{Cc}\p{Cs}\uFFFE\uFFFF\\]/gu, '_')
    .replace(/\.(?=\/|$)/g, '_')
    .replace(/^\/+|\/+(?=\/)/g, '')
    .slice(0, LONGEST_PATH)
    .replace(/[\uD800-\uDBFF]$/, '');

/**
 * Why a version of a blob started no job, by the blob's own path as far as storage can hold it.
 * @param claim its id, of which the path gets as much as tells versions apart.
 */
export const quarantineBlob = (name: string, claim: string) => `${keptPath(name)}.${claim.slice(-HASH_DIGITS)}.json`;
/** Why a message of the queue was no event. */
export const quarantinedMessageBlob = (hash: string) => `_events/${hash}.json`;

/**
 * In the outbox, in a folder that is no job's output: that a job has ended, and how.
 * @param startedBy path of what started it in the inbox.
 */
export const doneBlob = (jobId: string, startedBy?: string) =>
  `_done/${startedBy === undefined ? '' : `${keptPath(splitPath(startedBy).blob)}.`}${jobId}.done.json`;

/** In `REUSABLE`: that a job has made outputs in this way, told by a SHA-256. */
export const reusablePrefix = (making: string) => `${making}/`;
export const reusableBlob = (making: string, jobId: string) => `${reusablePrefix(making)}${jobId}`;

/** Tells which job holds an output: a video, or a folder, which ends in "/". */
export const holdBlob = (output: string) => (output.endsWith('/') ? `${output}*` : output);

const batchName = (batch: number) => `b${String(batch).padStart(5, '0')}`;
const attemptName = (batch: number, attempt: number) => `${batchName(batch)}-a${attempt}`;

/** Everything that changes while a job runs and that its status tells: one listing brings all of it. */
export const NOW_PREFIX = 'now/';
export const SETTLED_PREFIX = `${NOW_PREFIX}settled/`;
export const taskBlob = (batch: number, attempt: number) => `tasks/${attemptName(batch, attempt)}.json`;
/** Tasks of all batches, or of one. */
export const tasksPrefix = (batch?: number) => (batch === undefined ? 'tasks/' : `tasks/${batchName(batch)}-a`);
export const progressBlob = (batch: number, attempt: number) =>
  `${NOW_PREFIX}progress/${attemptName(batch, attempt)}.json`;
export const resultBlob = (batch: number, attempt: number) => `results/${attemptName(batch, attempt)}.json`;
export const logBlob = (batch: number, attempt: number) => `logs/${attemptName(batch, attempt)}.jsonl`;
/** Logs of all batches, or of one. */
export const logsPrefix = (batch?: number) => (batch === undefined ? 'logs/' : `logs/${batchName(batch)}-a`);
/** What each item took. */
export const timingsBlob = (batch: number, attempt: number) => `timings/${attemptName(batch, attempt)}.jsonl`;
/** Who scores which items of a batch, from the launch of this attempt on until the next one that helps no other. */
export const shareBlob = (batch: number, attempt: number) => `shares/${attemptName(batch, attempt)}.json`;
/** Containers that help batches of the run. */
export const HELPERS = `${NOW_PREFIX}helpers.json`;
export const settledBlob = (batch: number) => `${SETTLED_PREFIX}${batchName(batch)}.json`;

/** Why a batch waits for its next container. */
export const waitingBlob = (batch: number) => `${NOW_PREFIX}waiting/${batchName(batch)}.json`;

/** Which frames of a batch were split from their video again. */
export const MENDED_PREFIX = `${NOW_PREFIX}mended/`;
export const mendedBlob = (batch: number) => `${MENDED_PREFIX}${batchName(batch)}.json`;

/** The batch and attempt in the name of a task, progress or log blob; settled and waiting blobs name no attempt, so theirs is 0. */
export function parseBatchBlob(blob: string): { batch: number; attempt: number } | undefined {
  const match = /\/b(\d+)(?:-a(\d+))?\.jsonl?$/.exec(blob);
  return match ? { batch: Number(match[1]), attempt: Number(match[2] ?? 0) } : undefined;
}

const listName = (list: number) => String(list).padStart(5, '0');
/** The names of an image folder's items, in the job container: so many lists, and what was found in all. */
export const ITEM_LISTS_PREFIX = 'items/';
export const itemListBlob = (list: number) => `${ITEM_LISTS_PREFIX}${listName(list)}.jsonl`;
export const ITEMS = 'items.json';
/** The predictions for the items of one list, in the work container. */
export const predictionsPart = (list: number) => `predictions/${listName(list)}.jsonl`;
/** What the model said of the items of one list, and of which bytes, in the job container: for jobs that reuse it. */
export const SAID_PREFIX = 'said/';
export const saidBlob = (list: number) => `${SAID_PREFIX}${listName(list)}.txt`;
/** All predictions, below the output prefix. */
export const PREDICTIONS_JSONL = 'predictions.jsonl';
export const PREDICTIONS_CSV = 'predictions.csv';

/** Progress of an activity that handles many items itself: its items, or those of one chunk. */
export type OwnStage = 'split' | 'stitch' | 'list' | 'collect';
export const stageProgressBlob = (stage: OwnStage, chunk = 0) => `${NOW_PREFIX}stages/${stage}-${chunk}.json`;

/** What a blob below `NOW_PREFIX` tells of; undefined for any other name. */
export function parseNowBlob(
  blob: string,
):
  | { kind: 'progress' | 'settled' | 'waiting'; batch: number; attempt: number }
  | { kind: 'stages'; stage: OwnStage }
  | { kind: 'stop' }
  | undefined {
  if (blob === STOP) return { kind: 'stop' };
  const [, kind, stage] = /^now\/(progress|settled|waiting|stages)\/(split|stitch|list|collect)?/.exec(blob) ?? [];
  if (kind === 'stages') return stage === undefined ? undefined : { kind, stage: stage as OwnStage };
  const key = parseBatchBlob(blob);
  return key && kind !== undefined ? { kind: kind as 'progress' | 'settled' | 'waiting', ...key } : undefined;
}

/** Where a long video is cut to be split by several activities. */
export const SPLIT_CHUNKS = 'chunks.json';
/** When each frame of a chunk is shown. */
export const TIMES_PREFIX = 'times/';
export const chunkTimesBlob = (chunk: number) => `${TIMES_PREFIX}${String(chunk).padStart(5, '0')}.json`;
/** An output that could not be delivered, in the work container. */
export const keptBlob = (output: string) => `kept/${output.slice(output.lastIndexOf('/') + 1)}`;
/** A part of the encoded picture, in the work container. */
export const segmentBlob = (chunk: number) => `segments/${String(chunk).padStart(5, '0')}.mov`;
/** The job as `prepareJob` resolved it. */
export const RESOLVED_JOB = 'job.json';
/** What a folder is expected to hold before the job begins. */
export const EXPECTATION = 'expect.json';
/** What was decided over the job: that no further container may be launched, how it has ended, or that another run has begun. */
export const STOP = `${NOW_PREFIX}stop.json`;
export const MANIFEST = 'manifest.json';
/** Of a run that another one has followed. */
export const manifestOfRun = (run: number) => `runs/${run}/manifest.json`;
/** Every item without an output, one JSON line each. */
export const FAILED_ITEMS = 'failed-items.jsonl';
/** The files in the folder of outputs, one JSON line each. */
export const OUTPUT_FILES = 'output-files.jsonl';
/** What was delivered, and its sums. */
export const DELIVERED_PREFIX = 'delivered/';
/** When each frame is shown, as `splitVideo` found out. */
export const TIMING = 'timing.json';
/** What `stitchVideo` found when it read its output back. */
export const COMPARISON = 'comparison.json';
export const CONTACT_SHEET = 'contact-sheet.png';
/** A small picture of what the job has made. */
export const THUMBNAIL = 'thumbnail.jpg';

/** Name of the container that runs an attempt: the same for every delivery of the launch, different for every attempt. */
export const containerName = (jobId: string, batch: number, attempt: number) =>
  `${jobId}-${attemptName(batch, attempt)}`;

/** Reads such a name; undefined when it is none. */
export function parseContainerName(name: string): { jobId: string; batch: number; attempt: number } | undefined {
  const [, jobId = '', batch, attempt] = /^(.+)-b(\d+)-a(\d+)$/.exec(name) ?? [];
  return batch === undefined ? undefined : { jobId, batch: Number(batch), attempt: Number(attempt) };
}

/** Splits `container/name` of a job specification. */
export function splitPath(path: string): { container: string; blob: string } {
  const slash = path.indexOf('/');
  return { container: path.slice(0, slash), blob: path.slice(slash + 1) };
}

export const workOf = (storage: Storage, jobId: string) => storage.media.getContainerClient(workContainer(jobId));
export const jobOf = (storage: Storage, jobId: string) => storage.internal.getContainerClient(jobContainer(jobId));
export const outputsOf = (storage: Storage) => storage.internal.getContainerClient(OUTPUT_HOLDS);
export const ownersOf = (storage: Storage) => storage.internal.getContainerClient(OWNERS);
export const listedOf = (storage: Storage) => storage.internal.getContainerClient(LISTED);
export const claimsOf = (storage: Storage) => storage.internal.getContainerClient(CLAIMS);
export const limitsOf = (storage: Storage) => storage.internal.getContainerClient(LIMITS);
export const quarantineOf = (storage: Storage) => storage.media.getContainerClient(QUARANTINE);
export const inboxOf = (storage: Storage) => storage.media.getContainerClient(INBOX);
export const inboxQueueOf = (storage: Storage) => storage.queues.getQueueClient(INBOX_QUEUE);
export const reusableOf = (storage: Storage) => storage.internal.getContainerClient(REUSABLE);
export const modelsOf = (storage: Storage) => storage.internal.getContainerClient(MODELS);

/** A blob of the media account by its path in a job specification, e.g. `inbox/coast.mp4`. */
export function mediaBlob(storage: Storage, path: string) {
  const { container, blob } = splitPath(path);
  return storage.media.getContainerClient(container).getBlockBlobClient(blob);
}
