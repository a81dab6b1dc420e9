import { JobError, messageOf } from '../job/failure.js';
import type { ModelCard } from '../job/model-card.js';
import type { TaskItem } from '../job/task.js';
import type { Codec } from './codec.js';
import { contentTypeOf, formatOf } from './codec.js';
import type { Engine } from './engine.js';
import type { FrameOutput } from './engine-protocol.js';
import { enlarge, planInput, sameSize } from './geometry.js';
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
  const scored = await engine.score(scaled, size);
  tally.timings.prepare += scored.prepare;
  tally.timings.infer += scored.infer;
  tally.timings.finish += scored.finish;
  const { bytes, contentType } = await toFile(scored.output, item, size, parts);
  await tally.timed('store', () => storage.storeOutput(item, bytes, contentType, signal));
  return size;
}

/** What is stored for an item: a picture, one JSON line or an array. */
async function toFile(
  output: FrameOutput,
  item: TaskItem,
  frame: Size,
  { codec, card, tally }: PipelineParts,
): Promise<{ bytes: Buffer; contentType: string }> {
  if (output.kind === 'record') {
    const line = `${JSON.stringify({ item: item.name, ...output.record })}\n`;
    return { bytes: Buffer.from(line), contentType: 'application/json' };
  }
  if (output.kind === 'array')
    return { bytes: Buffer.from(output.bytes.buffer), contentType: 'application/octet-stream' };
  const size = enlarge(frame, ('scale' in card.output ? card.output.scale : undefined) ?? 1);
  const restored = await tally.timed('finish', () => toSize(codec, output.picture, size));
  const format = formatOf(item.output);
  const bytes = await tally.timed('encode', () => codec.encode(restored, format));
  return { bytes, contentType: contentTypeOf(format) };
}

async function toSize(codec: Codec, picture: Picture, size: Size): Promise<Picture> {
  return sameSize(picture, size) ? picture : codec.resize(picture, size);
}
