import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { choicesOf } from '../../job/compute-choice.js';
import { JobError } from '../../job/failure.js';
import type { Origin } from '../../job/inbox/claim.js';
import { type JobSpec, makesFrames } from '../../job/spec.js';
import { itemsThatMayFail } from '../../job/tolerance.js';
import { missingInput, readModelTexts } from '../../job-store/inputs.js';
import { modelBlob, modelsOf } from '../../job-store/layout.js';
import { diskError, localCopy, localVideo } from '../../job-store/local-copy.js';
import type { Sums } from '../../job-store/resolved-job.js';
import type { VideoFacts } from '../../media/media.js';
import { arrayBytes } from '../../model-card/array-bytes.js';
import { completeCard } from '../../model-card/complete-card.js';
import { parseLabels } from '../../model-card/labels.js';
import { type ModelCard, parseCard } from '../../model-card/schema.js';
import { findTensor, type ModelSignature } from '../../model-card/signature.js';
import type { Trial, TrialRequest } from '../../scorer/engine/inspect/trial.js';
import { isNotFound } from '../../storage/storage.js';
import { framesIn, type OpenedFrames, openFrames } from './open-frames.js';
import type { Ports } from '../ports.js';

/** A video, or a folder of frames. */
export type LocalVideo = OpenedVideo | OpenedFrames;

export interface OpenedVideo {
  name: string;
  file: string;
  facts: VideoFacts;
  /** When the job is for this version alone. */
  etag: string | undefined;
}

/** The video of the job as a local file, or its frames, and what they are; undefined when the job has images. */
export async function probeVideo(
  { storage, media, signal }: Ports,
  jobId: string,
  { input }: JobSpec,
  folder: string,
  startedBy?: Origin,
): Promise<LocalVideo | undefined> {
  const frames = framesIn(input);
  if (frames) return openFrames({ storage, media, signal }, jobId, frames, folder);
  const { video: name } = input;
  if (name === undefined) return undefined;
  const etag = startedBy?.path === name ? startedBy.etag : undefined;
  const file = await localVideo(storage, folder, name, signal, etag);
  return { name, file, etag, facts: await media.probe(file, { name, keep: input.onDamage === 'keep' }) };
}

interface KnownModel extends ModelSignature {
  trial?: Trial;
  sha256: string;
}

/** What models said of themselves and what their trials showed: one that is used again for frames of the same size is not loaded again. */
export class KnownModels {
  static readonly #MOST = 100;
  readonly #known = new Map<string, KnownModel>();

  /** Whether there is one of this version, for frames of any size. */
  has(version: string): boolean {
    return [...this.#known.keys()].some((key) => key.startsWith(version));
  }

  find(version: string, size: string) {
    return this.#known.get(version + size);
  }

  keep(version: string, size: string, model: KnownModel): void {
    const [oldest] = this.#known.keys();
    if (oldest !== undefined && this.#known.size >= KnownModels.#MOST) this.#known.delete(oldest);
    this.#known.set(version + size, model);
  }
}

/** That the model is tried for its time. */
export interface TimedTrial {
  /** Saves a picture to try it with where there is no video. */
  picture?: () => Promise<string | undefined>;
}

export interface ResolvedModel {
  card: ModelCard;
  sha256: Pick<Sums, 'model' | 'card' | 'labels'>;
  /** An operator of the model that draws random numbers, if there is one. */
  random: string | undefined;
  /** About how many each item's array has, of a model that gives arrays. */
  arrayBytes?: number;
  /** Seconds that all cores of this machine together take for the first frame, when that is asked for. */
  cpuSeconds?: number | undefined;
}

/**
 * Loads the model in a process of its own, tries it on the first frame of the video, and completes its card from what the model says of
 * itself and what the trial showed.
 * @throws JobError `user` when the card does not go with the model, or the first frame cannot be scored and none may fail.
 */
export async function resolveModel(
  ports: Ports & { known: KnownModels },
  { model, input, compute, tolerate }: JobSpec,
  folder: string,
  { probing, trial: timed }: { probing: Promise<LocalVideo | undefined>; trial?: TimedTrial | undefined },
): Promise<ResolvedModel> {
  const { storage, known, signal } = ports;
  const blob = modelsOf(storage).getBlobClient(modelBlob(model));
  const [texts, { etag }] = await Promise.all([
    readModelTexts(storage, model),
    blob.getProperties().catch((cause: unknown) => {
      throw isNotFound(cause) ? missingInput('model', model) : cause;
    }),
  ]);
  // Elsewhere the scorer finds out: only local compute has the devices of this machine.
  const device = choicesOf(compute).find(({ kind }) => kind === 'local')?.device;
  const file = path.join(folder, 'model.onnx');
  const inspect = (asked: TrialRequest | Promise<TrialRequest>) => ports.inspectModel(file, model, device, asked);
  let hashing: Promise<string> | undefined;
  const fetchModel = () => {
    const copying = localCopy(blob, folder, 'model.onnx', missingInput('model', model), signal);
    hashing = copying.then(() => sha256OfFile(file));
    hashing.catch(() => undefined);
    return copying;
  };
  const request = async (asked: TrialRequest, video: LocalVideo | undefined): Promise<TrialRequest> => {
    const [picture] = await Promise.all([
      video ? ('picture' in video ? video.picture : saveFirstFrame(ports, folder, video)) : timed?.picture?.(),
      fetchModel(),
    ]);
    return { ...asked, ...(picture !== undefined && { picture }), ...(timed && { timed: true }) };
  };
  const read = () => {
    const labels = texts.labels === undefined ? undefined : parseLabels(texts.labels);
    return { card: parseCard(texts.card ?? '{}'), ...(labels && { labels }) };
  };
  const version = JSON.stringify([model, etag, texts, device, timed !== undefined]);
  // The process that inspects a model starts in the time in which the video is looked at.
  const begun =
    makesFrames(input) && !known.has(version) ? inspect(probing.then((opened) => request(read(), opened))) : undefined;
  begun?.catch(() => undefined);
  const video = await probing;
  const asked = read();
  const { card, labels } = asked;
  const size = JSON.stringify([video?.facts.width, video?.facts.height]);
  let inspected = known.find(version, size);
  if (!inspected) {
    const said = await (begun ?? request(asked, video).then(inspect));
    inspected = { ...said, sha256: await (hashing ?? sha256OfFile(file)) };
    if (inspected.trial?.done === true && !inspected.trial.failure) known.keep(version, size, inspected);
  }
  const { trial, sha256, ...signature } = inspected;
  const sums = {
    model: sha256,
    ...(texts.card !== undefined && { card: sha256Of(texts.card) }),
    ...(texts.labels !== undefined && { labels: sha256Of(texts.labels) }),
  };
  const complete = completeCard(card, signature, labels, trial?.runs);
  if (video && trial?.failure && itemsThatMayFail(tolerate, video.facts.framesEstimate) === 0)
    throw new JobError(
      'user',
      `The first frame of ${video.name} cannot be scored: ${trial.failure.replace(/\.$/, '')}.`,
    );
  if (tolerate.doubtfulPictures === true && 'assumed' in complete.output) delete complete.output.assumed;
  const resolved = { card: complete, sha256: sums, random: signature.hints?.random, cpuSeconds: trial?.cpuSeconds };
  if (complete.output.kind !== 'tensor') return resolved;
  const tensor = findTensor(signature.outputs, complete.output.name, 'output');
  const pixels = video && video.facts.width * video.facts.height;
  const shown = { batch: complete.batch, runs: trial?.runs ?? [], pixels };
  return { ...resolved, ...(tensor && { arrayBytes: arrayBytes(tensor, shown) }) };
}

/** Undefined when the video cannot be decoded: splitting it finds out what to say. */
async function saveFirstFrame({ media }: Ports, folder: string, { file, name, facts }: OpenedVideo) {
  const picture = path.join(folder, 'first.png');
  try {
    for await (const frame of media.split(file, { format: 'png', facts, name, keep: true })) {
      await writeFile(picture, frame);
      return picture;
    }
  } catch (error) {
    if (!(error instanceof JobError)) throw diskError(error, folder);
  }
  return undefined;
}

export const sha256Of = (bytes: string | Uint8Array) => createHash('sha256').update(bytes).digest('hex');

export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
