import { JobError, messageOf } from '../../job/failure.js';
import { resultSize } from '../../model-card/complete-size.js';
import type { ModelCard } from '../../model-card/schema.js';
import type { TaskItem } from '../../container-contract/task.js';
import { type Codec, formatOf, type Picture, PIXEL_LIMIT, type Size } from '../pictures/codec.js';
import type { EnginePool } from '../engine/engine-pool.js';
import type { FrameRequest } from '../engine/engine-protocol.js';
import { drawOutput } from '../outputs/draw.js';
import type { FrameOutput } from '../outputs/read-output.js';
import { planInput, sameSize } from '../pictures/geometry.js';
import type { Log } from './attempt-log.js';
import { firstLanes, runLanes } from './lanes.js';
import { MicroBatches } from './micro-batches.js';
import type { TaskBlobs } from './task-blobs.js';
import type { ItemTime, Tally } from './tally.js';

/** No further item is taken up when the pixels in flight would exceed this many bytes; the first lanes always run. */
const MEMORY_BYTES = 384 * 1024 * 1024;
/** An item in flight holds its file and its pixels, the scored pixels and their file: at three bytes a pixel each. */
const BYTES_PER_PIXEL = 6;

interface ScoringParts {
  blobs: Pick<TaskBlobs, 'readInput' | 'storeOutput'>;
  codec: Codec;
  engine: Pick<EnginePool, 'score' | 'size' | 'starved'>;
  card: ModelCard;
  tally: Tally;
  /** Is told of failed items, and of a model that does not run in its optimized form. */
  log: Log;
}

/**
 * Scores the items. Different items are fetched, decoded, prepared, inferred, finished, encoded and stored at the same time.
 * @param stop once it is aborted, no new item starts.
 * @param abandon ends the transfers of the items in flight.
 * @throws JobError `platform`: storage or the engine failed; failed items are tallied, not thrown.
 */
export async function scoreItems(
  items: TaskItem[],
  parts: ScoringParts,
  stop: AbortSignal,
  abandon: AbortSignal,
): Promise<void> {
  const { engine, tally, card } = parts;
  const { batch = 1 } = card;
  const batches = new MicroBatches(engine, batch, items.length, ({ prepare, finish, optimized, doubt }) => {
    if (typeof optimized === 'string' && tally.optimized !== optimized)
      parts.log(`the model runs without the optimization of its network: ${optimized}`, 'warn');
    if (typeof tally.optimized !== 'string') tally.optimized = optimized;
    if (doubt !== undefined) tally.warn(doubt);
    tally.account.noInference((prepare + finish) / engine.size);
  });
  if (stop.aborted) batches.end();
  else stop.addEventListener('abort', () => batches.end(), { once: true });
  // The first frames always find their engines with nothing to do.
  let starvedBefore = engine.size;
  let largest = 0;
  await runLanes({
    items,
    first: firstLanes(batch, engine.size),
    work: async (item) => {
      const time = tally.itemTime();
      try {
        const frame = await scoreItem(item, { ...parts, batches, time }, abandon);
        largest = Math.max(largest, pixelsOf(frame) + pixelsOf(resultSize(card.output, frame)));
        tally.itemDone(item, time);
      } catch (error) {
        if (error instanceof JobError && error.blame !== 'item') {
          batches.end();
          throw error;
        }
        const reason = messageOf(error);
        tally.itemFailed(item, reason, time);
        parts.log(`item ${item.name} failed: ${reason}`, 'warn');
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

const pixelsOf = ({ width, height }: Size) => width * height;

interface ItemParts extends ScoringParts {
  batches: MicroBatches;
  time: ItemTime;
}

async function scoreItem(item: TaskItem, parts: ItemParts, signal: AbortSignal): Promise<Size> {
  const { blobs, batches, time } = parts;
  const { shown, ...request } = await prepareItem(item, parts, signal).catch((error: unknown) => {
    batches.without();
    throw error;
  });
  const output = await batches.score(request, (spent) => time.spend(spent));
  const bytes = await toFile(output, item, request.original, parts);
  const { prediction } = item;
  if (shown && prediction !== undefined) {
    // The picture comes last: where it is, the prediction is too.
    await time.during('store', () => blobs.storeOutput(prediction, bytes, signal));
    const drawn = await time.during('encode', () =>
      parts.codec.encode(drawOutput(shown, output), formatOf(item.output)),
    );
    await time.during('store', () => blobs.storeOutput(item.output, drawn, signal));
  } else await time.during('store', () => blobs.storeOutput(item.output, bytes, signal));
  return request.original;
}

interface PreparedItem extends FrameRequest {
  /** The picture to draw into, where that is asked for: the engine takes the frame's own pixels away. */
  shown?: Picture | undefined;
}

async function prepareItem(item: TaskItem, parts: ItemParts, signal: AbortSignal): Promise<PreparedItem> {
  const { blobs, codec, card, time } = parts;
  const file = await time.during('fetch', () => blobs.readInput(item, signal));
  const picture = await time.during('decode', () => codec.decode(file, formatOf(item.input)));
  const original = { width: picture.width, height: picture.height };
  const result = resultSize(card.output, original);
  if (pixelsOf(result) > PIXEL_LIMIT)
    throw new JobError(
      'item',
      `its result would have ${result.width}x${result.height} pixels, and at most ${PIXEL_LIMIT} are made`,
    );
  const { scaled } = planInput(card.input.size, picture);
  const shown = item.prediction === undefined ? undefined : { ...picture, data: picture.data.slice() };
  return { frame: await time.during('prepare', () => toSize(codec, picture, scaled)), original, shown };
}

/** What is stored for an item: a picture, one JSON line or an array. */
async function toFile(
  output: FrameOutput,
  item: TaskItem,
  frame: Size,
  { codec, card, time }: ItemParts,
): Promise<Buffer> {
  if (output.kind === 'record') return Buffer.from(`${JSON.stringify({ item: item.name, ...output.record })}\n`);
  if (output.kind === 'array') return Buffer.from(output.bytes.buffer);
  if (output.kind === 'mask') return time.during('encode', () => codec.encodeMask(output.picture));
  const restored = await time.during('finish', () => toSize(codec, output.picture, resultSize(card.output, frame)));
  return time.during('encode', () => codec.encode(restored, formatOf(item.output)));
}

async function toSize(codec: Codec, picture: Picture, size: Size): Promise<Picture> {
  return sameSize(picture, size) ? picture : codec.resize(picture, size);
}
