import { JobError, messageOf } from '../../job/failure.js';
import { resultSize } from '../../model-card/complete-size.js';
import { inputIdOf, writeInputId } from '../../container-contract/input-id.js';
import { absentMetadata, memberName, predictedPart, scoredPart } from '../../container-contract/places.js';
import type { ScoreTask, TaskItem } from '../../container-contract/task.js';
import { PACK_BYTES } from '../../job/plan.js';
import { type Codec, formatOf, type Picture, PIXEL_LIMIT, type Size } from '../pictures/codec.js';
import type { EnginePool } from '../engine/engine-pool.js';
import type { FrameRequest, ScoredFrames } from '../engine/engine-protocol.js';
import { drawOutput } from '../outputs/draw.js';
import type { FrameOutput } from '../outputs/read-output.js';
import { planInput, sameSize } from '../pictures/geometry.js';
import type { Log } from '../records/attempt-log.js';
import type { InferenceWatch } from './inference-watch.js';
import { type Input, readInputs } from './inputs.js';
import { firstLanes, runLanes } from './lanes.js';
import { MicroBatches } from './micro-batches.js';
import { type ItemOutput, OutputPacks, type Part } from './output-packs.js';
import type { Announce } from './reach.js';
import type { TaskBlobs } from './task-blobs.js';
import type { ItemTime, Tally } from '../records/tally.js';

/** No further item is taken up when the pixels in flight would exceed this many bytes; the first lanes always run. */
const MEMORY_BYTES = 384 * 1024 * 1024;
/** An item in flight holds its file and its pixels, the scored pixels and their file: at three bytes a pixel each. */
const BYTES_PER_PIXEL = 6;

/** Of packs one is read ahead, one waits for the rest of its items, and one is being stored. */
const PACKS_HELD = 3;

/** What items are read from, and their outputs written to. */
export type ItemBlobs = Pick<TaskBlobs, 'readInput' | 'readFrame' | 'readPack' | 'storeOutput' | 'storePack'>;

interface ScoringParts {
  blobs: ItemBlobs;
  codec: Codec;
  engine: Pick<EnginePool, 'score' | 'size' | 'starved'>;
  task: Pick<ScoreTask, 'card' | 'pack' | 'packSeconds' | 'frames' | 'output'>;
  tally: Tally;
  /** Is told of failed items, and of a model that does not run in its optimized form. */
  log: Log;
  watch: Pick<InferenceWatch, 'begin' | 'again' | 'end'>;
  /** Is called before each item is taken up, one call after the other. */
  announce: Announce;
  /** Whether each item is scored by itself: it is taken up when the one before it is done. */
  oneByOne: boolean;
}

/**
 * Scores the items. Different items are fetched, decoded, prepared, inferred, finished, encoded and stored at the same time.
 * @param stop once it is aborted, no new item starts, and what was scored is stored.
 * @param abandon ends the transfers of the items in flight.
 * @throws JobError `platform`: storage or the engine failed; failed items and lost ones are tallied, not thrown. What was scored before is
 * stored.
 */
export async function scoreItems(
  items: TaskItem[],
  parts: ScoringParts,
  stop: AbortSignal,
  abandon: AbortSignal,
): Promise<void> {
  const { engine, tally, task, blobs, oneByOne } = parts;
  const { card, pack, packSeconds: seconds, frames } = task;
  const batch = oneByOne ? 1 : (card.batch ?? 1);
  const hear = ({ prepare, finish, optimized, doubt }: ScoredFrames) => {
    if (typeof optimized === 'string' && tally.optimized !== optimized)
      parts.log(`the model runs without the optimization of its network: ${optimized}`, 'warn');
    if (typeof tally.optimized !== 'string') tally.optimized = optimized;
    if (doubt !== undefined) tally.warn(doubt);
    tally.account.noInference((prepare + finish) / engine.size);
  };
  const batches = new MicroBatches(engine, batch, items.length, hear, parts.watch);
  const outputs = new OutputPacks({ items, pack, seconds, store: (part) => storePart(part, parts, abandon) });
  const flush = () => tally.account.during('store', () => outputs.flush());
  let flushed = Promise.resolve();
  const end = () => {
    batches.end();
    flushed = flush();
    // Whoever waits for all of it hears of a failure.
    flushed.catch(() => undefined);
  };
  if (stop.aborted) end();
  else stop.addEventListener('abort', end, { once: true });
  // The first frames always find their engines with nothing to do.
  let starvedBefore = engine.size;
  let largest = 0;
  const held = pack === 1 ? 0 : PACKS_HELD * PACK_BYTES;
  try {
    await runLanes({
      items: timed(readInputs(items, { blobs, pack, frames, stop, abandon }), parts, () => batches.end()),
      first: oneByOne ? 1 : firstLanes(batch, engine.size),
      work: async ({ time, ...input }) => {
        const { item } = input;
        let output: ItemOutput | undefined;
        let reason: string | undefined;
        try {
          const { original, ...made } = await scoreItem(input, { ...parts, batches, time });
          largest = Math.max(largest, pixelsOf(original) + pixelsOf(resultSize(card.output, original)));
          output = { item, ...made };
        } catch (error) {
          if (error instanceof JobError && error.lostFrame) {
            const why = messageOf(error);
            if (tally.itemLost(item, why)) parts.log(`item ${item.name} has lost its frame: ${why}`, 'warn');
            return;
          }
          if (error instanceof JobError && error.blame !== 'item') {
            batches.end();
            throw error;
          }
          reason = messageOf(error);
          parts.log(`item ${item.name} failed: ${reason}`, 'warn');
        }
        await time.during('store', () => outputs.add(item.index, output));
        if (reason === undefined) tally.itemScored(item, time);
        else tally.itemFailed(item, reason, time);
      },
      starved: () => {
        const starved = engine.starved > starvedBefore;
        starvedBefore = engine.starved;
        return starved;
      },
      mayGrow: (lanes) => !oneByOne && lanes * largest * BYTES_PER_PIXEL + held < MEMORY_BYTES,
      signal: stop,
    });
  } finally {
    await flushed;
    await flush();
  }
}

/** Announces the items, and measures how long each is waited for. @param end is called when fewer come than there are. */
async function* timed(
  inputs: AsyncGenerator<Input>,
  { tally, announce }: Pick<ScoringParts, 'tally' | 'announce'>,
  end: () => void,
): AsyncGenerator<Input & { time: ItemTime }> {
  try {
    for (;;) {
      const asked = performance.now();
      const step = await tally.account.during('fetch', () => inputs.next());
      if (step.done === true) return;
      const time = tally.itemTime();
      time.add('fetch', performance.now() - asked);
      if (!(await announce(step.value.item))) {
        end();
        return;
      }
      yield { ...step.value, time };
    }
  } catch (error) {
    end();
    throw error;
  } finally {
    await inputs.return(undefined);
  }
}

async function storePart(
  part: Part,
  { blobs, tally, task: { pack, output } }: Pick<ScoringParts, 'blobs' | 'tally' | 'task'>,
  signal: AbortSignal,
): Promise<void> {
  const { outputs, absent } = part;
  const store = async (name: string, ending: string, bytesOf: (output: ItemOutput) => Uint8Array | undefined) => {
    const members = outputs.flatMap((each) => {
      const bytes = bytesOf(each);
      return bytes === undefined ? [] : [{ name: memberName(each.item.index, ending), bytes }];
    });
    if (pack > 1) await blobs.storePack(name, members, absentMetadata(part, absent), signal);
    else for (const { bytes } of members) await blobs.storeOutput(name, bytes, signal, madeOf(outputs[0]));
  };
  const { ending, prediction } = output;
  // The pictures come last: where they are, the predictions are too.
  if (prediction !== undefined)
    await store(predictedPart(part, pack, prediction), prediction, (each) => each.prediction);
  await store(scoredPart(part, pack, ending), ending, (each) => each.scored);
  tally.itemsStored(outputs.map(({ item }) => item));
}

const madeOf = (output: ItemOutput | undefined): Record<string, string> =>
  output?.input === undefined ? {} : { input: output.input };

const pixelsOf = ({ width, height }: Size) => width * height;

interface ItemParts extends ScoringParts {
  batches: MicroBatches;
  time: ItemTime;
}

interface Made extends Omit<ItemOutput, 'item'> {
  original: Size;
}

async function scoreItem(input: Input, parts: ItemParts): Promise<Made> {
  const { batches, time, task } = parts;
  const {
    shown,
    input: id,
    ...request
  } = await prepareItem(input, parts).catch((error: unknown) => {
    batches.without();
    throw error;
  });
  const { original } = request;
  const output = await batches.score(request, input.item, (spent) => time.spend(spent));
  const bytes = await toFile(output, { name: input.item.name, input: id }, original, parts);
  if (!shown) return { original, input: id, scored: bytes };
  const drawn = await time.during('encode', () =>
    parts.codec.encode(drawOutput(shown, output), formatOf(task.output.ending)),
  );
  return { original, input: id, scored: drawn, prediction: bytes };
}

interface PreparedItem extends FrameRequest {
  /** The picture to draw into, where that is asked for: the engine takes the frame's own pixels away. */
  shown?: Picture | undefined;
  /** What tells a picture that a user has brought. */
  input?: string | undefined;
}

async function prepareItem({ item, file: read, undecoded }: Input, parts: ItemParts): Promise<PreparedItem> {
  const { codec, task, time } = parts;
  const { card, output } = task;
  const file = await time.during('fetch', () => read());
  // Decoding takes the bytes away.
  const input = item.input === undefined ? undefined : writeInputId(inputIdOf(item, file));
  const picture = await time
    .during('decode', () => codec.decode(file, item.input === undefined ? task.frames : undefined))
    .catch((error: unknown) => {
      throw undecoded ? undecoded(error) : error;
    });
  const original = { width: picture.width, height: picture.height };
  const result = resultSize(card.output, original);
  if (pixelsOf(result) > PIXEL_LIMIT)
    throw new JobError(
      'item',
      `its result would have ${result.width}x${result.height} pixels, and at most ${PIXEL_LIMIT} are made`,
    );
  const { scaled } = planInput(card.input.size, picture);
  const shown = output.prediction === undefined ? undefined : { ...picture, data: picture.data.slice() };
  return { frame: await time.during('prepare', () => toSize(codec, picture, scaled)), original, shown, input };
}

/** What is stored for an item: a picture, one JSON line or an array. */
async function toFile(
  output: FrameOutput,
  item: { name: string; input: string | undefined },
  frame: Size,
  { codec, task: { card, output: format }, time }: ItemParts,
): Promise<Buffer> {
  if (output.kind === 'record')
    return Buffer.from(`${JSON.stringify({ item: item.name, input: item.input, ...output.record })}\n`);
  if (output.kind === 'array') return Buffer.from(output.bytes.buffer);
  if (output.kind === 'mask') return time.during('encode', () => codec.encodeMask(output.picture));
  const restored = await time.during('finish', () => toSize(codec, output.picture, resultSize(card.output, frame)));
  return time.during('encode', () => codec.encode(restored, formatOf(format.ending)));
}

async function toSize(codec: Codec, picture: Picture, size: Size): Promise<Picture> {
  return sameSize(picture, size) ? picture : codec.resize(picture, size);
}
