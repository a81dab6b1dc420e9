import pMap from 'p-map';
import { writeInputId } from '../../container-contract/input-id.js';
import type { Member } from '../../container-contract/pack.js';
import { memberName, packStart, predictedPart, scoredPart } from '../../container-contract/places.js';
import { again } from '../../container-contract/storage-access.js';
import { JobError } from '../../job/failure.js';
import { contentTypeOf } from '../../job/items/formats.js';
import type { ListedItem } from '../../job/items/item-list.js';
import { copyWithin, readBytes, type Storage } from '../../storage/storage.js';
import { listScored, namesIn, type Scored, type ScoredPart } from '../batches/scored-parts.js';
import { predictionEnding, readListed, scoredEnding } from '../images/items.js';
import { workOf } from '../layout.js';
import { findResolvedJob, type ImagesJob, type ResolvedJob, type VideoJob } from '../resolved-job.js';
import { PackReader, writeStoredPack } from '../stored-packs.js';
import { findMadeFiles, findMadeLines, type Made, type MadeLine, orNothing, readSaid } from './made-before.js';
import { listMakers, wayOf } from './makers.js';

/** Some items of a job that have no output. */
export interface Missing {
  first: number;
  count: number;
  /** Indices. */
  missing: number[];
  signal?: AbortSignal | undefined;
}

const TRANSFERS = 16;
/** What was taken over says so. */
const REUSED = { reused: '1' };

/**
 * Copies what earlier jobs have made of the same bytes in the same way to where a scorer would have stored it. What is not there any more,
 * or is not what it was, is left to be scored. Doing it again, as after a death half-way, goes on with the rest.
 */
export async function takeOver(storage: Storage, job: ResolvedJob, items: Missing): Promise<void> {
  if (job.making === undefined || items.missing.length === 0) return;
  if ('video' in job) return takeParts(storage, job, job.making, items);
  if (wayOf(job) === 'lines') return takeLines(storage, job, items);
  return takeFiles(storage, job, items);
}

async function takeFiles(storage: Storage, job: ImagesJob, items: Missing): Promise<void> {
  const before = await findMadeFiles(storage, job);
  const work = workOf(storage, job.jobId);
  await eachMissing(storage, job, items, async (item, index) => {
    const made = await before.find(storage, job.images, item, items.signal);
    if (!made) return;
    const { container, blob, etag, bytes } = made.at;
    const source = storage.media.getContainerClient(container).getBlockBlobClient(blob);
    const target = work.getBlockBlobClient(scoredPart({ first: index, last: index }, 1, scoredEnding(job)));
    const metadata = { ...REUSED, input: writeInputId(made.input) };
    await orNothing(copyWithin(storage, source, target, { bytes, etag, metadata, conditions: {} }));
  });
}

async function takeLines(storage: Storage, job: ImagesJob, items: Missing): Promise<void> {
  const before = await findMadeLines(storage, job);
  const byList = new Map<string, (Made<MadeLine> & { index: number; name: string })[]>();
  await eachMissing(storage, job, items, async (item, index) => {
    const made = await before.find(storage, job.images, item, items.signal);
    if (!made) return;
    const list = `${made.at.jobId} ${made.at.list}`;
    byList.set(list, [...(byList.get(list) ?? []), { ...made, index, name: item.name }]);
  });
  const lines = new Map<number, Buffer>();
  for (const found of byList.values()) {
    const at = found[0]?.at;
    const said = at ? await readSaid(storage, at.jobId, at.list) : [];
    for (const { index, name, input, at: place } of found) {
      const kept = said[place.line];
      if (kept?.input?.sha256 !== input.sha256) continue;
      const text = JSON.stringify({ item: name, input: writeInputId(input), ...(JSON.parse(kept.line) as object) });
      lines.set(index, Buffer.from(`${text}\n`));
    }
  }
  for (const run of runsOf(lines.keys(), job.pack)) {
    const members = run.map((index) => ({ name: memberName(index, 'json'), bytes: lines.get(index) ?? Buffer.of() }));
    await storeRun(storage, job, scoredPart(rangeOf(run), job.pack, 'json'), members);
  }
}

/** Cuts indices as a scorer cuts what it stores: into runs of one pack without a gap. */
function runsOf(indices: Iterable<number>, pack: number): number[][] {
  const runs: number[][] = [];
  for (const index of [...indices].toSorted((one, other) => one - other)) {
    const run = runs.at(-1);
    if (run?.at(-1) === index - 1 && packStart(index, pack) !== index) run.push(index);
    else runs.push([index]);
  }
  return runs;
}

const rangeOf = (run: number[]) => ({ first: run[0] ?? 0, last: run.at(-1) ?? 0 });

/** Stores what was made of a run of items. */
async function storeRun(
  storage: Storage,
  { jobId, pack }: ResolvedJob,
  place: string,
  members: Member[],
): Promise<void> {
  const work = workOf(storage, jobId);
  if (pack > 1) return writeStoredPack(work, place, members, REUSED);
  for (const { name, bytes } of members) {
    const options = { metadata: REUSED, blobHTTPHeaders: { blobContentType: contentTypeOf(name) } };
    await again(() => work.getBlockBlobClient(place).upload(bytes, bytes.length, options));
  }
}

async function eachMissing(
  storage: Storage,
  job: ImagesJob,
  { first, count, missing, signal }: Missing,
  take: (item: ListedItem, index: number) => Promise<void>,
): Promise<void> {
  const listed = await readListed(storage, job, first, count);
  const one = async (index: number) => {
    signal?.throwIfAborted();
    const item = listed[index - first];
    if (item) await take(item, index);
  };
  await pMap(missing, one, { concurrency: TRANSFERS });
}

/** Frames are the same where the video is, so what was made of each has its number. */
async function takeParts(storage: Storage, job: VideoJob, making: string, items: Missing): Promise<void> {
  const left = new Set(items.missing);
  for (const { jobId } of await listMakers(storage, making)) {
    if (left.size === 0) return;
    if (jobId === job.jobId) continue;
    const maker = await findMaker(storage, jobId, making);
    if (!maker) continue;
    const scored = await listScored(storage, { jobId, pack: maker.pack }, items.first, items.count);
    // Read once more after its parts: whatever another run of that job has made since is of another version.
    if (!(await findMaker(storage, jobId, making))) continue;
    const areSame = await sameFiles(storage, job, maker, items);
    const parts = maker.pack === job.pack ? new Set(scored.present.values()) : [];
    for (const part of parts) {
      items.signal?.throwIfAborted();
      const indices = Array.from({ length: part.last - part.first + 1 }, (_, k) => part.first + k);
      const isWhole = part.absent.length === 0 && indices.every((index) => left.has(index) && areSame(index));
      if (isWhole && (await takePart(storage, job, jobId, part))) for (const index of indices) left.delete(index);
    }
    const others = [...left].filter((index) => scored.present.has(index) && areSame(index));
    for (const index of await takeMembers(storage, job, maker, scored, runsOf(others, job.pack), items.signal))
      left.delete(index);
  }
}

async function findMaker(storage: Storage, jobId: string, making: string | undefined): Promise<VideoJob | undefined> {
  const job = await findResolvedJob(storage, jobId);
  return job && job.making === making && 'video' in job ? job : undefined;
}

/**
 * Takes what was made of frames out of the parts of a job whose packs are others, or have items that failed.
 * @param runs in order.
 * @returns the indices of what was there.
 */
async function takeMembers(
  storage: Storage,
  job: VideoJob,
  maker: VideoJob,
  { present }: Scored,
  runs: number[][],
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const from = workOf(storage, maker.jobId);
  const packs = { scored: new PackReader(from), predicted: new PackReader(from) };
  const [ending, prediction] = [scoredEnding(job), predictionEnding(job.card)];
  const read = async (index: number, kind: keyof typeof packs): Promise<Member> => {
    const part = present.get(index);
    const ends = kind === 'scored' ? ending : prediction;
    const blob = part && (kind === 'scored' ? part.blob : predictedPart(part, maker.pack, prediction));
    const name = memberName(index, ends);
    if (part === undefined || blob === undefined) throw goneFrame(index);
    const bytes =
      maker.pack > 1
        ? await packs[kind].read({ blob, isNamed: namesIn(part, ends) }, name)
        : await readBytes(from, blob);
    if (bytes === undefined) throw goneFrame(index);
    return { name, bytes };
  };
  const readAll = async (run: number[], kind: keyof typeof packs) => {
    const members: Member[] = [];
    for (const index of run) members.push(await read(index, kind));
    return members;
  };
  const take = async (run: number[]) => {
    const predicted = job.spec.output.draw ? await readAll(run, 'predicted') : undefined;
    const scored = await readAll(run, 'scored');
    // What was read is what it should be if no other run of that job has begun by now.
    if (!(await findMaker(storage, maker.jobId, maker.making))) throw goneFrame(run[0]);
    const range = rangeOf(run);
    if (predicted) await storeRun(storage, job, predictedPart(range, job.pack, prediction), predicted);
    await storeRun(storage, job, scoredPart(range, job.pack, ending), scored);
  };
  const taken: number[] = [];
  try {
    for (const run of runs) {
      signal?.throwIfAborted();
      try {
        await take(run);
        taken.push(...run);
      } catch (error) {
        // What is gone or damaged is scored.
        if (!(error instanceof JobError && error.blame === 'item')) throw error;
      }
    }
  } finally {
    await packs.scored.close();
    await packs.predicted.close();
  }
  return taken;
}

const goneFrame = (index = 0) => new JobError('item', `What was made of frame ${index} is gone.`);

/** Takes a part as it is. @returns false when it is gone. */
async function takePart(storage: Storage, job: VideoJob, maker: string, part: ScoredPart): Promise<boolean> {
  const [from, to] = [workOf(storage, maker), workOf(storage, job.jobId)];
  const copy = async (blob: string, bytes: number, etag?: string) => {
    const [source, target] = [from.getBlockBlobClient(blob), to.getBlockBlobClient(blob)];
    await copyWithin(storage, source, target, {
      bytes,
      metadata: REUSED,
      conditions: {},
      ...(etag !== undefined && { etag }),
    });
    return true;
  };
  // As a scorer does: where the pictures are, the predictions are too.
  if (job.spec.output.draw) {
    const predicted = predictedPart(part, job.pack, predictionEnding(job.card));
    const properties = await orNothing(from.getBlobClient(predicted).getProperties());
    if (!properties || !(await orNothing(copy(predicted, properties.contentLength ?? 0, properties.etag))))
      return false;
  }
  return (await orNothing(copy(part.blob, part.bytes, part.etag))) === true;
}

/** Which frames of two folders are the same versions of the same files; all frames of the same video are. */
async function sameFiles(
  storage: Storage,
  job: VideoJob,
  maker: VideoJob,
  { first, count }: Missing,
): Promise<(index: number) => boolean> {
  if (job.images === undefined) return () => true;
  const [own, others] = await Promise.all([
    readListed(storage, job, first, count),
    readListed(storage, maker, first, count).catch(() => []),
  ]);
  const folder = job.images === maker.images;
  return (index) => {
    const [one, other] = [own[index - first], others[index - first]];
    return folder && one?.etag !== undefined && one.name === other?.name && one.etag === other.etag;
  };
}
