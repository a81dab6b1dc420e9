import { access } from 'node:fs/promises';
import path from 'node:path';
import { JobError } from '../job/failure.js';
import { completeCard } from '../model-card/complete-card.js';
import { parseLabels } from '../model-card/labels.js';
import { type ModelCard, parseCard } from '../model-card/schema.js';
import type { JobSpec } from '../job/spec.js';
import { containerOf, dropped, unheldSound, type VideoFacts } from '../media/media.js';
import {
  cardBlob,
  jobOf,
  labelsBlob,
  mediaBlob,
  modelBlob,
  modelsOf,
  OUTBOX,
  RESOLVED_JOB,
  workOf,
} from '../job-store/layout.js';
import { readText, type Storage, writeJson } from '../storage/storage.js';
import type { Prepared, PrepareInput } from './inputs.js';
import { jobFolder, localCopy } from '../job-store/local-copy.js';
import { planChunks } from './plan-chunks.js';
import type { Ports } from './ports.js';
import type { ResolvedJob } from '../job-store/resolved-job.js';

/** Checks everything that can be checked before anything is spent: the video, the model, the style, the compute. */
export function createPrepareJob(ports: Ports) {
  const { storage } = ports;
  return async ({ jobId, spec }: PrepareInput): Promise<Prepared> => {
    await Promise.all([workOf(storage, jobId).createIfNotExists(), jobOf(storage, jobId).createIfNotExists()]);
    const folder = jobFolder(ports.tempFolder, jobId);
    const [video, card, preflight] = await Promise.all([
      probeVideo(ports, spec, folder),
      resolveModel(ports, spec, folder),
      ports.compute[spec.compute.kind].preflight({ maxParallel: spec.batch.maxParallel, gpu: spec.compute.gpu }),
    ]);
    await checkStyle(storage, spec, card);
    const common = {
      jobId,
      card,
      parallel: preflight.maxParallel,
      gpu: preflight.gpu,
      createdAt: new Date().toISOString(),
    };
    const { job, warnings, expectedItems } = video ? resolveVideo(common, spec, video) : resolveImages(common, spec);
    await writeJson(jobOf(storage, jobId), RESOLVED_JOB, job);
    return {
      expectedItems,
      ...(video
        ? await planChunks(ports, jobId, path.join(folder, 'source'), video.facts)
        : { chunkFrames: 0, splitChunks: 0 }),
      parallel: preflight.maxParallel,
      warnings: [...warnings, ...preflight.warnings],
    };
  };
}

interface Resolution {
  job: ResolvedJob;
  warnings: string[];
  /** 0 when nobody knows yet. */
  expectedItems: number;
}

type Common = Pick<ResolvedJob, 'jobId' | 'card' | 'parallel' | 'gpu' | 'createdAt'>;

function resolveVideo(common: Common, spec: JobSpec, { name, facts }: { name: string; facts: VideoFacts }): Resolution {
  checkPaints(common.card, spec.model);
  const output = spec.output.video ?? `${OUTBOX}/${common.jobId}${defaultEnding(spec, facts)}`;
  const lost = checkOutput(output, facts);
  const job = { ...common, spec: { ...spec, input: { ...spec.input, video: name } }, video: facts, output };
  return { job, warnings: [...facts.warnings, ...lost], expectedItems: facts.framesEstimate };
}

function resolveImages(common: Common, spec: JobSpec): Resolution {
  const output = spec.output.images ?? `${OUTBOX}/${common.jobId}/`;
  const job = { ...common, spec, images: spec.input.images ?? '', output };
  return { job, warnings: [], expectedItems: 0 };
}

/** The facts of the video; undefined when the job has images. */
async function probeVideo(
  { storage, media }: Ports,
  { input }: JobSpec,
  folder: string,
): Promise<{ name: string; facts: VideoFacts } | undefined> {
  const { video: name } = input;
  if (name === undefined) return undefined;
  const file = await localCopy(mediaBlob(storage, name), folder, 'source');
  return { name, facts: await media.probe(file, { name, keep: input.onDamage === 'keep' }) };
}

/** Loads the model once, in a process of its own, and completes its card from what the model says of itself. */
async function resolveModel(ports: Ports, { model, compute }: JobSpec, folder: string): Promise<ModelCard> {
  await publishBundledModel(ports, model);
  const models = modelsOf(ports.storage);
  const [file, card, labels] = await Promise.all([
    localCopy(models.getBlobClient(modelBlob(model)), folder, 'model.onnx'),
    readText(models, cardBlob(model)),
    readText(models, labelsBlob(model)),
  ]);
  return completeCard(
    parseCard(card ?? '{}'),
    // Elsewhere the scorer finds out: only local compute has the devices of this machine.
    await ports.inspectModel(file, model, compute.kind === 'local' ? compute.device : undefined),
    labels === undefined ? undefined : parseLabels(labels),
  );
}

/** Frames go in, so pictures of their size have to come out. */
function checkPaints({ output }: ModelCard, model: string): void {
  if ('kind' in output && output.kind !== undefined && output.kind !== 'image') {
    throw new JobError(
      'user',
      `The model "${model}" gives ${output.kind} and no pictures, so it cannot paint a video; use an image-to-image model.`,
    );
  }
  if ('scale' in output && output.scale !== undefined && output.scale !== 1) {
    throw new JobError(
      'user',
      `The model "${model}" enlarges pictures ${output.scale} times, and a video keeps its size; leave "output.scale" out of its card.`,
    );
  }
}

/** Copies a model that comes with the app into the models container, where scorers find it. */
async function publishBundledModel(ports: Ports, model: string): Promise<void> {
  const models = modelsOf(ports.storage);
  const blob = models.getBlockBlobClient(modelBlob(model));
  if (await blob.exists()) return;
  const file = path.join(ports.bundledModels, modelBlob(model));
  if (!(await isBundled(ports.bundledModels, model))) {
    throw new JobError('user', `There is no model "${model}"; upload it first, or use one that is there.`);
  }
  await models.createIfNotExists();
  const card = path.join(ports.bundledModels, cardBlob(model));
  await models.getBlockBlobClient(cardBlob(model)).uploadFile(card);
  await blob.uploadFile(file);
}

export async function isBundled(bundledModels: string, model: string): Promise<boolean> {
  return access(path.join(bundledModels, modelBlob(model))).then(
    () => true,
    () => false,
  );
}

/** MP4, which everything plays, unless it cannot hold the picture or the sound. */
function defaultEnding({ output }: JobSpec, video: VideoFacts): string {
  const mp4 = containerOf('.mp4');
  return output.codec !== 'ffv1' && mp4 && unheldSound(video, mp4).length === 0 ? '.mp4' : '.mkv';
}

/**
 * What the output will not hold, one sentence each.
 * @throws JobError `user` when it cannot hold the sound.
 */
function checkOutput(output: string, video: VideoFacts): string[] {
  const container = containerOf(output);
  if (!container) return [];
  const unheld = unheldSound(video, container);
  if (unheld.length > 0)
    throw new JobError(
      'user',
      `${output} cannot hold the sound (${unheld.join(', ')}) as it is; name the output .mkv.`,
    );
  return dropped(video, container);
}

async function checkStyle(storage: Storage, spec: JobSpec, card: ModelCard): Promise<void> {
  if (card.style && !spec.style) {
    throw new JobError(
      'user',
      `The model "${spec.model}" has a style input ("${card.style.name}"); name a picture in the property "style".`,
    );
  }
  if (!card.style && spec.style) {
    throw new JobError('user', `The model "${spec.model}" has no style input; leave the property "style" out.`);
  }
  if (spec.style && !(await mediaBlob(storage, spec.style).exists())) {
    throw new JobError('user', `There is no style picture ${spec.style}; upload it and start the job again.`);
  }
}
