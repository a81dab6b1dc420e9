import { readFile } from 'node:fs/promises';
import type ort from 'onnxruntime-node';
import { messageOf } from '../../../job/failure.js';
import { completeCard } from '../../../model-card/complete-card.js';
import type { ModelCard, PartialCard } from '../../../model-card/schema.js';
import type { ModelSignature, TrialRun } from '../../../model-card/signature.js';
import { outputNames, type Outputs } from '../../outputs/read-output.js';
import type { Picture, Size } from '../../pictures/codec.js';
import { planInput, sameSize } from '../../pictures/geometry.js';
import { loadCodec } from '../../pictures/load-codec.js';
import { planTiles } from '../../pictures/tiles.js';
import { createFeeder } from '../../tensors/feeder.js';
import type { FrameRequest } from '../engine-protocol.js';
import { batchOf, constantInputs, readView } from '../loaded-model.js';
import { scoreFrames } from '../score-frames.js';
import { runSession } from '../session.js';

/** What a model is tried with. */
export interface TrialRequest {
  /** As its owner wrote it. */
  card: PartialCard;
  labels?: string[];
  /** File of a picture to score. */
  picture?: string;
  /** Whether it is to be found out how long the picture takes. */
  timed?: boolean;
}

/** What a trial showed. */
export interface Trial {
  /** Of a model that takes any size, on pictures of different sizes. */
  runs: TrialRun[];
  /** Why the picture could not be scored; null when it could; absent when it was not tried, because that would take too long. */
  failure?: string | null;
  /** Seconds that all cores together take for the picture, when that is asked for. */
  cpuSeconds?: number;
  /** Whether there is nothing more to come. */
  done: boolean;
}

/**
 * Small, so that a run costs little, and multiples of 64, so that no model rounds them up. With two different widths it shows whether the
 * output has the same size whatever comes in.
 */
const SIZES: Size[] = [
  { width: 256, height: 192 },
  { width: 128, height: 192 },
];
/** The picture is not tried when that is expected to take more than this. */
const MOST_CPU_MS = 10_000;
const MOST_BYTES = 1024 ** 3;
/** What a network takes for a pixel of its input where no smaller run tells: more than most do. */
const BYTES_PER_PIXEL = 2500;

/**
 * Runs a model on pictures of different sizes, and then scores one picture as a scorer does. Yields what it knows after each step: the
 * process may be killed when the next one takes too long. A run that fails shows nothing: the model may not take that size.
 * @throws JobError `user`: the card does not go with the model.
 */
export async function* tryModel(
  session: ort.InferenceSession,
  signature: ModelSignature,
  { card: partial, labels, picture, timed }: TrialRequest,
): AsyncGenerator<Trial> {
  const trial: Trial = { runs: [], done: false };
  const card = completeCard(partial, signature, labels);
  const infer = createInference(session, card, signature);
  const cost = { cpuMs: 0, bytes: 0, pixels: 0 };
  for (const size of card.input.size.fixed === null ? SIZES : []) {
    const { scaled, padded } = planInput(card.input.size, size);
    const [memory, began] = [process.memoryUsage.rss(), process.cpuUsage()];
    const outputs = await infer([pattern(scaled)]).catch(() => undefined);
    if (outputs === undefined) break;
    const shapes = Object.entries(outputs).map(([name, { dims }]) => [name, [...dims]]);
    trial.runs.push({ input: padded, outputs: Object.fromEntries(shapes) as TrialRun['outputs'] });
    const { user, system } = process.cpuUsage(began);
    cost.cpuMs = (user + system) / 1000;
    cost.bytes = Math.max(cost.bytes, process.memoryUsage.rss() - memory);
    cost.pixels = padded.width * padded.height;
    yield trial;
  }
  const complete = completeCard(partial, signature, labels, trial.runs);
  const request = picture === undefined ? undefined : await open(picture, complete);
  if (request === undefined || !isCheap(request, complete, cost)) {
    yield { ...trial, done: true };
    return;
  }
  const first = process.cpuUsage();
  const score = () =>
    scoreFrames([request], complete, async (views) => {
      const outputs = await infer(views.map((view) => view.picture));
      const count = batchOf(card.input.name, signature) ?? views.length;
      return views.map((view, index) => readView(outputs, complete, view, { index, count }));
    });
  const [outcome] = await score();
  const shown: Trial = { ...trial, failure: outcome?.ok === false ? outcome.message : null, done: true };
  if (timed !== true || outcome?.ok === false) {
    yield shown;
    return;
  }
  // The first time takes longer, but says something if the second one takes too long.
  const firstSeconds = cpuSecondsSince(first);
  yield { ...shown, cpuSeconds: firstSeconds };
  const again = process.cpuUsage();
  await score();
  yield { ...shown, cpuSeconds: Math.min(firstSeconds, cpuSecondsSince(again)) };
}

function createInference(session: ort.InferenceSession, card: ModelCard, signature: ModelSignature) {
  const constants = constantInputs(card, signature);
  if (card.style) {
    const { scaled } = planInput(card.style.size, { width: 128, height: 128 });
    constants[card.style.name] = createFeeder(card.style, batchOf(card.style.name, signature))([pattern(scaled)]);
  }
  const feed = createFeeder(card.input, batchOf(card.input.name, signature));
  return (pictures: Picture[]): Promise<Outputs> =>
    runSession(session, { ...constants, [card.input.name]: feed(pictures) }, outputNames(card));
}

function cpuSecondsSince(began: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1e6;
}

/** A picture with different values everywhere. */
function pattern({ width, height }: Size): Picture {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, index) => (index * 7919) % 251);
  return { width, height, data };
}

/** Undefined for a picture that no codec reads: the scorer says which and why. */
async function open(file: string, { input }: ModelCard): Promise<FrameRequest | undefined> {
  try {
    const codec = await loadCodec('auto', () => undefined);
    const picture = await codec.decode(await readFile(file));
    const { scaled } = planInput(input.size, picture);
    const frame = sameSize(scaled, picture) ? picture : await codec.resize(picture, scaled);
    return { frame, original: { width: picture.width, height: picture.height } };
  } catch (error) {
    console.error(messageOf(error));
    return undefined;
  }
}

function isCheap(
  { frame }: FrameRequest,
  { input }: ModelCard,
  cost: { cpuMs: number; bytes: number; pixels: number },
) {
  const views = planTiles(input.size, frame).map((tile) => planInput(input.size, tile).padded);
  const pixels = views.map(({ width, height }) => width * height);
  const [largest, all] = [Math.max(...pixels), pixels.reduce((sum, own) => sum + own, 0)];
  const bytes = largest * (cost.pixels === 0 ? BYTES_PER_PIXEL : cost.bytes / cost.pixels);
  const room = Math.min(MOST_BYTES, process.availableMemory() / 2);
  return (cost.pixels === 0 || (cost.cpuMs * all) / cost.pixels <= MOST_CPU_MS) && bytes <= room;
}
