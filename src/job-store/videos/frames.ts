import type { ContainerClient } from '@azure/storage-blob';
import { pMapIterable } from 'p-map';
import {
  framesBlob,
  FRAMES_PREFIX,
  framesPrefix,
  memberName,
  packStart,
  scoredPart,
} from '../../container-contract/places.js';
import { readAhead } from '../../container-contract/read-ahead.js';
import { again } from '../../container-contract/storage-access.js';
import { JobError } from '../../job/failure.js';
import { contentTypeOf } from '../../job/items/formats.js';
import { groupsOf } from '../../job/items/item-list.js';
import { FrameMemory } from '../../job/items/frame-memory.js';
import { type FrameRange, PACK_BYTES } from '../../job/plan.js';
import { ppmDamage, ppmHeader } from '../../job/items/ppm.js';
import { fillsOf } from '../../job/tolerance.js';
import type { VideoFacts } from '../../media/media.js';
import { listBlobs, readBytes, type Storage } from '../../storage/storage.js';
import { listScored, namesIn, orScoredAgain, removeDamaged, type ScoredPart } from '../batches/scored-parts.js';
import { imagesOf, readListed } from '../images/items.js';
import { readUnscored } from '../batches/settled.js';
import { workOf } from '../layout.js';
import type { VideoJob } from '../resolved-job.js';
import { createStageProgress } from '../stage-progress.js';
import { type Even, PackReader, readStoredMember, type StoredPack, writeStoredPack } from '../stored-packs.js';

/** Uploads of single frames that wait for storage at the same time, or downloads; ffmpeg is held back when all are busy. */
const TRANSFERS = 6;
/** Fewer where frames are so large that they would hold more than this. */
const TRANSFER_BYTES = 64 * 1024 * 1024;
/** The same, of packs. */
const PACK_UPLOADS = 2;

export interface StoreOptions {
  /** Index of the first frame, with which a pack begins. */
  first: number;
  /** Whether frames from an earlier run are kept or uploaded again. */
  keep: 'all' | 'none';
  /** Absent for a whole video. */
  chunk?: { index: number; count: number };
  /** Gets the memory of frames back when they are stored. */
  memory?: FrameMemory;
}

/** Uploads the frames as they come, a pack at a time, and reports how far it is. A blob is there whole or not at all. @returns their number. */
export async function storeFrames(
  storage: Storage,
  job: VideoJob,
  frames: AsyncIterable<Buffer>,
  { first, keep, chunk, memory }: StoreOptions,
): Promise<number> {
  const { jobId, pack } = job;
  const progress = createStageProgress(storage, jobId, 'split', chunk?.index);
  const prefix = chunk ? framesPrefix({ first, last: first + chunk.count - 1 }) : FRAMES_PREFIX;
  const there = keep === 'all' ? await uploaded(storage, jobId, prefix) : new Set<string>();
  let done = 0;
  const store = async (group: Frame[]) => {
    const name = placeOf(job, group[0]?.index ?? 0).blob;
    if (!there.has(name)) await upload(storage, job, name, group);
    for (const { bytes } of group) memory?.giveBack(bytes);
    return group.length;
  };
  // pMap itself loses an error of its source while several uploads wait for the next frame (p-map 7.1.1).
  for await (const stored of pMapIterable(groupsOf(numbered(frames, first), pack), store, {
    concurrency: pack === 1 ? transfersOf(job.video) : PACK_UPLOADS,
    preserveOrder: false,
  })) {
    done += stored;
    progress.report(done);
  }
  await progress.settled();
  return done;
}

/**
 * Removes the blobs of frames that cannot be read: the next split makes them again. A frame that is a file of its own and no PPM has nothing
 * that tells whether it is whole, so it is made again in any case.
 * @param frames by their indices.
 * @returns the first frame of each blob that is gone now; of a folder of frames, whose files are the user's, none.
 */
export async function removeDamagedFrames(
  storage: Storage,
  job: VideoJob,
  frames: Iterable<number> | AsyncIterable<number>,
): Promise<number[]> {
  const work = workOf(storage, job.jobId);
  if (job.images !== undefined || !(await work.exists())) return [];
  const packs = new PackReader(work);
  const looked = new Set<string>();
  const gone: number[] = [];
  for await (const index of frames) {
    const { blob } = placeOf(job, index);
    if (looked.has(blob)) continue;
    looked.add(blob);
    if (await isWhole(index)) continue;
    await work.getBlobClient(blob).deleteIfExists();
    gone.push(packStart(index, job.pack));
  }
  return gone;

  async function isWhole(index: number): Promise<boolean> {
    try {
      if (job.pack > 1) await packs.check(sourcePack(job, index));
      else await readFrame(work, job, index);
      return job.pack > 1 || job.spec.output.frameFormat === 'ppm';
    } catch (error) {
      if (error instanceof JobError && error.blame === 'item') return false;
      throw error;
    }
  }
}

/** Whether these frames are there; they begin with a pack. */
export async function hasFrames(storage: Storage, job: VideoJob, { first, count }: FrameRange): Promise<boolean> {
  const there = await uploaded(storage, job.jobId, framesPrefix({ first, last: first + count - 1 }));
  for (let index = first; index < first + count; index += job.pack)
    if (!there.has(placeOf(job, index).blob)) return false;
  return true;
}

async function uploaded(storage: Storage, jobId: string, prefix: string): Promise<Set<string>> {
  const there = new Set<string>();
  for await (const { name } of listBlobs(workOf(storage, jobId), { prefix })) there.add(name);
  return there;
}

interface Frame {
  index: number;
  bytes: Buffer;
}

async function* numbered(frames: AsyncIterable<Buffer>, first: number): AsyncGenerator<Frame> {
  let index = first;
  for await (const bytes of frames) {
    yield { index, bytes };
    index += 1;
  }
}

interface Place {
  blob: string;
  member: string;
}

/** Where a frame lies: a blob, and its name in it, which is of no use where a pack holds one. */
function placeOf({ pack, spec }: VideoJob, index: number): Place {
  const { frameFormat: format } = spec.output;
  return { blob: framesBlob(index, pack, format), member: memberName(index, format) };
}

/** The pack in which a frame lies as it came. */
function sourcePack(job: VideoJob, index: number): StoredPack {
  const start = packStart(index, job.pack);
  const isNamed = (name: string, position: number) =>
    name === memberName(start + position, job.spec.output.frameFormat);
  return { blob: placeOf(job, index).blob, isNamed };
}

async function upload(storage: Storage, job: VideoJob, name: string, frames: Frame[]): Promise<void> {
  const work = workOf(storage, job.jobId);
  if (job.pack > 1) {
    const members = frames.map(({ index, bytes }) => ({ name: placeOf(job, index).member, bytes }));
    await writeStoredPack(work, name, members);
    return;
  }
  const options = { blobHTTPHeaders: { blobContentType: contentTypeOf(name) } };
  for (const { bytes } of frames) await again(() => work.getBlockBlobClient(name).upload(bytes, bytes.length, options));
}

/**
 * The frames to show, in order, some fetched ahead; reports how far it is. The memory of a frame is used for others once the next one is
 * asked for.
 * @param chunk of a long video that is encoded in several.
 * @throws JobError `item` when a scored frame is gone that no batch has ended without, or a frame that is shown as it came.
 */
export async function* readFramesToShow(
  storage: Storage,
  job: VideoJob,
  range: FrameRange,
  chunk?: number,
): AsyncGenerator<Buffer> {
  const progress = createStageProgress(storage, job.jobId, 'stitch', chunk);
  const fills = await readFills(storage, job);
  const memory = new FrameMemory();
  const frames =
    job.pack === 1
      ? readSingleFrames(storage, job, range, fills)
      : readAhead(readPackedFrames(storage, job, range, fills, memory), PACK_BYTES, ({ length }) => length);
  let done = 0;
  for await (const frame of frames) {
    yield frame;
    memory.giveBack(frame);
    done += 1;
    progress.report(done);
  }
  await progress.settled();
}

/** What is shown in place of each frame that the batches have ended without. @see fillsOf */
export type Fills = Map<number, number | undefined>;

/**
 * A file that is a frame may be of another format than scored frames, or broken: it is never shown itself.
 * @throws JobError `user` when it would take a scored frame of such a job and there is none.
 */
export async function readFills(storage: Storage, { jobId, spec, images, video }: VideoJob): Promise<Fills> {
  const unscored = await readUnscored(storage, jobId);
  if (images === undefined) return fillsOf(unscored, spec.tolerate.fill);
  if (unscored.size >= video.framesEstimate)
    throw new JobError('user', `None of the frames in ${images} was scored, so there is no video to make of them.`);
  return fillsOf(unscored, 'nearest');
}

const transfersOf = ({ width, height }: Pick<VideoFacts, 'width' | 'height'>) =>
  Math.min(TRANSFERS, Math.max(1, Math.floor(TRANSFER_BYTES / (3 * width * height))));

function readSingleFrames(
  storage: Storage,
  job: VideoJob,
  { first, count }: FrameRange,
  fills: Fills,
): AsyncIterable<Buffer> {
  const indices = Array.from({ length: count }, (_, index) => first + index);
  const transfers = transfersOf({ ...job.video, ...job.shape });
  return pMapIterable(indices, (index) => readFrameToShow(storage, job, index, fills), {
    concurrency: transfers,
    backpressure: 2 * transfers,
  });
}

const next = async (packs: PackReader, pack: StoredPack, member: string) =>
  undamaged(member, await packs.read(pack, member));

async function* readPackedFrames(
  storage: Storage,
  job: VideoJob,
  { first, count }: FrameRange,
  fills: Fills,
  memory: FrameMemory,
): AsyncGenerator<Buffer> {
  const work = workOf(storage, job.jobId);
  const [scored, sources] = [new PackReader(work, memory), new PackReader(work, memory)];
  const { frameFormat: format } = job.spec.output;
  const packOf = (part: ScoredPart) => ({ blob: part.blob, isNamed: namesIn(part, format) });
  const { present } = await listScored(storage, job, first, count);
  const shownAgain = new Set(fills.values());
  let last: { index: number; frame: Buffer } | undefined;
  try {
    for (let index = first; index < first + count; index += 1) {
      const part = present.get(index);
      const { member } = placeOf(job, index);
      const filled = fills.get(index);
      if (part) {
        const read = await orScoredAgain(work, part.blob, () => next(scored, packOf(part), member));
        // What is shown again later may not lie in memory that others get meanwhile.
        const frame = shownAgain.has(index) ? Buffer.from(read) : read;
        last = { index, frame };
        yield frame;
      } else if (filled !== undefined) {
        if (last?.index !== filled) last = { index: filled, frame: await readFrameToShow(storage, job, filled, fills) };
        yield last.frame;
      } else if (fills.has(index)) {
        yield await orSplitAgain(storage, job, index, () => next(sources, sourcePack(job, index), member));
      } else throw goneFrame(work.containerName, member);
    }
  } catch (error) {
    if (error instanceof JobError && error.blame === 'item')
      await removeDamaged(work, new Set(present.values()), packOf);
    throw error;
  } finally {
    await Promise.all([scored.close(), sources.close()]);
  }
}

/**
 * The scored frame; for one that the batches have ended without, within the job's tolerance, what fills its place.
 * @throws JobError `item` when the output of any other frame is gone. One that is damaged is removed, so that it is scored again.
 */
export async function readFrameToShow(storage: Storage, job: VideoJob, index: number, fills: Fills): Promise<Buffer> {
  const work = workOf(storage, job.jobId);
  const scored = job.pack === 1 ? await readSingle() : await readPacked();
  if (scored) return scored;
  const filled = fills.get(index);
  if (filled !== undefined) return readFrameToShow(storage, job, filled, fills);
  if (fills.has(index)) return readSourceFrame(storage, job, index);
  throw goneFrame(work.containerName, placeOf(job, index).member);

  async function readSingle() {
    const blob = scoredPart({ first: index, last: index }, job.pack, job.spec.output.frameFormat);
    const frame = await readBytes(work, blob);
    return frame && orScoredAgain(work, blob, () => undamaged(blob, frame));
  }

  async function readPacked() {
    const { present } = await listScored(storage, job, index, 1);
    const part = present.get(index);
    return part && orScoredAgain(work, part.blob, () => readMember(work, { ...placeOf(job, index), blob: part.blob }));
  }
}

/**
 * The frame as it came: of a folder of frames, the file.
 * @throws JobError `user` when somebody removed the file; `item` when the frame is gone or damaged, as `orSplitAgain`.
 */
export async function readSourceFrame(storage: Storage, job: VideoJob, index: number): Promise<Buffer> {
  if (job.images !== undefined) {
    const [listed] = await readListed(storage, job, index, 1);
    const name = listed?.name ?? '';
    const { container, prefix } = imagesOf(storage, job.images);
    const file = await readBytes(container, `${prefix}${name}`);
    if (file) return file;
    throw new JobError('user', `The frame ${name} is gone from ${job.images}. Start the job again.`);
  }
  return orSplitAgain(storage, job, index, () => readFrame(workOf(storage, job.jobId), job, index));
}

/** @throws JobError `item` when the frame is gone or damaged. */
async function readFrame(work: ContainerClient, job: VideoJob, index: number): Promise<Buffer> {
  const { pack, spec, video } = job;
  const place = placeOf(job, index);
  if (pack > 1) {
    const { length } = ppmHeader(video.width, video.height);
    const even = { before: index - packStart(index, pack), bytes: length + 3 * video.width * video.height };
    return readMember(work, place, spec.output.frameFormat === 'ppm' ? even : undefined);
  }
  const frame = await readBytes(work, place.blob);
  if (!frame) throw goneFrame(work.containerName, place.blob);
  return undamaged(place.blob, frame);
}

const readMember = async (work: ContainerClient, { blob, member }: Place, even?: Even) =>
  undamaged(member, await readStoredMember(work, blob, member, even));

/**
 * Refuses frames whose pixels ffmpeg would take for whatever they are; those of the other formats it checks itself.
 * @throws JobError `item`
 */
function undamaged(name: string, frame: Buffer): Buffer {
  const damage = name.endsWith('.ppm') ? ppmDamage(frame) : undefined;
  if (damage !== undefined) throw new JobError('item', `The frame ${name} is damaged: ${damage}.`);
  return frame;
}

const goneFrame = (container: string, frame: string) =>
  new JobError('item', `The frame ${frame} is gone from ${container}.`);

/**
 * Reads a frame as it came; where it cannot be read, what is left of it is removed, so that it is split from the video again.
 * @throws JobError `item` as `read` does.
 */
async function orSplitAgain(
  storage: Storage,
  job: VideoJob,
  index: number,
  read: () => Promise<Buffer>,
): Promise<Buffer> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof JobError && error.blame === 'item') await removeDamagedFrames(storage, job, [index]);
    throw error;
  }
}
