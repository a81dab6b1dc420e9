import { createHash } from 'node:crypto';
import { describeMaking, deviceClass } from '../../job/reuse.js';
import { isNotFound, listBlobs, type Storage, writeJson } from '../../storage/storage.js';
import { packsArrays, predictionEnding, scoredEnding } from '../images/items.js';
import { reusableBlob, reusableOf, reusablePrefix } from '../layout.js';
import type { ResolvedJob } from '../resolved-job.js';

/**
 * How the outputs of a job can be had later: each as a file that was delivered, as a line that was kept, or with others in the parts that
 * scorers have stored; undefined: not at all.
 */
export function wayOf(job: ResolvedJob): 'files' | 'lines' | 'parts' | undefined {
  if ('video' in job) return 'parts';
  if (scoredEnding(job) === 'json') return 'lines';
  return packsArrays(job) ? undefined : 'files';
}

/**
 * Tells in which way a job makes its outputs; undefined when none can be had later.
 * @param owner id of its caller, where callers are kept apart.
 * @param codec as in `Making`.
 * @param video SHA-256 of the video that the frames are cut from; the parts of a folder of frames are told by the versions of its files.
 */
export function makingOf(
  job: ResolvedJob,
  { owner, codec, video }: { owner?: string | undefined; codec?: string | undefined; video?: string | undefined } = {},
): string | undefined {
  const { card, spec, sha256 } = job;
  const way = wayOf(job);
  const device = deviceOf(job);
  if (way === undefined || sha256 === undefined || device === undefined) return undefined;
  const { onDamage } = spec.input;
  const text = describeMaking({
    owner,
    model: sha256.model,
    style: sha256.style,
    card,
    output: { ending: scoredEnding(job), prediction: spec.output.draw ? predictionEnding(card) : undefined },
    device,
    codec: codec === 'auto' ? undefined : codec,
    ...(way === 'parts' && { frames: { video, onDamage, format: spec.output.frameFormat } }),
  });
  return createHash('sha256').update(text).digest('hex');
}

/** What a job computes on, as far as results differ by it; undefined where its computes are not of one kind in that. */
export function deviceOf({ spec, gpu, computes }: Pick<ResolvedJob, 'spec' | 'gpu' | 'computes'>): string | undefined {
  const classes = new Set(computes?.map((each) => deviceClass(each, each.gpu)) ?? [deviceClass(spec.compute, gpu)]);
  const [only] = classes;
  return classes.size === 1 ? only : undefined;
}

/** A job that has made outputs in the same way. */
export interface Maker {
  jobId: string;
  /** Where it has delivered them: `container/prefix/` in the media account, or a video. */
  output: string;
}

/** Lets later jobs find what the job has made. */
export async function registerMaker(storage: Storage, making: string, { jobId, output }: Maker): Promise<void> {
  const makers = reusableOf(storage);
  const write = () => writeJson(makers, reusableBlob(making, jobId), {}, { output: encodeURIComponent(output) });
  await write().catch(async (error: unknown) => {
    if (!isNotFound(error)) throw error;
    await makers.createIfNotExists();
    await write();
  });
}

export async function forgetMaker(storage: Storage, making: string, jobId: string): Promise<void> {
  const record = reusableOf(storage).getBlobClient(reusableBlob(making, jobId));
  // Where no job has ever been registered, there is no container.
  await record.deleteIfExists().catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}

/** Of more than so many jobs the latest are asked. */
const MOST_MAKERS = 100;

/** The jobs that have made outputs in this way, the latest first. */
export async function listMakers(storage: Storage, making: string): Promise<Maker[]> {
  const found: (Maker & { at: number })[] = [];
  const prefix = reusablePrefix(making);
  for await (const { name, metadata, properties } of listBlobs(reusableOf(storage), { prefix, includeMetadata: true }))
    found.push({
      jobId: name.slice(prefix.length),
      output: decodeURIComponent(metadata?.output ?? ''),
      at: properties.lastModified.getTime(),
    });
  return found.toSorted((one, other) => other.at - one.at).slice(0, MOST_MAKERS);
}
