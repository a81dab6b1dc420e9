import { framesBlob, memberName, packStart } from '../../container-contract/places.js';
import { readAhead } from '../../container-contract/read-ahead.js';
import type { ScoreTask, TaskItem } from '../../container-contract/task.js';
import { JobError } from '../../job/failure.js';
import { ppmDamage } from '../../job/items/ppm.js';
import { PACK_BYTES } from '../../job/plan.js';
import type { TaskBlobs } from './task-blobs.js';

/** An item to score and its file. */
export interface Input {
  item: TaskItem;
  /** @throws JobError `item` when a picture that a user has brought is not there; `platform`, as a lost frame, when a frame is not, or not whole. */
  file: () => Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Set of a frame that is a file of its own: whether it is still what the app has stored shows only when it is decoded.
   * @returns what the failure to do so comes to.
   */
  undecoded?: (error: unknown) => unknown;
}

interface InputPlaces extends Pick<ScoreTask, 'pack' | 'frames'> {
  blobs: Pick<TaskBlobs, 'readInput' | 'readFrame' | 'readPack'>;
  /** Ends the transfers of what nobody scores any more. */
  stop: AbortSignal;
  /** Ends the transfers of items that are being scored. */
  abandon: AbortSignal;
}

/**
 * The items with their files, in order. Frames of packs come as their packs arrive, a pack after the other and ahead of their use, as far
 * as memory allows; of a pack whose second half is wanted at most, no more is read. Whoever takes a picture or a frame that is a file of its own reads it himself.
 * @throws JobError `platform` when storage does not let a pack be read, after the frames that had arrived.
 */
export async function* readInputs(items: TaskItem[], places: InputPlaces): AsyncGenerator<Input> {
  const { blobs, pack, frames, abandon } = places;
  const [first] = items;
  if (first?.input === undefined && pack > 1) {
    yield* readAhead(arrivingFrames(items, places), PACK_BYTES, ({ bytes }) => bytes);
    return;
  }
  for (const item of items) {
    const { index, input, etag } = item;
    if (input === undefined) {
      const blob = framesBlob(index, pack, frames);
      const undecoded = (error: unknown) =>
        isOfItem(error) ? lost(new JobError('item', `${blob}: ${error.message}`, { cause: error })) : error;
      yield { item, file: () => readSingle(blob, places), undecoded };
    } else yield { item, file: () => blobs.readInput(input, abandon, etag) };
  }
}

/** A frame that is a file of its own. */
async function readSingle(blob: string, { blobs, frames, abandon }: InputPlaces): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const bytes = await blobs.readFrame(blob, abandon);
    const damage = frames === 'ppm' ? ppmDamage(bytes) : undefined;
    if (damage !== undefined) throw new JobError('item', `${blob} cannot be read: ${damage}`);
    return bytes;
  } catch (error) {
    throw isOfItem(error) ? lost(error) : error;
  }
}

const isOfItem = (error: unknown): error is JobError => error instanceof JobError && error.blame === 'item';

/** The app has stored the frame: it is not to blame for being gone. */
const lost = (cause: JobError) => new JobError('platform', cause.message, { cause, lostFrame: true });

interface Arrived extends Input {
  bytes: number;
}

async function* arrivingFrames(items: TaskItem[], { blobs, pack, frames, stop }: InputPlaces): AsyncGenerator<Arrived> {
  const byPack = new Map<string, TaskItem[]>();
  for (const item of items) {
    const blob = framesBlob(item.index, pack, frames);
    byPack.set(blob, [...(byPack.get(blob) ?? []), item]);
  }
  for (const [blob, wanted] of byPack) {
    const missing = new Map(wanted.map((item) => [memberName(item.index, frames), item]));
    const first = packStart(wanted[0]?.index ?? 0, pack);
    const isNamed = (name: string, position: number) => name === memberName(first + position, frames);
    const before = (wanted[0]?.index ?? 0) - first;
    let failure = new JobError('item', `it is not in ${blob}`);
    try {
      for await (const { name, bytes } of blobs.readPack(blob, isNamed, before < pack / 2 ? 0 : before, stop)) {
        const item = missing.get(name);
        missing.delete(name);
        if (item) yield { item, bytes: bytes.length, file: () => Promise.resolve(bytes) };
      }
    } catch (error) {
      if (!isOfItem(error)) throw error;
      failure = error;
    }
    const file = () => Promise.reject(lost(failure));
    for (const item of missing.values()) yield { item, bytes: 0, file };
  }
}
