import { isPassing } from '../../container-contract/storage-access.js';
import type { RoomPolicy } from '../../job/attempts/room.js';
import { nameOfChoice } from '../../job/compute-choice.js';
import { fewWarnings } from '../../job/failure.js';
import type { Origin } from '../../job/inbox/claim.js';
import { type JobSpec, makesFrames } from '../../job/spec.js';
import { parseTraceParent, type TracePlace } from '../../job/trace.js';
import { jobOf, splitPath, workOf } from '../../job-store/layout.js';
import { countSize } from '../../job-store/callers/days.js';
import { readOwner } from '../../job-store/callers/owners.js';
import { knowSize } from '../../job-store/inbox/places.js';
import { jobFolder } from '../../job-store/local-copy.js';
import { keepPlace } from '../../job-store/outputs.js';
import { clearForRun, requireSame } from '../../job-store/earlier-runs.js';
import {
  findResolvedJob,
  type Handed,
  placesOf,
  type ResolvedJob,
  writeResolvedJob,
} from '../../job-store/resolved-job.js';
import { takeNewVersions } from '../../job-store/images/listed-pictures.js';
import { publishBundledModel, readModelTexts } from '../../job-store/inputs.js';
import { keepFetchedVideo } from '../../job-store/videos/fetched-video.js';
import { removeDamagedFrames } from '../../job-store/videos/frames.js';
import { readBlamedFrames } from '../../job-store/manifest.js';
import { readMadeOf } from '../../job-store/made-of.js';
import { deviceOf, forgetMaker, makingOf, wayOf } from '../../job-store/reuse/makers.js';
import { withFreePart } from '../../job/redrive.js';
import type { OfRun } from '../../job/run.js';
import { parseCard } from '../../model-card/schema.js';
import { readBytes, type Storage } from '../../storage/storage.js';
import { placeOf } from '../../telemetry/ids.js';
import type { Invocation, Ports } from '../ports.js';
import { failureOf } from '../return-failure.js';
import {
  KnownModels,
  type LocalVideo,
  type TimedTrial,
  probeVideo,
  resolveModel,
  sha256Of,
  sha256OfFile,
} from './resolve-inputs.js';
import { askCompute, type JobPreflight, patient } from './ask-compute.js';
import { checkFrameFormat, checkReuse, checkStyle } from './check-job.js';
import { resolveImages, resolveVideo } from './resolve-job.js';

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
    const { jobId, run = 1, spec, fromScratch = false } = input;
    const createdAt = new Date().toISOString();
    const earlier = run === 1 ? undefined : await findResolvedJob(storage, jobId);
    if (run > 1 && earlier?.run !== run) {
      // What the compute refuses is not to cost what earlier runs have made.
      if (fromScratch) await askCompute(ports, spec);
      // What other jobs would reuse may be replaced from here on.
      if (earlier?.making !== undefined) await forgetMaker(storage, earlier.making, jobId);
      if (earlier && !fromScratch && 'video' in earlier)
        await removeDamagedFrames(storage, earlier, readBlamedFrames(storage, jobId));
      await clearForRun(storage, jobId, { keeps: earlier && !fromScratch });
    }
    await Promise.all([workOf(storage, jobId).createIfNotExists(), jobOf(storage, jobId).createIfNotExists()]);
    if (earlier && !fromScratch) return adopt(ports, earlier, { run, spec, createdAt, trace });
    await fetchVideo(ports, input);
    const found = await resolveJob({ ...ports, known }, input, { createdAt, trace });
    const { video, preflight, random } = found;
    const { job: resolved, ...prepared } = found.resolution;
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

/**
 * Looks at everything that a new job names and needs, and writes down nothing of the job but the list of the frames of a folder.
 * @param trial set to find out how long the model takes for the first frame, or else for the picture.
 * @param items how many frames there would be, where storage has only some of them.
 * @throws JobError when the job cannot run.
 */
export async function resolveJob(
  ports: Ports & { known: KnownModels },
  { jobId, run = 1, spec, startedBy }: PrepareInput,
  {
    createdAt,
    trace,
    trial,
    items,
  }: { createdAt: string; trace: TracePlace; trial?: TimedTrial; items?: number | undefined },
) {
  const { storage } = ports;
  const folder = jobFolder(ports.tempFolder, jobId);
  await publishBundledModel(storage, ports.bundledModels, spec.model);
  // Read before anything of it is used: what is the same at the end was used all the time.
  const made = await readMadeOf(storage, spec);
  const probing = probeVideo(ports, jobId, spec, folder, startedBy).then((video): LocalVideo | undefined =>
    video === undefined || items === undefined ? video : { ...video, facts: { ...video.facts, framesEstimate: items } },
  );
  const [video, { card, arrayBytes, sha256, random, cpuSeconds }, preflight, style] = await Promise.all([
    probing,
    resolveModel(ports, spec, folder, { probing, trial }),
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
  const resolution = video
    ? await resolveVideo(ports, common, { ...spec, timeouts }, { video, folder, arrayBytes })
    : resolveImages(common, { ...spec, timeouts }, arrayBytes);
  return { resolution, preflight, video, random, cpuSeconds };
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
  const { gpu: _gpu, memory: _memory, size: _size, computes: _computes, ...same } = earlier;
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

const whyNotReused = (job: ResolvedJob) =>
  wayOf(job) === undefined
    ? 'Arrays in archives are not reused, so everything is scored; set "batch.pack" to 1 to have a file for each, which is.'
    : 'The computes of the job have different kinds of devices, which do not give quite the same, so everything is scored; name computes of one kind to reuse.';
