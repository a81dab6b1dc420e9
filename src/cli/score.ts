import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Device } from '../job/device.js';
import { JobError } from '../job/failure.js';
import { endingOf, ENDINGS, type Quality, type VideoCodec } from '../job/output.js';
import { isNamedAsPicture } from '../job/picture-kind.js';
import type { JobStatus } from '../triggers/job-progress.js';
import { checkInputFile, checkOutputFile } from './checks.js';
import type { JobClient } from './client.js';
import { createProgressView, type ProgressView } from './progress-view.js';
import { INBOX, OUTBOX } from '../storage/layout.js';
import { filesOf } from './model-files.js';
import { findStack, isAlive, startStack } from './stack.js';
import { type OwnSeconds, type Summary, summarise } from './summary.js';

/** What videos and image folders have in common. */
export interface JobOptions {
  /** Name of a model of the app, or an .onnx file. */
  model: string;
  card?: string;
  /** Names of the model's classes. */
  labels?: string;
  style?: string;
  /** What the pictures are stored as. */
  frameFormat?: (typeof FRAME_FORMATS)[number];
  maxParallel?: number;
  /** Items that may fail. */
  tolerate?: number;
  /** `…-emulated` starts a stand-in for Azure beside a local stack of its own. */
  compute?: (typeof COMPUTES)[number];
  /** What the model runs on; by default the best device that the scorer finds. */
  device?: Device;
  url?: string;
  key?: string;
  /** Data folder of the local stack. */
  data: string;
  quiet: boolean;
  env: NodeJS.ProcessEnv;
  /** Aborted by Ctrl-C: the job is cancelled and all that was started is stopped. */
  signal: AbortSignal;
}

export interface ScoreOptions extends JobOptions {
  video: string;
  /** Its ending chooses the container. */
  out?: string;
  /** Where the output goes when `out` is left out: the ending that the job chose is added. */
  base: string;
  codec?: VideoCodec;
  quality?: Quality;
  onDamage?: (typeof ON_DAMAGE)[number];
  contactSheet?: string;
}

export const COMPUTES = ['local', 'aci', 'container-apps', 'aci-emulated', 'container-apps-emulated'] as const;
export const FRAME_FORMATS = ['png', 'jpg'] as const;
export const ON_DAMAGE = ['fail', 'keep'] as const;
const EMULATED = '-emulated';

const POLL_MS = { least: 250, most: 1000 };
const isFile = (model: string) => model.endsWith('.onnx') || model.includes('/') || model.includes(path.sep);

/**
 * Runs one video through the app: starts the local stack when none runs, uploads, starts the job, shows its progress and
 * downloads the result.
 * @throws JobError with the sentence of whatever went wrong.
 */
export async function score(options: ScoreOptions): Promise<Summary> {
  await checkFiles(options);
  let saved = options.out ?? options.base;
  const { status, seconds } = await runThrough(options, {
    unit: 'frames',
    upload: async (client) => {
      const video = await client.upload('video', options.video);
      return { input: { video, onDamage: options.onDamage }, output: outputOf(options, video) };
    },
    save: async (client, { id, output }) => {
      if (options.out === undefined) saved += endingOf(output ?? '');
      await client.download(id, 'output', saved);
      if (options.contactSheet !== undefined) await client.download(id, 'contact-sheet', options.contactSheet);
    },
  });
  return summarise(status, seconds, { output: saved, contactSheet: options.contactSheet ?? null });
}

/** @param video where the video was uploaded: nobody else writes beside it. */
function outputOf({ out, codec, quality, frameFormat }: ScoreOptions, video: string) {
  const place = path.posix.dirname(video).replace(new RegExp(`^${INBOX}`), OUTBOX);
  return { video: out === undefined ? undefined : `${place}/output${endingOf(out)}`, codec, quality, frameFormat };
}

interface Way {
  /** What the progress counts. */
  unit: string;
  /** The job's `input` and `output`. */
  upload: (client: JobClient) => Promise<{ input: object; output: object }>;
  save: (client: JobClient, status: JobStatus) => Promise<void>;
}

/** From the start of a stack, if none runs, to the saved result; with the seconds that the client's own steps took. */
export async function runThrough(options: JobOptions, way: Way): Promise<{ status: JobStatus; seconds: OwnSeconds }> {
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  const { client, stop } = await connect(options);
  const view = createProgressView(process.stderr, options.quiet, way.unit);
  try {
    const started = seconds();
    const spec = await uploadAll(client, options, way.upload);
    const uploaded = seconds();
    const status = await runJob(client, spec, view, options.signal);
    view.end();
    const finished = seconds();
    await way.save(client, status);
    const total = seconds();
    return { status, seconds: { start: started, upload: uploaded - started, download: total - finished, total } };
  } finally {
    view.end();
    await stop();
  }
}

async function checkFiles(options: ScoreOptions): Promise<void> {
  await checkInputFile(options.video, 'video');
  if (isNamedAsPicture(options.video) && !/\.gif$/i.test(options.video))
    throw new JobError('user', `${options.video} is a picture; put it into a folder and name the folder.`);
  await checkModelFiles(options);
  const { out } = options;
  if (out !== undefined && !ENDINGS.includes(endingOf(out)))
    throw new JobError('user', `${out} must end in ${ENDINGS.join(', ')}; name another file with --out.`);
  if (out === options.video) throw new JobError('user', `${out} is the video itself; name another file with --out.`);
  await checkOutputFile(out ?? options.base, '--out');
  if (options.contactSheet !== undefined) await checkOutputFile(options.contactSheet, '--contact-sheet');
}

/** The files that go with the model. */
export async function checkModelFiles(options: JobOptions): Promise<void> {
  if (isFile(options.model)) await checkInputFile(options.model, 'model');
  for (const [option, file, what] of [
    ['--card', options.card, 'card'],
    ['--labels', options.labels, 'labels'],
  ] as const) {
    if (file === undefined) continue;
    if (!isFile(options.model))
      throw new JobError('user', `${option} goes with a model file; "${options.model}" has its own ${what}.`);
    await checkInputFile(file, option === '--card' ? 'model card' : 'label file');
  }
  if (options.style !== undefined) await checkInputFile(options.style, 'style picture');
}

interface Connection {
  client: JobClient;
  stop: () => Promise<void>;
}

/** The deployed app, the local stack that runs already, or one of its own that lives as long as this job. */
async function connect({ url, key, data, env, compute }: JobOptions): Promise<Connection> {
  const emulateAzure = compute?.endsWith(EMULATED) ?? false;
  if (url !== undefined && emulateAzure)
    throw new JobError('user', `The compute ${compute} runs on this machine only; leave --url or --compute out.`);
  const running = url !== undefined ? { url } : emulateAzure ? undefined : await findStack(data);
  // The client brings the storage SDK, which loads while the stack starts.
  const loading = import('./client.js');
  const stack = running
    ? { url: running.url, stop: () => Promise.resolve() }
    : await startOwnStack(data, emulateAzure, env);
  const { createJobClient } = await loading;
  return { client: createJobClient(stack.url, key), stop: stack.stop };
}

async function startOwnStack(
  data: string,
  emulateAzure: boolean,
  env: NodeJS.ProcessEnv,
): Promise<{ url: string; stop: () => Promise<void> }> {
  await removeLeftovers(data);
  const folder = path.join(data, `job-${process.pid}`);
  await mkdir(folder, { recursive: true }).catch(() => undefined);
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const stack = await startStack({ folder, emulateAzure, env });
    return { url: stack.url, stop: () => stack.stop().then(remove) };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Removes the data of stacks whose process was killed before it could. */
async function removeLeftovers(data: string): Promise<void> {
  const names = await readdir(data).catch(() => []);
  for (const name of names) {
    const pid = /^job-(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) await rm(path.join(data, name), { recursive: true, force: true });
  }
}

async function uploadAll(client: JobClient, options: JobOptions, upload: Way['upload']): Promise<object> {
  const [files, model, style] = await Promise.all([
    upload(client),
    isFile(options.model)
      ? client.upload('model', options.model, await filesOf(options.model, options))
      : options.model,
    options.style === undefined ? undefined : client.upload('style', options.style),
  ]);
  return {
    ...files,
    model,
    style,
    compute: { kind: options.compute?.replace(EMULATED, ''), device: options.device },
    batch: options.maxParallel === undefined ? undefined : { maxParallel: options.maxParallel },
    tolerate: options.tolerate === undefined ? undefined : { failedItems: options.tolerate },
  };
}

async function runJob(client: JobClient, spec: object, view: ProgressView, signal: AbortSignal): Promise<JobStatus> {
  const id = await client.start(spec);
  for (;;) {
    if (signal.aborted) await cancel(client, id);
    const status = await client.status(id);
    view.show(status);
    if (status.state === 'done') return status;
    if (status.state === 'failed' || status.state === 'cancelled') {
      throw new JobError(
        status.error?.kind ?? 'platform',
        status.error?.message ?? `Job ${id} ended as ${status.state}.`,
      );
    }
    await wait(pollPause(status), undefined, { signal }).catch(() => undefined);
  }
}

/** Each look costs the app a few requests to storage: fewer while much is left, more when the stage is about to end. */
function pollPause({ secondsLeft }: JobStatus): number {
  return Math.min(POLL_MS.most, Math.max(POLL_MS.least, ((secondsLeft ?? 0) * 1000) / 4));
}

const CANCEL_PATIENCE_MS = 10_000;

/** Asks the job to stop and waits until its containers are gone; gives up waiting, not asking, after ten seconds. */
async function cancel(client: JobClient, id: string): Promise<never> {
  const deadline = Date.now() + CANCEL_PATIENCE_MS;
  const isLive = async () => ['queued', 'running'].includes((await client.status(id)).state);
  if (!(await isLive()))
    throw new JobError('user', 'Interrupted when the job had just ended; its result was not saved.');
  await client.cancel(id);
  while (Date.now() < deadline && (await isLive())) await wait(200);
  throw new JobError('user', 'The job was cancelled.');
}
