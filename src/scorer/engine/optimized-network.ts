import type ort from 'onnxruntime-node';
import { JobError, messageOf } from '../../job/failure.js';
import type { ModelCard } from '../../model-card/schema.js';
import { outputNames, type Outputs } from '../outputs/read-output.js';
import { cutTile } from '../pictures/tiles.js';
import type { Picture } from '../pictures/codec.js';
import { numbersOf } from '../tensors/tensor.js';
import { loadSession, type Place, runSession, shorten } from './session.js';

/**
 * Makes a network faster on CPUs without changing what it computes, apart from rounding.
 * @param model the bytes of an ONNX file.
 * @returns undefined when there is nothing to gain.
 */
export type Optimizer = (model: Uint8Array) => Uint8Array | undefined;

/** Whether a model runs in its optimized form; when it should and does not, a clause that says why. */
export type Optimized = boolean | string;

export interface CpuNetwork {
  session: ort.InferenceSession;
  optimized: Optimized;
}

/** Longest side of the picture that is compared: the optimization is the same everywhere, and a frame may need gigabytes. */
const COMPARED_PIXELS = 128;
/** The share of the output's range by which the outputs may differ: one step of a byte. */
const TOLERANCE = 1 / 255;

/**
 * Loads the optimized form of a model for the CPU where there is one, else the model as its file says.
 * @throws JobError `user`: the model cannot be loaded.
 */
export async function loadOptimized(
  model: Uint8Array,
  subject: string,
  place: Place,
  optimize: Optimizer,
): Promise<CpuNetwork> {
  let reason: string | undefined;
  try {
    const faster = optimize(model);
    if (faster !== undefined) return { session: await loadSession(faster, subject, place), optimized: true };
  } catch (error) {
    reason = `optimizing it failed: ${shorten(messageOf(error))}`;
  }
  return { session: await loadSession(model, subject, place), optimized: reason ?? false };
}

/** The part in the middle of a picture that stands for the whole when networks of any picture size are compared. */
export function pictureToCompare(picture: Picture, { input }: ModelCard): Picture {
  if (input.size.fixed !== null) return picture;
  const [width, height] = [Math.min(picture.width, COMPARED_PIXELS), Math.min(picture.height, COMPARED_PIXELS)];
  const [left, top] = [(picture.width - width) / 2, (picture.height - height) / 2].map(Math.floor);
  return cutTile(picture, { left: left ?? 0, top: top ?? 0, width, height });
}

/**
 * Runs both forms of a network on the same input.
 * @param again is called before each runs.
 * @returns why the optimized form must not be used; undefined when it may.
 */
export async function compareNetworks(
  own: ort.InferenceSession,
  optimized: ort.InferenceSession,
  feeds: Outputs,
  card: ModelCard,
  again: () => void,
): Promise<string | undefined> {
  try {
    const names = outputNames(card);
    again();
    const expected = await runSession(own, feeds, names);
    again();
    const found = await runSession(optimized, feeds, names);
    for (const name of names) {
      const difference = largestDifference(outputOf(expected, name), outputOf(found, name), card.output);
      if (difference > TOLERANCE) return `its output "${name}" ${describe(difference)}`;
    }
    return undefined;
  } catch (error) {
    return `it could not be compared with the model's own network: ${messageOf(error)}`;
  }
}

function outputOf(outputs: Outputs, name: string): ArrayLike<number> {
  const tensor = outputs[name];
  if (tensor === undefined) throw new JobError('item', `it gave no tensor called "${name}"`);
  return numbersOf(tensor);
}

/**
 * The largest difference of two values, as a share of the output's range: of a picture that from black to white, of other outputs
 * that of the values, with 0.
 */
function largestDifference(expected: ArrayLike<number>, found: ArrayLike<number>, output: ModelCard['output']): number {
  if (expected.length !== found.length) return Infinity;
  let [most, low, high] = [0, 0, 0];
  for (let index = 0; index < expected.length; index += 1) {
    const [one, other] = [expected[index] ?? 0, found[index] ?? 0];
    if (!Object.is(one, other)) {
      const difference = Math.abs(one - other);
      most = Number.isNaN(difference) ? Infinity : Math.max(most, difference);
    }
    if (one < low) low = one;
    if (one > high) high = one;
  }
  return most === 0
    ? 0
    : most / ('range' in output && output.range !== 'auto' ? rangeOf(output.range, output.std) : high - low);
}

/** From black to white in the values that the model gives; the narrowest where channels differ. */
function rangeOf([black, white]: [number, number], std = [1]): number {
  return (white - black) / Math.max(...std);
}

function describe(difference: number): string {
  if (difference === Infinity) return 'has another size, or values that are not finite numbers';
  return `differs by ${(difference * 100).toFixed(1)} % of its range from that of the model's own network`;
}
