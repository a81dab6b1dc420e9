import { JobError, messageOf } from '../job/failure.js';
import type { ModelCard } from '../job/model-card.js';
import type { TaskItem } from '../job/task.js';
import type { Codec } from './codec.js';
import { contentTypeOf, formatOf } from './codec.js';
import type { Engine } from './engine.js';
import { planInput, sameSize } from './geometry.js';
import { runLanes } from './lanes.js';
import type { Picture, Size } from './picture.js';
import type { ScorerStorage } from './storage.js';
import type { Tally } from './tally.js';

/** Pixels in flight are kept below this many bytes, apart from the first three items. */
const MEMORY_BYTES = 384 * 1024 * 1024;
/** An item in flight: its file, its pixels, the scored pixels and their file, three bytes a pixel each. */
const BYTES_PER_PIXEL = 12;

export interface PipelineParts {
  storage: ScorerStorage;
  codec: Codec;
  engine: Engine;
  card: ModelCard;
  tally: Tally;
  /** Told about each failed item. */
  warn: (sentence: string) => void;
}

/**
 * Scores the items: fetch, decode, prepare, infer, finish, encode and store of different items overlap.
 * @param stop no new item is begun once it is aborted.
 * @param abandon ends the transfers of the items in flight.
 * @throws JobError `platform`: storage or the engine failed; failures of items are tallied and not thrown.
 */
export async function scoreItems(
  items: TaskItem[],
  parts: PipelineParts,
  stop: AbortSignal,
  abandon: AbortSignal,
): Promise<void> {
  const { engine, tally } = parts;
  // The first frame always finds the engine with nothing to do.
  let starvedBefore = 1;
  let largest = 0;
  await runLanes({
    items,
    work: async (item) => {
      try {
        const frame = await scoreItem(item, parts, abandon);
        largest = Math.max(largest, frame.width * frame.height);
        tally.itemDone(item);
      } catch (error) {
        if (error instanceof JobError && error.kind !== 'item') throw error;
        const reason = messageOf(error);
        tally.itemFailed(item, reason);
        parts.warn(`item ${item.name} failed: ${reason}`);
      }
    },
    starved: () => {
      const starved = engine.starved > starvedBefore;
      starvedBefore = engine.starved;
      return starved;
    },
    mayGrow: (lanes) => lanes * largest * BYTES_PER_PIXEL < MEMORY_BYTES,
    signal: stop,
  });
}

async function scoreItem(item: TaskItem, parts: PipelineParts, signal: AbortSignal): Promise<Size> {
  const { storage, codec, engine, card, tally } = parts;
  const file = await tally.timed('fetch', () => storage.readInput(item, signal));
  const frame = await tally.timed('decode', () => codec.decode(file));
  const size = { width: frame.width, height: frame.height };
  const scaled = await tally.timed('prepare', () => toSize(codec, frame, planInput(card.input.size, frame).scaled));
  const scored = await engine.score(scaled);
  tally.timings.prepare += scored.prepare;
  tally.timings.infer += scored.infer;
  tally.timings.finish += scored.finish;
  const restored = await tally.timed('finish', () => toSize(codec, scored.picture, size));
  const format = formatOf(item.output);
  const encoded = await tally.timed('encode', () => codec.encode(restored, format));
  await tally.timed('store', () => storage.storeOutput(item, encoded, contentTypeOf(format), signal));
  return size;
}

async function toSize(codec: Codec, picture: Picture, size: Size): Promise<Picture> {
  return sameSize(picture, size) ? picture : codec.resize(picture, size);
}
