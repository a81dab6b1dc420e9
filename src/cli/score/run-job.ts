import { setTimeout as wait } from 'node:timers/promises';
import { COMPUTE_KINDS, type Device, type GpuChoice } from '../../job/compute-choice.js';
import { JobError, messageOf } from '../../job/failure.js';
import type { FrameFormat } from '../../job/items/formats.js';
import { round } from '../../job/progress.js';
import type { ON_EXCEEDED } from '../../job/tolerance.js';
import { poll } from '../../poll.js';
import type { JobStatus } from '../../api/jobs.js';
import { withoutPlaces } from '../../api/uploads.js';
import type { JobClient, OnProgress, Uploader } from '../client/client.js';
import { type AppChoice, connect, EMULATED, isEmulated } from '../client/connect.js';
import { startOf } from '../../processes/living.js';
import { forgetUnfinished, noteUnfinished } from '../client/unfinished.js';
import { calling } from '../installed.js';
import { createProgressView, createUploadView, type ProgressView } from './progress-view.js';
import type { OwnSeconds } from './summary.js';
import { filesOfModel, isModelFile, type ModelChoice } from './user-files.js';
import { joinModel } from './whole-model.js';

export const COMPUTES = [...COMPUTE_KINDS, `aci${EMULATED}`, `container-apps${EMULATED}`];

const LEAST_PAUSE_MS = 250;
/** What is shown is not older than this. */
const LONGEST_PAUSE_MS = 3000;
/** A deployed app may be restarted, or be out of reach for a moment, while its job goes on. */
const SILENCE_MS = 60_000;
const NOTICED_MS = 500;
const STACK_ENDED = `The local stack has ended, and this command with it; start the stack again with "${calling('start')}", and a job that it had accepted goes on.`;

export type AutoOrCount = 'auto' | number;

/** What videos and image folders have in common. When `signal` aborts, the job is cancelled and all that was started is stopped. */
export interface JobOptions extends ModelChoice, AppChoice {
  /** What the pictures are stored as. */
  frameFormat?: FrameFormat;
  /** Containers that run at once. */
  maxParallel?: number;
  /** Items that a container scores; items that are stored together. */
  batchSize?: AutoOrCount;
  pack?: AutoOrCount;
  /** Seconds that a batch, and one item in the model, may take. */
  batchSeconds?: number;
  itemSeconds?: number;
  /** Keeps the frames of a job that is done. */
  keepFrames?: boolean;
  /** Items that may fail. */
  tolerate?: { failedItems: number } | { failedPercent: number };
  /** Batches that may be given up. */
  tolerateBatches?: number;
  /** What becomes of containers that run when too much has failed. */
  onExceeded?: (typeof ON_EXCEEDED)[number];
  /** Copies what the app has made of the same bytes in the same way before. */
  reuse?: boolean;
  /** Goes on although the first pictures look wrong. */
  yes?: boolean;
  /** One of COMPUTES, which a region may follow as in `aci:westeurope`. */
  compute?: string;
  /** Others, for when that has no room, and after how many seconds without. */
  fallback?: string[];
  fallbackAfter?: number;
  /** What the model runs on; by default the best device that the scorer finds. */
  device?: Device;
  gpu?: GpuChoice;
  /** Of a container, in GB. */
  memory?: number;
  /** Whether files of earlier runs may be replaced. */
  overwrite?: boolean;
  /** Shows no progress. */
  quiet: boolean;
  /** Takes a sentence that is neither progress nor result. */
  note: (sentence: string) => void;
}

/** What an option says of the command, not of its job. */
const OF_COMMAND = ['env', 'signal', 'note', 'quiet', 'data', 'url', 'key', 'overwrite', 'resume'];

/** What the job of a command is told by: another command with the same asks for the same job. */
export const ofJob = (options: JobOptions): Record<string, unknown> =>
  Object.fromEntries(Object.entries(options).filter(([name]) => !OF_COMMAND.includes(name)));

/** The files that a command names besides what is scored. */
export const modelFilesOf = ({ model, card, labels, style }: JobOptions): string[] =>
  [isModelFile(model) ? model : undefined, card, labels, style].filter((file) => file !== undefined);

/** A path in the app's storage, or the name of an uploaded model, and the user's own name for it. */
export type Renamed = [stored: string, given: string];

/** The job's `input` and `output`, and what the user calls the files in them. */
export interface Uploaded {
  input: object;
  output: object;
  tolerate?: object;
  renamed: Renamed[];
}

interface Way {
  /** What the progress counts. */
  unit: string;
  /** Of the command, where it is to be found again. */
  request: string;
  upload: (client: Uploader, onProgress: OnProgress) => Promise<Uploaded>;
  save: (client: JobClient, status: JobStatus) => Promise<void>;
}

/** From the start of a stack, if none runs, to the saved result; with the seconds that the client's own steps took. */
export async function runThrough(options: JobOptions, way: Way): Promise<{ status: JobStatus; seconds: OwnSeconds }> {
  const began = performance.now();
  const seconds = () => Math.round(performance.now() - began) / 1000;
  const { client, lost, hasEnded, isOwn, folder, stop } = await connect(options);
  const view = createProgressView(process.stderr, { ...options, unit: way.unit });
  const { signal, resume } = options;
  let job: string | undefined;
  let latest: JobStatus | undefined;
  let keeps = false;
  try {
    const started = seconds();
    const { id, renamed } = resume
      ? { id: await goOn(client, resume, options.note), renamed: [] }
      : await interruptible(startNew(client, options, way.upload), signal, 'before the job was started');
    job = id;
    if (folder !== undefined && !resume)
      await noteUnfinished(folder, {
        job: id,
        request: way.request,
        options: ofJob(options),
        pid: process.pid,
        started: await startOf(process.pid),
        startedAt: new Date().toISOString(),
      });
    const uploaded = seconds();
    const patience = options.url === undefined ? 0 : SILENCE_MS;
    const interrupted = () => cancel(client, id);
    const show = (status: JobStatus) => {
      latest = status;
      view.show(status);
    };
    const watching = { patience, signal, lost, renamed, interrupted };
    const status = await followJob(client, id, { ...view, show }, watching);
    view.end();
    const finished = seconds();
    await interruptible(
      way.save(client, status),
      signal,
      'while the result was saved; what is not there yet is missing',
    );
    if (folder !== undefined) await forgetUnfinished(folder, id);
    const total = seconds();
    const own = { start: started, upload: round(uploaded - started, 3), download: round(total - finished, 3), total };
    const warnings = options.reuse === true && isOwn ? [...status.warnings, nothingToReuse(options)] : status.warnings;
    return { status: { ...status, warnings }, seconds: own };
  } catch (error) {
    if (job !== undefined && !lost.aborted) latest = await client.status(job).catch(() => latest);
    // A run that ends before it has planned tells nothing of what earlier runs have scored.
    keeps = resume?.folder !== undefined || (job !== undefined && hasScored(latest));
    if (job !== undefined && !keeps && folder !== undefined) await forgetUnfinished(folder, job);
    const cause = await causeOf(error);
    throw lost.aborted && !keeps
      ? new JobError('platform', `${messageOf(cause)} ${NOTHING_KEPT}`)
      : orGoOn(cause, keeps ? job : undefined);
  } finally {
    view.end();
    await stop(keeps);
  }

  async function causeOf(error: unknown): Promise<unknown> {
    // A request may fail a moment before the stack notices that one of its parts has ended.
    if (!(error instanceof JobError && error.blame === 'user')) await pause(NOTICED_MS, [lost]);
    if (lost.aborted) return lost.reason;
    if (error instanceof JobError && error.blame === 'platform' && (await hasEnded()))
      return new JobError('platform', STACK_ENDED, { cause: error });
    return error;
  }
}

/** An emulated compute always gets a stack of the command's own. */
const nothingToReuse = ({ compute, fallback = [] }: Pick<JobOptions, 'compute' | 'fallback'>) =>
  [compute ?? '', ...fallback].some(isEmulated)
    ? '--reuse had nothing to reuse: an emulated compute has a stack of its own each time, which keeps nothing; name the compute local on a stack that stays, or a deployed app with --url.'
    : `--reuse had nothing to reuse: this command had a stack of its own, which keeps nothing; start one that stays with "${calling('start')}", or name a deployed app with --url.`;
const NOTHING_KEPT = 'Nothing of it is kept; run the command again.';

/** Whether there is anything to go on with. */
const hasScored = (status: JobStatus | undefined) =>
  status !== undefined && status.batches.total > 0 && status.items.done > 0;

/** The error with the command that goes on with the job. */
function orGoOn(error: unknown, job: string | undefined): unknown {
  if (job === undefined || !(error instanceof JobError)) return error;
  const how = `What is scored is kept; go on with: ${calling(`score --redrive ${job}`)}`;
  return new JobError(error.blame, `${error.message} ${how}`, { cause: error });
}

/** Starts a job once more, unless it goes on by itself or is done. @returns its id. */
async function goOn(
  client: JobClient,
  { job, changes }: NonNullable<AppChoice['resume']>,
  note: JobOptions['note'],
): Promise<string> {
  const { state } = await client.status(job);
  if (state === 'failed' || state === 'cancelled') note((await client.redrive(job, changes)).message);
  return job;
}

async function startNew(
  client: JobClient,
  options: JobOptions,
  upload: Way['upload'],
): Promise<{ id: string; renamed: Renamed[] }> {
  const { spec, renamed } = await uploadAll(client, options, upload);
  return { id: await client.start(spec), renamed };
}

/** @throws JobError `user` when the work failed because it was interrupted. */
export async function interruptible<T>(work: Promise<T>, signal: AbortSignal, when: string): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (signal.aborted) throw new JobError('user', `Interrupted ${when}.`, { cause });
    throw cause;
  }
}

/** Waits until the time is over or one of the signals is aborted. */
const pause = (milliseconds: number, signals: AbortSignal[]) =>
  wait(milliseconds, undefined, { signal: AbortSignal.any(signals) }).catch(() => undefined);

/** Uploads all that a job needs, and says what the job is. */
export async function uploadAll(
  client: Uploader,
  options: JobOptions,
  upload: Way['upload'],
): Promise<{ spec: object; renamed: Renamed[] }> {
  const { model: named } = options;
  const beside = isModelFile(named) ? await filesOfModel(options) : {};
  const [{ renamed, tolerate, output, ...files }, model, style] = await Promise.all([
    upload(client, createUploadView(process.stderr, options)),
    isModelFile(named) ? uploadModel(client, named, beside) : named,
    options.style === undefined ? undefined : client.upload('style', options.style),
  ]);
  const spec = {
    ...files,
    output: { ...output, keepFrames: options.keepFrames },
    model,
    style,
    compute: computeAsked(options),
    reuse: options.reuse,
    batch: { ...batchAsked(options), pack: options.pack },
    timeouts: timeoutsAsked(options),
    tolerate: {
      ...options.tolerate,
      failedBatches: options.tolerateBatches,
      onExceeded: options.onExceeded,
      ...tolerate,
      doubtfulPictures: options.yes,
    },
  };
  if (model !== named) renamed.push([model, named]);
  if (style !== undefined && options.style !== undefined) renamed.push([style, options.style]);
  return { spec, renamed };
}

/** What the options say of `batch` in the job specification and may say of it later, too. */
export const batchAsked = ({ batchSize, maxParallel }: Pick<JobOptions, 'batchSize' | 'maxParallel'>): object => ({
  size: batchSize,
  maxParallel,
});

/** The same of `timeouts`. */
export const timeoutsAsked = ({
  batchSeconds,
  itemSeconds,
}: Pick<JobOptions, 'batchSeconds' | 'itemSeconds'>): object => ({ batchSeconds, itemSeconds });

/** The same of `compute`. */
export const computeAsked = ({
  compute,
  device,
  gpu,
  memory,
  fallback,
  fallbackAfter,
}: Pick<JobOptions, 'compute' | 'device' | 'gpu' | 'memory' | 'fallback' | 'fallbackAfter'>): object => ({
  ...(compute !== undefined && choiceNamed(compute)),
  device,
  gpu,
  memoryGb: memory,
  fallback: fallback?.map(choiceNamed),
  fallbackAfterSeconds: fallbackAfter,
});

function choiceNamed(name: string): { kind: string; region: string | undefined } {
  const [kind = '', region] = name.split(':');
  return { kind: kind.replace(EMULATED, ''), region };
}

/** The sentence with the user's own names in place of the app's. */
export const inUsersWords = (sentence: string, renamed: Renamed[]) =>
  withoutPlaces(renamed.reduce((text, [stored, given]) => text.replaceAll(stored, given), sentence));

async function uploadModel(
  client: Uploader,
  model: string,
  beside: { card?: string; labels?: string },
): Promise<string> {
  const whole = await joinModel(model);
  try {
    return await client.upload('model', whole.file, beside);
  } finally {
    await whole.remove();
  }
}

/** How a command follows a job. */
export interface Watching {
  /** Milliseconds without an answer before the command gives up. */
  patience: number;
  signal: AbortSignal;
  lost: AbortSignal;
  renamed: Renamed[];
  /** What is done when the command is interrupted; always fails. */
  interrupted: () => Promise<never>;
}

/**
 * Shows a job until it is done.
 * @throws JobError with the reason when it fails or is cancelled, and what `interrupted` throws.
 */
export async function followJob(
  client: Pick<JobClient, 'status'>,
  id: string,
  view: ProgressView,
  { patience, signal, lost, renamed, interrupted }: Watching,
): Promise<JobStatus> {
  const began = performance.now();
  let answered = began;
  let pauseMs = LEAST_PAUSE_MS;
  const look = async () => {
    if (signal.aborted) await interrupted();
    const status = await client.status(id).catch((error: unknown) => {
      const silent = performance.now() - answered;
      if (!(error instanceof JobError && error.blame === 'platform') || silent >= patience) throw error;
    });
    pauseMs = status ? lookPause(status, (performance.now() - began) / 1000) : UNKNOWN_PAUSE_MS;
    if (!status) {
      view.silent((performance.now() - answered) / 1000);
      return undefined;
    }
    answered = performance.now();
    view.show(status);
    if (status.state === 'failed' || status.state === 'cancelled') throw endOf(status, renamed);
    if (status.state !== 'done') return undefined;
    return { ...status, warnings: status.warnings.map((warning) => inUsersWords(warning, renamed)) };
  };
  return poll(look, { pauseMs: () => pauseMs, wake: AbortSignal.any([signal, lost]) });
}

const endOf = ({ id, state, error }: JobStatus, renamed: Renamed[]) =>
  new JobError(error?.kind ?? 'platform', inUsersWords(error?.message ?? `Job ${id} ended as ${state}.`, renamed));

/** When the app does not answer, and when nothing tells how near the end is. */
const UNKNOWN_PAUSE_MS = 1000;

/**
 * Each look costs the app a few requests to storage: few while much is left, more when the job is about to end.
 * @param age of the job in seconds.
 * @returns milliseconds.
 */
export function lookPause({ stage, secondsLeft }: Pick<JobStatus, 'stage' | 'secondsLeft'>, age: number): number {
  if (stage === 'finish') return LEAST_PAUSE_MS;
  const nearEnd = stage === 'stitch' || stage === 'collect';
  if (secondsLeft === null && nearEnd) return UNKNOWN_PAUSE_MS;
  // Of what nobody can tell it takes for granted that it lasts as long as it has lasted so far.
  return Math.min(LONGEST_PAUSE_MS, Math.max(LEAST_PAUSE_MS, ((secondsLeft ?? age) * 1000) / 2));
}

const CANCEL_PATIENCE_MS = 10_000;

/** Asks the app to cancel the job and waits until its containers are gone, ten seconds at most: the app goes on with it alone. */
async function cancel(client: JobClient, id: string): Promise<never> {
  const isLive = async () => ['queued', 'running'].includes((await client.status(id)).state);
  if (!(await isLive()))
    throw new JobError('user', 'Interrupted when the job had just ended; its result was not saved.');
  await client.cancel(id);
  const hasEnded = async () => ((await isLive()) ? undefined : true);
  await poll(hasEnded, { pauseMs: 200, withinMs: CANCEL_PATIENCE_MS });
  throw new JobError('user', 'The job was cancelled.');
}
