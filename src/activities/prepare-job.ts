import { isPassing } from '../container-contract/storage-access.js';
import type { RoomPolicy } from '../job/attempts/room.js';
import { type ComputeChoice, choicesOf, nameOfChoice } from '../job/compute-choice.js';
import { choosePack, chooseResultPack, chunkFrames, fitFrames } from '../job/plan.js';
import { fewWarnings, JobError, messageOf } from '../job/failure.js';
import { DEFAULT_CODEC, DEFAULT_IMAGE_FORMAT, type FrameFormat, sizeProblem } from '../job/items/formats.js';
import type { Origin } from '../job/inbox/claim.js';
import { type JobSpec, makesFrames } from '../job/spec.js';
import { parseTraceParent, type TracePlace } from '../job/trace.js';
import { jobOf, OUTBOX, splitPath, workOf } from '../job-store/layout.js';
import { countSize } from '../job-store/callers/days.js';
import { readOwner } from '../job-store/callers/owners.js';
import { knowSize } from '../job-store/inbox/places.js';
import { predictionEnding } from '../job-store/images/items.js';
import { jobFolder } from '../job-store/local-copy.js';
import { keepPlace } from '../job-store/outputs.js';
import { clearForRun, requireSame } from '../job-store/earlier-runs.js';
import {
  findResolvedJob,
  type Handed,
  placesOf,
  type ResolvedCompute,
  type ResolvedJob,
  writeResolvedJob,
} from '../job-store/resolved-job.js';
import { takeNewVersions } from '../job-store/images/listed-pictures.js';
import { publishBundledModel, readModelTexts } from '../job-store/inputs.js';
import { keepFetchedVideo } from '../job-store/videos/fetched-video.js';
import { readMadeOf } from '../job-store/made-of.js';
import { deviceOf, forgetMaker, makingOf, wayOf } from '../job-store/reuse/makers.js';
import type { Preflight } from '../compute/provider.js';
import { withFreePart } from '../job/redrive.js';
import type { OfRun } from '../job/run.js';
import { writeSplitChunks } from '../job-store/videos/video-timing.js';
import type { PictureShape, Rational, VideoFacts } from '../media/media.js';
import { resultSize } from '../model-card/complete-size.js';
import { givesPictures, type ModelCard, parseCard } from '../model-card/schema.js';
import { readBytes, type Storage } from '../storage/storage.js';
import { placeOf } from '../telemetry/ids.js';
import type { Invocation, Ports } from './ports.js';
import { failureOf } from './return-failure.js';
import { KnownModels, type LocalVideo, probeVideo, resolveModel, sha256Of, sha256OfFile } from './resolve-inputs.js';

export interface PrepareInput extends OfRun {
  spec: JobSpec;
  /** Whether nothing of earlier runs is kept. */
  fromScratch?: boolean;
  /** Where the job was started in its trace. */
  traceParent?: string | undefined;
  startedBy?: Origin | undefined;
}

export interface Prepared extends Handed {
  /** Containers that may run at once. */
  parallel: number;
  /** Set where there is more than one compute that may run them. */
  room?: RoomPolicy;
}

/**
 * Checks everything that can be checked before anything is spent: the video, the model, the style, the compute. A later run of a job goes
 * on with what the one before found out, if its outputs are still what would be made.
 */
export function createPrepareJob(ports: Ports, known = new KnownModels()) {
  const { storage, telemetry } = ports;
  const prepare = async (input: PrepareInput, trace: TracePlace): Promise<Checked> => {
    const { jobId, run = 1, spec, startedBy, fromScratch = false } = input;
    const createdAt = new Date().toISOString();
    const earlier = run === 1 ? undefined : await findResolvedJob(storage, jobId);
    if (run > 1 && earlier?.run !== run) {
      // What the compute refuses is not to cost what earlier runs have made.
      if (fromScratch) await askCompute(ports, spec);
      // What other jobs would reuse may be replaced from here on.
      if (earlier?.making !== undefined) await forgetMaker(storage, earlier.making, jobId);
      await clearForRun(storage, jobId, { keeps: earlier && !fromScratch });
    }
    await Promise.all([workOf(storage, jobId).createIfNotExists(), jobOf(storage, jobId).createIfNotExists()]);
    if (earlier && !fromScratch) return adopt(ports, earlier, { run, spec, createdAt, trace });
    const folder = jobFolder(ports.tempFolder, jobId);
    await fetchVideo(ports, input);
    await publishBundledModel(storage, ports.bundledModels, spec.model);
    // Read before anything of it is used: what is the same at the end was used all the time.
    const made = await readMadeOf(storage, spec);
    const probing = probeVideo(ports, jobId, spec, folder, startedBy);
    const [video, { card, arrayBytes, sha256, random }, preflight, style] = await Promise.all([
      probing,
      resolveModel({ ...ports, known }, spec, folder, probing),
      askCompute(ports, spec),
      readStyle(storage, spec),
    ]);
    checkStyle(spec, card);
    checkReuse(spec, random);
    checkFrameFormat(spec, card);
    const timeouts = patient(spec, preflight);
    const common = {
      jobId,
      ...(run > 1 && { run }),
      asked: spec,
      card,
      sha256: { ...sha256, ...(style && { style: sha256Of(style) }) },
      parallel: preflight.maxParallel,
      ...preflight.found,
      createdAt,
      trace,
      made,
    };
    const { job: resolved, ...prepared } = video
      ? await resolveVideo(ports, common, { ...spec, timeouts }, { video, folder, arrayBytes })
      : resolveImages(common, { ...spec, timeouts }, arrayBytes);
    const making = random === undefined ? await makingOfJob(ports, resolved, video) : undefined;
    const job = { ...resolved, making };
    if (spec.reuse === true && making === undefined) prepared.warnings.push(whyNotReused(job));
    if (prepared.expectedItems > 0)
      await countSize(storage, input, { items: prepared.expectedItems }, ports.dailyLimits);
    const { overwrite } = spec.output;
    for (const output of placesOf(job)) await keepPlace(storage, { jobId, output, overwrite });
    return hand(ports, { ...job, prepared }, preflight);
  };
  return async (input: PrepareInput, invocation?: Invocation): Promise<Prepared> => {
    const { jobId, run, spec, traceParent } = input;
    const place = placeOf(jobId, parseTraceParent(traceParent), invocation?.traceContext?.traceParent);
    const facts = { jobId, run, place, model: spec.model, compute: spec.compute.kind };
    try {
      const { prepared, gpu } = await prepare(input, place);
      const { parallel, splitChunks, warnings } = prepared;
      // How many images there are is known when they have been listed.
      const expectedItems = makesFrames(spec.input) ? prepared.expectedItems : undefined;
      telemetry.preflight({
        ...facts,
        verdict: { ok: true, parallel, expectedItems, splitChunks, gpu, warnings: warnings.length },
      });
      return prepared;
    } catch (error) {
      const { blame, message } = failureOf(error, isPassing);
      // What the platform refuses is asked again, and what a stop has ended is no verdict.
      if (blame !== 'platform' && ports.signal?.aborted !== true)
        telemetry.preflight({ ...facts, verdict: { ok: false, blame, message } });
      throw error;
    }
  };
}

/** The parts of a video are kept for other jobs only where the job says so. */
async function makingOfJob(
  { storage, ownership, codec }: Ports,
  job: ResolvedJob,
  video: LocalVideo | undefined,
): Promise<string | undefined> {
  const { reuse, output } = job.spec;
  if ('video' in job && reuse !== true && !output.keepFrames) return undefined;
  const owner = ownership === true ? (await readOwner(storage, job.jobId))?.owner : undefined;
  const isCut = video?.file !== undefined && !('picture' in video);
  return makingOf(job, { owner, codec, ...(isCut && { video: await sha256OfFile(video.file) }) });
}

/** Fetches the video, if it is named by its URL, to where all else expects it. */
async function fetchVideo({ storage, urls, dailyLimits, signal }: Ports, input: PrepareInput): Promise<void> {
  const { url, video } = input.spec.input;
  if (url === undefined || video === undefined || !urls) return;
  const bytes = await keepFetchedVideo(storage, video, () => urls.fetch(url, signal));
  await knowSize(storage, input.jobId, { bytes });
  await countSize(storage, input, { bytes }, dailyLimits);
}

/** The bytes of the style picture, if there is one. */
async function readStyle(storage: Storage, { style }: JobSpec): Promise<Buffer | undefined> {
  if (style === undefined) return undefined;
  const { container, blob } = splitPath(style);
  return readBytes(storage.media.getContainerClient(container), blob);
}

interface Checked {
  prepared: Prepared;
  gpu: boolean;
}

/** Keeps the job as it was resolved, and hands on what follows from it. */
async function hand(
  { storage }: Pick<Ports, 'storage'>,
  job: ResolvedJob & { prepared: Handed },
  { maxParallel, found: { gpu = false, computes = [] }, warnings }: JobPreflight,
): Promise<Checked> {
  const { jobId, prepared } = job;
  await writeResolvedJob(storage, job);
  if (prepared.expectedItems > 0) await knowSize(storage, jobId, { items: prepared.expectedItems });
  const { fallbackAfterSeconds: afterSeconds } = job.spec.compute;
  const room = computes.length > 1 &&
    afterSeconds !== undefined && { computes: computes.map(nameOfChoice), afterSeconds };
  const few = fewWarnings([...prepared.warnings, ...warnings]);
  return { prepared: { ...prepared, parallel: maxParallel, ...(room && { room }), warnings: few }, gpu };
}

/**
 * Goes on with what an earlier run has found out and made: items lie where they lie.
 * @throws JobError `user` when what its outputs are made of has changed.
 */
async function adopt(
  ports: Ports,
  earlier: ResolvedJob,
  { run, spec, createdAt, trace }: { run: number; spec: JobSpec; createdAt: string; trace: TracePlace },
): Promise<Checked> {
  const { storage } = ports;
  const { jobId, prepared } = earlier;
  const made = await requireSame(storage, earlier, spec);
  const preflight = await askCompute(ports, spec);
  const { images } = earlier;
  if (images !== undefined) await takeNewVersions(storage, { jobId, images }, ports.signal);
  const { overwrite } = earlier.spec.output;
  for (const output of placesOf(earlier)) await keepPlace(storage, { jobId, output, overwrite });
  const card = withFreePart(earlier.card, parseCard((await readModelTexts(storage, spec.model)).card ?? '{}'));
  const { batch, compute, retry, tolerate, timeouts } = { ...spec, timeouts: patient(spec, preflight) };
  const { gpu: _gpu, memory: _memory, computes: _computes, ...same } = earlier;
  const job = {
    ...same,
    run,
    asked: spec,
    spec: { ...earlier.spec, batch, compute, retry, tolerate, timeouts },
    card,
    parallel: preflight.maxParallel,
    createdAt,
    trace,
    made,
    prepared,
    ...preflight.found,
    // Outputs of two kinds of devices are not what either would have made.
    making: deviceOf(earlier) === deviceOf({ spec, ...preflight.found }) ? earlier.making : undefined,
  } as ResolvedJob & { prepared: Handed };
  return hand(ports, job, preflight);
}

/** What all computes of a job together say of it. */
interface JobPreflight extends Pick<Preflight, 'maxParallel' | 'warnings' | 'provisionSeconds'> {
  /** For its record. */
  found: Pick<ResolvedJob, 'gpu' | 'memory' | 'computes'>;
}

/**
 * Asks each compute of a job. One that is set up and never has room for it is left out, with a warning, while another one has.
 * @throws JobError when any cannot be used, or none has room.
 */
async function askCompute({ compute }: Ports, spec: JobSpec): Promise<JobPreflight> {
  const { maxParallel } = spec.batch;
  const choices = choicesOf(spec.compute);
  const ask = ({ kind, region, gpu, memoryGb }: ComputeChoice) =>
    compute[kind].preflight({ maxParallel, region, gpu, memoryGb });
  const [first = spec.compute, ...fallbacks] = choices;
  if (fallbacks.length === 0) {
    const { gpu, memory, ...told } = await ask(first);
    return { ...told, found: { gpu, memory } };
  }
  const asked = await Promise.all(choices.map((choice, index) => askOne(choice, index, ask)));
  const usable = asked.flatMap((each) => (each instanceof JobError ? [] : [each]));
  const refusals = asked.flatMap((each) => (each instanceof JobError ? [each] : []));
  const [best] = usable;
  if (!best) throw new JobError('user', refusals.map(messageOf).join(' '));
  const left = refusals.map((refusal) => `${messageOf(refusal).replace(/\.$/, '')}; the job does without it.`);
  return {
    maxParallel: Math.max(...usable.map(({ preflight }) => preflight.maxParallel)),
    warnings: [...left, ...usable.flatMap(({ preflight }) => preflight.warnings)],
    provisionSeconds: Math.max(...usable.map(({ preflight }) => preflight.provisionSeconds ?? 0)),
    found: { gpu: best.resolved.gpu, memory: best.resolved.memory, computes: usable.map(({ resolved }) => resolved) },
  };
}

/** Names the compute in all that it says. @returns its refusal when it never has room. */
async function askOne(
  choice: ComputeChoice,
  index: number,
  ask: (choice: ComputeChoice) => Promise<Preflight>,
): Promise<{ resolved: ResolvedCompute; preflight: Preflight } | JobError> {
  const name = `${index === 0 ? 'compute' : `compute.fallback.${index - 1}`} (${nameOfChoice(choice)})`;
  const { kind, region, device } = choice;
  try {
    const preflight = await ask(choice);
    const warnings = preflight.warnings.map((warning) => `${name}: ${warning}`);
    const { gpu, memory } = preflight;
    return { resolved: { kind, region, device, gpu, memory }, preflight: { ...preflight, warnings } };
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    const { blame, message, retryAfterSeconds, noRoom } = error;
    const named = new JobError(blame, `${name}: ${message}`, { cause: error, retryAfterSeconds, noRoom });
    if (blame === 'user' && noRoom) return named;
    throw named;
  }
}

/** The longest times of a job, as the compute needs them. */
const patient = ({ timeouts }: JobSpec, { provisionSeconds = 0 }: Pick<Preflight, 'provisionSeconds'>) => ({
  ...timeouts,
  provisionSeconds: Math.max(timeouts.provisionSeconds, provisionSeconds),
});

interface Resolution extends Handed {
  job: ResolvedJob;
}

type Common = Pick<
  ResolvedJob,
  | 'jobId'
  | 'run'
  | 'asked'
  | 'card'
  | 'sha256'
  | 'parallel'
  | 'computes'
  | 'gpu'
  | 'memory'
  | 'createdAt'
  | 'trace'
  | 'made'
>;

async function resolveVideo(
  ports: Ports,
  common: Common,
  spec: JobSpec,
  { video, folder, arrayBytes = 0 }: { video: LocalVideo; folder: string; arrayBytes: number | undefined },
): Promise<Resolution> {
  const { name, file, facts } = video;
  const frames = 'picture' in video ? video : undefined;
  checkResult(common.card, spec);
  const predicts = !givesPictures(common.card);
  const delivers = !predicts ? 'video' : spec.output.draw ? 'video and predictions' : 'predictions';
  // Files that are frames may turn out to have other sizes than they say.
  const shape = shapeOf(common.card, facts) ?? (frames && squareOf(facts));
  const predictions = spec.output.predictions ?? `${OUTBOX}/${common.jobId}/`;
  const { video: named, codec, quality } = spec.output;
  if (delivers !== 'predictions') checkShape({ ...facts, ...shape }, spec, name);
  const rehearsed =
    delivers === 'predictions'
      ? undefined
      : await ports.media.rehearse({ source: file, folder, facts, shape, codec, quality, output: named });
  const { format: frameFormat, warning } = await fit(ports, spec, facts, delivers === 'predictions' ? [] : [shape]);
  const largest = ports.chunkFrames ?? Math.min(chunkFrames(facts), chunkFrames({ ...facts, ...shape }));
  const { pack: asked, size } = spec.batch;
  const pack = Math.min(
    largest,
    choosePack({
      asked,
      expected: facts.framesEstimate,
      size,
      maxParallel: common.parallel,
      bytesPerItem: Math.max(
        arrayBytes,
        BYTES_PER_PIXEL * pixelsOf(facts),
        BYTES_PER_PIXEL * pixelsOf({ ...facts, ...shape }),
      ),
    }),
  );
  const most = largest - (largest % pack);
  return {
    job: {
      ...common,
      spec: { ...spec, output: { ...spec.output, frameFormat } },
      video: facts,
      ...('etag' in video && video.etag !== undefined && { videoEtag: video.etag }),
      ...(frames && { images: name, ...(frames.sound !== undefined && { sound: frames.sound }) }),
      ...(shape && { shape }),
      pack,
      chunkFrames: most,
      others: rehearsed?.others ?? { streams: [], pictureTags: [], anyTags: false },
      output: rehearsed ? (named ?? `${OUTBOX}/${common.jobId}${rehearsed.ending}`) : predictions,
      ...(predicts && { predictions }),
    },
    expectedItems: facts.framesEstimate,
    splitChunks: file === undefined || frames ? 0 : await planSplit(ports, common.jobId, { file, facts, most, pack }),
    pack,
    delivers,
    enlarged: rehearsed ? pixelsOf({ ...facts, ...shape }) / pixelsOf(facts) : 0,
    warnings: [...facts.warnings, ...(rehearsed?.warnings ?? []), ...(warning === undefined ? [] : [warning])],
  };
}

/** What the frames are stored as. @param made the shapes of what is stored for each frame besides itself; undefined: its own. */
async function fit(
  { freeBytes }: Ports,
  { output: { frameFormat } }: JobSpec,
  facts: VideoFacts,
  made: (PictureShape | undefined)[],
): Promise<{ format: FrameFormat; warning?: string }> {
  if (freeBytes === undefined) return { format: frameFormat };
  const pixels = [facts, ...made].reduce((sum, shape) => sum + pixelsOf({ ...facts, ...shape }), 0);
  return fitFrames(frameFormat, BYTES_PER_PIXEL * pixels * facts.framesEstimate, await freeBytes());
}

/** Of a frame in memory and, at most, in storage. */
const BYTES_PER_PIXEL = 3;

const pixelsOf = ({ width, height }: Pick<VideoFacts, 'width' | 'height'>) => width * height;

/** Cuts a video that is too long for one activity. A short one is not read for it. @returns the number of chunks. */
async function planSplit(
  { storage, media }: Ports,
  jobId: string,
  { file, facts, most, pack }: { file: string; facts: VideoFacts; most: number; pack: number },
): Promise<number> {
  if (facts.framesEstimate <= most || facts.damaged) return 1;
  const chunks = await media.findChunks(file, facts, most, pack);
  await writeSplitChunks(storage, jobId, chunks);
  return Math.max(1, chunks.length);
}

function resolveImages(common: Common, spec: JobSpec, arrayBytes: number | undefined): Resolution {
  const output = spec.output.images ?? `${OUTBOX}/${common.jobId}/`;
  const { pack: asked } = spec.batch;
  // Pictures are what users get, under their names; the lines of a whole list make one part of the predictions.
  const pack =
    givesPictures(common.card) || predictionEnding(common.card) === 'png' ? 1 : chooseResultPack(asked, arrayBytes);
  const job = { ...common, spec, images: spec.input.images ?? '', pack, output };
  return { job, warnings: [], expectedItems: 0, splitChunks: 0, delivers: 'images', enlarged: 0 };
}

/** @throws JobError `user` when the same bytes do not give the same output. */
function checkReuse({ model, reuse }: JobSpec, random: string | undefined): void {
  if (reuse !== true || random === undefined) return;
  throw new JobError(
    'user',
    `The model "${model}" draws random numbers (${random}), so it gives something else each time; leave "reuse" (--reuse) out.`,
  );
}

const whyNotReused = (job: ResolvedJob) =>
  wayOf(job) === undefined
    ? 'Arrays in archives are not reused, so everything is scored; set "batch.pack" to 1 to have a file for each, which is.'
    : 'The computes of the job have different kinds of devices, which do not give quite the same, so everything is scored; name computes of one kind to reuse.';

/** @throws JobError `user` when the job asks for a video or for predictions that the model does not give. */
function checkResult(card: ModelCard, { model, output }: JobSpec): void {
  const { kind = 'image' } = card.output;
  const { draw, video, predictions, quality, codec } = output;
  const refuse = (what: string) => {
    throw new JobError('user', `The model "${model}" gives ${what}.`);
  };
  if (kind === 'image') {
    if (draw) refuse('pictures, which make the video themselves; leave "output.draw" (--draw) out');
    if (predictions !== undefined)
      refuse(
        'pictures and no predictions; leave "output.predictions" out, or with --out name a file that ends in .mp4 or another ending of a video',
      );
  } else if (draw) {
    if (kind === 'tensor')
      refuse('tensors, which nobody can draw; leave "output.draw" (--draw) out to get them as files');
  } else if (video !== undefined || quality !== undefined || codec !== DEFAULT_CODEC)
    refuse(
      `${kind === 'mask' ? 'masks' : kind === 'tensor' ? 'tensors' : kind} and no pictures; ${kind === 'tensor' ? '' : 'set "output.draw" (--draw) to have them drawn into the video, or '}leave "output.video", "output.codec" and "output.quality" out (--out FOLDER) to get them frame by frame`,
    );
}

/** How the output shows the frames; undefined when as the source does. A picture that the model stretches is shown in its old proportions. */
function shapeOf({ output }: ModelCard, facts: VideoFacts): PictureShape | undefined {
  const { width, height } = resultSize(output, facts);
  if (width === facts.width && height === facts.height) return undefined;
  const { num, den } = facts.sampleAspect;
  if (output.kind !== undefined && output.kind !== 'image') return undefined;
  const stretched = output.size ? [facts.width * height, facts.height * width] : [1, 1];
  return { width, height, sampleAspect: reduce(num * (stretched[0] ?? 1), den * (stretched[1] ?? 1)) };
}

const squareOf = ({ width, height, sampleAspect }: VideoFacts): PictureShape => ({ width, height, sampleAspect });

function reduce(num: number, den: number): Rational {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  const common = divisor(num, den);
  return { num: num / common, den: den / common };
}

/** @throws JobError `user` when no video of this size can be made. */
function checkShape({ width, height }: PictureShape, { model, output }: JobSpec, video: string): void {
  const problem = sizeProblem({ width, height }, output.codec);
  if (problem === undefined) return;
  throw new JobError(
    'user',
    `The model "${model}" would make pictures of ${width}x${height} pixels of ${video}, and ${problem}: give a smaller video, or a smaller "output.scale" with "output.fit" set to "resize" in the model card.`,
  );
}

/** @throws JobError `user` when the job asks for a format of pictures and no picture is stored in it. */
function checkFrameFormat({ model, input, output: { frameFormat } }: JobSpec, { output }: ModelCard): void {
  const { kind = 'image' } = output;
  if (makesFrames(input) || kind === 'image' || frameFormat === DEFAULT_IMAGE_FORMAT) return;
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
