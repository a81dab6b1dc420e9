import { chunkFrames } from '../job/plan.js';
import { JobError } from '../job/failure.js';
import { DEFAULT_FRAME_FORMAT } from '../job/formats.js';
import type { JobSpec } from '../job/spec.js';
import { missingInput, publishBundledModel, readModelTexts } from '../job-store/inputs.js';
import { jobOf, modelBlob, modelsOf, OUTBOX, workOf } from '../job-store/layout.js';
import { jobFolder, localCopy, localVideo } from '../job-store/local-copy.js';
import { type ResolvedJob, writeResolvedJob } from '../job-store/resolved-job.js';
import { writeSplitChunks } from '../job-store/video-timing.js';
import { containerOf, dropped, unheldSound, type VideoFacts } from '../media/media.js';
import { completeCard } from '../model-card/complete-card.js';
import { parseLabels } from '../model-card/labels.js';
import { type ModelCard, parseCard } from '../model-card/schema.js';
import type { Ports } from './ports.js';

export interface PrepareInput {
  jobId: string;
  spec: JobSpec;
}

export interface Prepared {
  /** Frames the video is expected to have, which `splitVideo` corrects; 0 for images. */
  expectedItems: number;
  /** Activities that split the video; 1 for a short one, 0 for images. */
  splitChunks: number;
  /** Containers that may run at once. */
  parallel: number;
  warnings: string[];
}

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
    checkStyle(spec, card);
    checkFrameFormat(spec, card);
    const timeouts = {
      ...spec.timeouts,
      provisionSeconds: Math.max(spec.timeouts.provisionSeconds, preflight.provisionSeconds ?? 0),
    };
    const common = {
      jobId,
      card,
      parallel: preflight.maxParallel,
      gpu: preflight.gpu,
      createdAt: new Date().toISOString(),
    };
    const { job, ...prepared } = video
      ? await resolveVideo(ports, common, { ...spec, timeouts }, video)
      : resolveImages(common, { ...spec, timeouts });
    await writeResolvedJob(storage, job);
    return {
      ...prepared,
      parallel: preflight.maxParallel,
      warnings: [...prepared.warnings, ...preflight.warnings],
    };
  };
}

interface Resolution extends Omit<Prepared, 'parallel'> {
  job: ResolvedJob;
}

type Common = Pick<ResolvedJob, 'jobId' | 'card' | 'parallel' | 'gpu' | 'createdAt'>;

interface LocalVideo {
  name: string;
  file: string;
  facts: VideoFacts;
}

async function resolveVideo(
  ports: Ports,
  common: Common,
  spec: JobSpec,
  { name, file, facts }: LocalVideo,
): Promise<Resolution> {
  checkPaints(common.card, spec.model);
  const output = spec.output.video ?? `${OUTBOX}/${common.jobId}${defaultEnding(spec, facts)}`;
  const lost = checkOutput(output, facts);
  const most = ports.chunkFrames ?? chunkFrames(facts);
  return {
    job: {
      ...common,
      spec: { ...spec, input: { ...spec.input, video: name } },
      video: facts,
      chunkFrames: most,
      output,
    },
    expectedItems: facts.framesEstimate,
    splitChunks: await planSplit(ports, common.jobId, file, facts, most),
    warnings: [...facts.warnings, ...lost],
  };
}

/** Cuts a video that is too long for one activity. A short one is not read for it. @returns the number of chunks. */
async function planSplit(
  { storage, media }: Ports,
  jobId: string,
  file: string,
  facts: VideoFacts,
  most: number,
): Promise<number> {
  if (facts.framesEstimate <= most || facts.damaged) return 1;
  const chunks = await media.findChunks(file, facts, most);
  await writeSplitChunks(storage, jobId, chunks);
  return Math.max(1, chunks.length);
}

function resolveImages(common: Common, spec: JobSpec): Resolution {
  const output = spec.output.images ?? `${OUTBOX}/${common.jobId}/`;
  const job = { ...common, spec, images: spec.input.images ?? '', output };
  return { job, warnings: [], expectedItems: 0, splitChunks: 0 };
}

/** The video of the job as a local file, and what it is; undefined when the job has images. */
async function probeVideo(
  { storage, media }: Ports,
  { input }: JobSpec,
  folder: string,
): Promise<LocalVideo | undefined> {
  const { video: name } = input;
  if (name === undefined) return undefined;
  const file = await localVideo(storage, folder, name);
  return { name, file, facts: await media.probe(file, { name, keep: input.onDamage === 'keep' }) };
}

/** Loads the model once, in a process of its own, and completes its card from what the model says of itself. */
async function resolveModel(ports: Ports, { model, compute }: JobSpec, folder: string): Promise<ModelCard> {
  const { storage, bundledModels } = ports;
  await publishBundledModel(storage, bundledModels, model);
  const blob = modelsOf(storage).getBlobClient(modelBlob(model));
  const [file, { card, labels }] = await Promise.all([
    localCopy(blob, folder, 'model.onnx', missingInput('model', model)),
    readModelTexts(storage, model),
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

/** @throws JobError `user` when the job asks for a format of pictures and no picture is stored in it. */
function checkFrameFormat({ model, input, output: { frameFormat } }: JobSpec, { output }: ModelCard): void {
  const { kind = 'image' } = output;
  if (input.images === undefined || kind === 'image' || frameFormat === DEFAULT_FRAME_FORMAT) return;
  throw new JobError(
    'user',
    `The model "${model}" gives ${kind === 'mask' ? 'masks, which are always PNG' : 'no pictures'}; leave the format "${frameFormat}" (output.frameFormat) out.`,
  );
}

/** @throws JobError `user` when the job names a style picture and the model takes none, or the reverse. */
function checkStyle({ model, style }: JobSpec, card: ModelCard): void {
  if (card.style && style === undefined)
    throw new JobError(
      'user',
      `The model "${model}" has a style input ("${card.style.name}"); name a picture in the property "style".`,
    );
  if (!card.style && style !== undefined)
    throw new JobError('user', `The model "${model}" has no style input; leave the property "style" out.`);
}
