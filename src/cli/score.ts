import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { JobError } from '../job/failure.js';
import type { JobStatus } from '../triggers/job-progress.js';
import { checkInputFile, checkOutputFile } from './checks.js';
import type { JobClient } from './client.js';
import { createProgressView, type ProgressView } from './progress-view.js';
import { filesOf } from './model-files.js';
import { findStack, isAlive, startStack } from './stack.js';
import { type Summary, summarise } from './summary.js';

export interface ScoreOptions {
  video: string;
  /** Name of a model of the app, or an .onnx file. */
  model: string;
  card?: string;
  /** Names of the model's classes. */
  labels?: string;
  style?: string;
  out: string;
  contactSheet?: string;
  maxParallel?: number;
  /** `…-emulated` starts a stand-in for Azure beside a local stack of its own. */
  compute?: (typeof COMPUTES)[number];
  url?: string;
  key?: string;
  /** Data folder of the local stack. */
  data: string;
  quiet: boolean;
  env: NodeJS.ProcessEnv;
  /** Aborted by Ctrl-C: the job is cancelled and all that was started is stopped. */
  signal: AbortSignal;
}

export const COMPUTES = ['local', 'aci', 'container-apps', 'aci-emulated', 'container-apps-emulated'] as const;
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
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  const { client, stop } = await connect(options);
  const view = createProgressView(process.stderr, options.quiet);
  try {
    const started = seconds();
    const spec = await uploadAll(client, options);
    const uploaded = seconds();
    const status = await runJob(client, spec, view, options.signal);
    view.end();
    const finished = seconds();
    await client.download(status.id, 'output', options.out);
    if (options.contactSheet !== undefined) await client.download(status.id, 'contact-sheet', options.contactSheet);
    const total = seconds();
    const own = { start: started, upload: uploaded - started, download: total - finished, total };
    return summarise(status, own, { output: options.out, contactSheet: options.contactSheet ?? null });
  } finally {
    view.end();
    await stop();
  }
}

async function checkFiles(options: ScoreOptions): Promise<void> {
  await checkInputFile(options.video, 'video');
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
  if (path.resolve(options.out) === path.resolve(options.video))
    throw new JobError('user', `${options.out} is the video itself; name another file with --out.`);
  await checkOutputFile(options.out, '--out');
  if (options.contactSheet !== undefined) await checkOutputFile(options.contactSheet, '--contact-sheet');
}

interface Connection {
  client: JobClient;
  stop: () => Promise<void>;
}

/** The deployed app, the local stack that runs already, or one of its own that lives as long as this job. */
async function connect({ url, key, data, env, compute }: ScoreOptions): Promise<Connection> {
  const emulateAzure = compute?.endsWith(EMULATED) ?? false;
  if (url !== undefined && emulateAzure)
    throw new JobError('user', `The compute ${compute} runs on this machine only; leave --url or --compute out.`);
  const running = url !== undefined ? { url } : emulateAzure ? undefined : await findStack(data);
  // The client brings the storage SDK, which loads while the stack starts.
  const loading = import('./client.js');
  const own = running ? undefined : await startOwnStack(data, emulateAzure, env);
  const { createJobClient } = await loading;
  const stop = own?.stop ?? (() => Promise.resolve());
  return { client: createJobClient(running?.url ?? own?.url ?? '', key), stop };
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

async function uploadAll(client: JobClient, options: ScoreOptions): Promise<object> {
  const [video, model, style] = await Promise.all([
    client.upload('video', options.video),
    isFile(options.model)
      ? client.upload('model', options.model, await filesOf(options.model, options))
      : options.model,
    options.style === undefined ? undefined : client.upload('style', options.style),
  ]);
  return {
    input: { video },
    model,
    style,
    compute: options.compute === undefined ? undefined : { kind: options.compute.replace(EMULATED, '') },
    batch: options.maxParallel === undefined ? undefined : { maxParallel: options.maxParallel },
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
