import { mkdir } from 'node:fs/promises';
import { type ComputeKind, nameOfChoice } from '../../job/compute-choice.js';
import { estimateJob, type Expected, expectedBy, expectedByTrial, type Span } from '../../job/estimate/estimate.js';
import { fewWarnings } from '../../job/failure.js';
import { LeftOut } from '../../job/items/left-out.js';
import { planBatches } from '../../job/plan.js';
import { agedPrices, hourly, PRICES, type PriceTable } from '../../job/estimate/prices.js';
import { round } from '../../job/progress.js';
import { type JobSpec, makesFrames } from '../../job/spec.js';
import { findPictures } from '../../job-store/images/find-pictures.js';
import { readListedNames } from '../../job-store/images/listed-pictures.js';
import { type Entry, entryOf } from '../../job-store/list/job-list.js';
import { jobOf, listedOf, mediaBlob } from '../../job-store/layout.js';
import { jobFolder, localCopy, removeJobFolder } from '../../job-store/local-copy.js';
import { missingInput } from '../../job-store/inputs.js';
import { checkPlace } from '../../job-store/outputs.js';
import { computeOf, placesOf, type ResolvedJob } from '../../job-store/resolved-job.js';
import { listPage, type Storage } from '../../storage/storage.js';
import { placeOf } from '../../telemetry/ids.js';
import type { Ports } from '../ports.js';
import { askCompute } from './ask-compute.js';
import { resolveJob } from './prepare-job.js';
import { KnownModels } from './resolve-inputs.js';

/** Images beyond so many are not counted for a plan: that takes too long. */
const MOST_COUNTED = 100_000;
/** Jobs that are looked at for one like it. */
const MOST_LOOKED_AT = 1000;
/** Of a plan a video is not cut into parts. */
const WHOLE = 1e9;

/** What a job would take: see `Plan` in api/plan.ts. */
export interface JobPlan {
  items: number | null;
  batches: number | null;
  parallel: number;
  seconds: Span | null;
  cost: (Span & { currency: 'USD'; sentence: string }) | null;
  basis: string;
  warnings: string[];
}

export interface PlanRequest {
  /** An id that no job has. */
  planId: string;
  spec: JobSpec;
  /** How many there are, where storage has only some of them. */
  items?: number | undefined;
  /** Whose jobs are looked at; all, when left out. */
  owner?: string | undefined;
}

/**
 * Says what a job would take. It looks at the job as its preparation does, and removes what that leaves.
 * @throws JobError as the preparation of the job would.
 */
export function createPlanJob(ports: Ports, known = new KnownModels()) {
  const { storage, tempFolder, prices = PRICES } = ports;
  return async ({ planId: jobId, spec, items, owner }: PlanRequest): Promise<JobPlan> => {
    try {
      return spec.input.url === undefined
        ? await planKnown({ ...ports, known, prices }, { planId: jobId, spec, items, owner })
        : await planFetched(ports, spec);
    } finally {
      await removeJobFolder(tempFolder, jobId);
      if (spec.input.frameRate !== undefined) await jobOf(storage, jobId).deleteIfExists();
    }
  };
}

const NOTHING_KNOWN = { items: null, batches: null, seconds: null, cost: null };

/** Of a video that is fetched when its job begins. */
async function planFetched(ports: Ports, spec: JobSpec): Promise<JobPlan> {
  const { maxParallel, warnings } = await askCompute(ports, spec);
  return {
    ...NOTHING_KNOWN,
    parallel: maxParallel,
    basis: 'The video is fetched when the job begins, so nobody knows before how many frames it has.',
    warnings: fewWarnings(warnings),
  };
}

async function planKnown(
  ports: Ports & { known: KnownModels; prices: PriceTable },
  { planId: jobId, spec, items: told, owner }: PlanRequest,
): Promise<JobPlan> {
  const { storage, tempFolder, prices } = ports;
  if (spec.input.frameRate !== undefined) await jobOf(storage, jobId).createIfNotExists();
  const now = Date.now();
  const images = makesFrames(spec.input) ? undefined : spec.input.images;
  const trial =
    images === undefined ? {} : { picture: () => savePicture(storage, images, jobFolder(tempFolder, jobId)) };
  const created = {
    createdAt: new Date(now).toISOString(),
    trace: placeOf(jobId, undefined, undefined),
    trial,
    items: told,
  };
  const leftOut = new LeftOut();
  const [{ resolution, preflight, cpuSeconds }, counted] = await Promise.all([
    resolveJob({ ...ports, chunkFrames: WHOLE }, { jobId, spec }, created),
    images === undefined ? undefined : (told ?? countImages(storage, images, spec, leftOut)),
  ]);
  const { job, expectedItems, pack } = resolution;
  const { overwrite } = spec.output;
  for (const output of placesOf(job)) await checkPlace(storage, { jobId, output, overwrite });
  const items = images === undefined ? expectedItems : counted;
  const aged = agedPrices(prices, now);
  const { kind, size } = computeOf(job);
  const warnings = fewWarnings([
    ...resolution.warnings,
    ...preflight.warnings,
    ...leftOut.warnings(),
    ...(aged !== undefined && kind !== 'local' ? [aged] : []),
  ]);
  const said = { parallel: preflight.maxParallel, warnings };
  if (items === undefined)
    return {
      ...NOTHING_KNOWN,
      ...said,
      basis: `There are more than ${MOST_COUNTED} images, too many to be counted for a plan.`,
    };
  const batches = planBatches(items, spec.batch.size, preflight.maxParallel, pack);
  const { expected, basis } = await expect(storage, { job, items, owner, cpuSeconds });
  if (!expected) return { ...NOTHING_KNOWN, ...said, items, batches: batches.batches, basis };
  const { seconds, containerSeconds } = estimateJob(batches, expected);
  const price = hourly(prices, { compute: kind, ...size });
  const usd = (of: number) => round(((price ?? 0) * of) / 3600, 4);
  return {
    ...said,
    items,
    batches: batches.batches,
    seconds,
    cost:
      price === undefined
        ? null
        : {
            low: usd(containerSeconds.low),
            high: usd(containerSeconds.high),
            currency: 'USD',
            sentence: sentenceOf(kind, prices),
          },
    basis: price === undefined ? `${basis} No price is known for the containers of this job.` : basis,
  };
}

const sentenceOf = (kind: ComputeKind, { asOf, region }: PriceTable) =>
  kind === 'local'
    ? "The app's own machine costs nothing."
    : `The time of the containers from their start to their end, at prices of ${region} of ${asOf}, without free grants; storage, functions and network are not in it.`;

interface Wanted {
  job: ResolvedJob;
  items: number;
  owner: string | undefined;
  cpuSeconds: number | undefined;
}

/** What is expected by an earlier job, or else by a trial; with a sentence that says which. */
async function expect(
  storage: Storage,
  { job, items, owner, cpuSeconds }: Wanted,
): Promise<{ expected?: Expected; basis: string }> {
  const { kind, size, gpu, region } = computeOf(job);
  const pixels = 'video' in job ? job.video.width * job.video.height : undefined;
  const wanted = { items, pixels, cpus: size?.cpus };
  const earlier = await findEarlier(storage, job, owner);
  if (earlier?.end?.pace) {
    const { pace } = earlier.end;
    const differs = pixels !== undefined && pace.pixels !== undefined && pace.pixels !== pixels;
    const cores = pace.cpus !== undefined && size?.cpus !== undefined && pace.cpus !== size.cpus;
    const how = [differs ? 'pictures of another size' : '', cores ? `${pace.cpus} instead of ${size.cpus} cores` : '']
      .filter((each) => each !== '')
      .join(' and ');
    const basis = `Job ${earlier.jobId} of ${new Date(earlier.acceptedAt).toISOString().slice(0, 10)} with the same model on ${nameOfChoice({ kind })}${how === '' ? '' : `, with ${how}`}.`;
    return { expected: expectedBy(pace, wanted), basis };
  }
  const nobody = `No earlier job tells how fast the model is on ${nameOfChoice({ kind, region })}${gpu === true ? ' with a GPU' : ''}`;
  const onGpu = gpu === true || (kind !== 'local' && ['cuda', 'webgpu'].includes(job.spec.compute.device ?? ''));
  if (onGpu)
    return { basis: `${nobody}, and a trial on the app's machine tells nothing of a GPU; run a small job first.` };
  if (cpuSeconds === undefined)
    return { basis: `${nobody}, and the model could not be tried on one picture in time; run a small job first.` };
  return {
    expected: expectedByTrial(cpuSeconds, { ...wanted, compute: kind }),
    basis: `A trial of the model on one picture on the app's machine, as no earlier job with this model on ${nameOfChoice({ kind })} tells more.`,
  };
}

/** The latest job that tells how fast its model is on the same compute. */
async function findEarlier(storage: Storage, job: ResolvedJob, owner: string | undefined): Promise<Entry | undefined> {
  const { kind, gpu = false } = computeOf(job);
  const { items } = await listPage(listedOf(storage), { prefix: '', includeMetadata: true }, undefined, MOST_LOOKED_AT);
  const isVideo = 'video' in job;
  return items.map(entryOf).find((entry) => {
    const pace = entry?.end?.pace;
    if (!entry || !pace || entry.model !== job.spec.model || entry.compute !== kind) return false;
    if (owner !== undefined && entry.owner !== owner) return false;
    return (pace.gpus ?? 0) > 0 === gpu && (pace.pixels !== undefined) === isVideo;
  });
}

/** Undefined when there are too many. */
async function countImages(
  storage: Storage,
  images: string,
  { input: { list } }: JobSpec,
  leftOut: LeftOut,
): Promise<number | undefined> {
  let count = 0;
  const found = list === undefined ? findPictures(storage, images, leftOut) : readListedNames(storage, list);
  for await (const _ of found) {
    count += 1;
    if (count > MOST_COUNTED) return undefined;
  }
  return count;
}

/** Saves the first picture of a folder to try the model with; undefined when there is none. */
async function savePicture(storage: Storage, images: string, folder: string): Promise<string | undefined> {
  for await (const { name } of findPictures(storage, images, new LeftOut())) {
    const missing = missingInput('images', images);
    await mkdir(folder, { recursive: true });
    return localCopy(mediaBlob(storage, `${images}${name}`), folder, 'first.picture', missing);
  }
  return undefined;
}
