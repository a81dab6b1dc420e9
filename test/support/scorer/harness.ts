import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { BlobServiceClient, ContainerSASPermissions, type ContainerClient } from '@azure/storage-blob';
import type { Device } from '../../../src/job/compute-choice.js';
import { completeCard } from '../../../src/model-card/complete-card.js';
import { type ModelCard, parseCard } from '../../../src/model-card/schema.js';
import type { Member } from '../../../src/container-contract/pack.js';
import {
  framesBlob,
  memberName,
  parseScoredPart,
  type ScoredFormat,
  scoredPart,
} from '../../../src/container-contract/places.js';
import { writeStoredPack } from '../../../src/job-store/stored-packs.js';
import { CONTRACT, type ScoreTask } from '../../../src/container-contract/task.js';
import type { AttemptProgress } from '../../../src/container-contract/progress.js';
import type { AttemptResult, ItemTimings } from '../../../src/container-contract/result.js';
import { inspectModel } from '../../../src/scorer/engine/inspect/inspect.js';

export const ROOT = path.resolve(import.meta.dirname, '../../..');
export const STARRY_NIGHT = path.join(ROOT, 'models/starry-night.onnx');
export async function cardOf(modelFile: string, cardFile?: string): Promise<ModelCard> {
  const card = cardFile === undefined ? {} : parseCard(readFileSync(cardFile, 'utf8'));
  return completeCard(card, await inspectModel(modelFile, path.basename(modelFile)));
}

const isFrame = (name: string) => name.endsWith('.ppm');

/** How the outputs of a task end: pictures as its first input does. */
function endingOf({ output: { kind } }: ModelCard, first: string): ScoredFormat {
  if (kind === 'tensor') return 'npy';
  if (kind === 'classes' || kind === 'detections') return 'json';
  if (kind === 'mask') return 'png';
  return isFrame(first) ? 'ppm' : first.endsWith('.jpg') ? 'jpg' : 'png';
}

export interface Finished {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** Milliseconds from start to exit. */
  took: number;
}

/** A job of its own in the shared storage: a job container, a work container, a model and a task. */
export class ScorerJob {
  attempt = 0;
  /** Outputs of a pack. */
  pack = 1;
  /** What tasks say of the files. */
  sums: ScoreTask['sums'];
  /** Frames in the order in which tasks first named them. */
  readonly #frames: string[] = [];
  /** Of the outputs of the last task. */
  #ending: ScoredFormat = 'png';

  private constructor(
    readonly job: ContainerClient,
    readonly work: ContainerClient,
    private readonly card: ModelCard,
    private readonly style: boolean,
  ) {}

  static async create(
    storage: string,
    options: { model: string | Buffer; card: ModelCard; style?: Buffer },
  ): Promise<ScorerJob> {
    const service = BlobServiceClient.fromConnectionString(storage);
    const id = randomUUID();
    const job = service.getContainerClient(`job-${id}`);
    const work = service.getContainerClient(`work-${id}`);
    await Promise.all([job.create(), work.create()]);
    const model = typeof options.model === 'string' ? readFileSync(options.model) : options.model;
    await job.getBlockBlobClient('model.onnx').uploadData(model);
    if (options.style) await work.getBlockBlobClient('style').uploadData(options.style);
    return new ScorerJob(job, work, options.card, options.style !== undefined);
  }

  /** PPM files are frames of a video, all others pictures that a user has brought. Frames that share packs are added together. */
  async addInputs(files: Record<string, Buffer>): Promise<void> {
    const packs = new Map<string, Member[]>();
    for (const [name, bytes] of Object.entries(files)) {
      const index = this.#indexOf(name);
      const blob = isFrame(name) ? framesBlob(index, this.pack, 'ppm') : `frames/${name}`;
      packs.set(blob, [...(packs.get(blob) ?? []), { name: memberName(index, 'ppm'), bytes }]);
    }
    for (const [blob, members] of packs) {
      if (blob.endsWith('.zip')) await writeStoredPack(this.work, blob, members);
      else for (const { bytes } of members) await this.work.getBlockBlobClient(blob).uploadData(Buffer.from(bytes));
    }
  }

  #indexOf(name: string): number {
    if (!this.#frames.includes(name)) this.#frames.push(name);
    return this.#frames.indexOf(name);
  }

  /** Writes the task of the next attempt and gives the environment of its scorer. `names` are files in `frames/`. */
  async nextAttempt(
    names: string[],
    extra: Record<string, string> = {},
    device?: Device,
  ): Promise<Record<string, string>> {
    this.attempt += 1;
    const [first = ''] = names;
    this.#ending = endingOf(this.card, first);
    const task: ScoreTask = {
      contract: CONTRACT,
      jobId: 'test',
      batch: 3,
      attempt: this.attempt,
      items: names.map((name) => ({
        name: path.parse(name).name,
        index: this.#indexOf(name),
        input: isFrame(name) ? undefined : `frames/${name}`,
      })),
      pack: this.pack,
      frames: isFrame(first) ? 'ppm' : 'png',
      output: { ending: this.#ending },
      card: this.card,
      sums: this.sums,
      device,
      progressBlob: `progress-${this.attempt}.json`,
      resultBlob: `result-${this.attempt}.json`,
      logBlob: `log-${this.attempt}.jsonl`,
      timingsBlob: `timings-${this.attempt}.jsonl`,
    };
    await this.write(`task-${this.attempt}.json`, JSON.stringify(task));
    return { ...(await this.environment()), ...extra };
  }

  async environment(): Promise<Record<string, string>> {
    const sas = (container: ContainerClient) =>
      container.generateSasUrl({
        permissions: ContainerSASPermissions.parse('rcwl'),
        expiresOn: new Date(Date.now() + 3_600_000),
      });
    const [jobUrl, workUrl] = await Promise.all([sas(this.job), sas(this.work)]);
    const blob = (url: string, name: string) => url.replace('?', `/${name}?`);
    return {
      TASK_BLOB: `task-${this.attempt}.json`,
      JOB_CONTAINER_URL: jobUrl,
      WORK_CONTAINER_URL: workUrl,
      MODEL_URL: blob(jobUrl, 'model.onnx'),
      ...(this.style ? { STYLE_URL: blob(workUrl, 'style') } : {}),
    };
  }

  /** Scores these frames with a scorer of its own and gives what it recorded. */
  async score(names: string[], extra?: Record<string, string>): Promise<{ finished: Finished; result: AttemptResult }> {
    return this.finish(await this.nextAttempt(names, extra));
  }

  /** Runs a scorer to its end and gives what it recorded. */
  async finish(environment: Record<string, string>): Promise<{ finished: Finished; result: AttemptResult }> {
    const finished = await startScorer(environment).finished;
    return { finished, result: await this.result() };
  }

  async result(): Promise<AttemptResult> {
    return JSON.parse(
      (await this.job.getBlobClient(`result-${this.attempt}.json`).downloadToBuffer()).toString(),
    ) as AttemptResult;
  }

  async progress(): Promise<{ progress: AttemptProgress; metadata: Record<string, string> }> {
    const blob = this.job.getBlobClient(`progress-${this.attempt}.json`);
    const progress = JSON.parse((await blob.downloadToBuffer()).toString()) as AttemptProgress;
    return { progress, metadata: (await blob.getProperties()).metadata ?? {} };
  }

  async log(): Promise<string> {
    return (await this.job.getBlobClient(`log-${this.attempt}.jsonl`).downloadToBuffer()).toString();
  }

  /** What each item took, in the order in which they were handled. */
  async timings(): Promise<ItemTimings[]> {
    const text = (await this.job.getBlobClient(`timings-${this.attempt}.jsonl`).downloadToBuffer()).toString();
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as ItemTimings);
  }

  output(name: string): Promise<Buffer> {
    const index = this.#frames.indexOf(name);
    const blob = scoredPart({ first: index, last: index }, 1, this.#ending);
    return this.work.getBlobClient(blob).downloadToBuffer();
  }

  /** Output names with their ETags. */
  async outputs(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for await (const blob of this.work.listBlobsFlat({ prefix: 'scored/' }))
      found.set(this.#frames[parseScoredPart(blob.name)?.first ?? -1] ?? blob.name, blob.properties.etag);
    return found;
  }

  async write(name: string, text: string): Promise<void> {
    await this.job.getBlockBlobClient(name).uploadData(Buffer.from(text));
  }
}

export function startScorer(env: Record<string, string>): { child: ChildProcess; finished: Promise<Finished> } {
  return startProgram('scorer/bundle/main.js', [], env);
}

export function startProgram(
  name: string,
  args: string[],
  env: Record<string, string> = {},
): { child: ChildProcess; finished: Promise<Finished> } {
  const started = performance.now();
  const child = spawn(process.execPath, [path.join(ROOT, 'dist', name), ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text.stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text.stderr += chunk));
  const finished = once(child, 'close').then(([code, signal]: (number | NodeJS.Signals | null)[]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
    ...text,
    took: performance.now() - started,
  }));
  return { child, finished };
}
