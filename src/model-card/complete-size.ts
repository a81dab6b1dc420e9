import { counted, JobError } from '../job/failure.js';
import { DEFAULTS, type ModelCard, type PartialSize, type SizeRule } from './schema.js';
import { describeTensor, imageSize, type ImageSize, type Layout, type TensorSignature } from './signature.js';

/**
 * The size rule of a picture input.
 * @param longestSide the default for pictures of any size; null: none.
 * @throws JobError `user`: the card contradicts the model or itself.
 */
export function completeSize(
  card: PartialSize,
  tensor: TensorSignature,
  layout: Layout,
  longestSide: number | null,
): SizeRule {
  const { width, height } = imageSize(tensor, layout);
  const fixed = card.fixed ?? (width !== undefined && height !== undefined ? [width, height] : null);
  const fits = fixed === null ? width === undefined && height === undefined : agrees(fixed, width, height);
  if (!fits) {
    const what =
      fixed === null
        ? `The model fixes one side of ${describeTensor(tensor)}: give both as "size.fixed" in the model card.`
        : `The model card says ${fixed.join('x')}, but the model says ${describeTensor(tensor)}: correct "size.fixed" in the card.`;
    throw new JobError('user', what);
  }
  const { multipleOf = 1, minimum = 1 } = card;
  const tiles = completeTiles(card.tiles, fixed, tensor);
  const scales = typeof card.longestSide === 'number' && tiles === undefined;
  if (fixed !== null && (multipleOf > 1 || minimum > 1 || scales)) {
    throw new JobError(
      'user',
      `The model card gives ${describeTensor(tensor)} the fixed size ${fixed.join('x')}, so its other size rules have no effect: leave them out.`,
    );
  }
  const { keepProportions } = card;
  if (keepProportions === true && (fixed === null || tiles !== undefined))
    throw new JobError(
      'user',
      `The model card sets "size.keepProportions" for ${describeTensor(tensor)}, whose pictures are never stretched: leave it out, or give "size.fixed" without tiles.`,
    );
  const longest = card.longestSide === undefined ? longestSide : card.longestSide;
  return {
    fixed,
    longestSide: fixed === null || tiles !== undefined ? longest : null,
    multipleOf,
    minimum,
    ...(keepProportions !== undefined && { keepProportions }),
    ...(tiles && { tiles }),
  };
}

/** @throws JobError `user`: the size of the tiles is missing or not the model's, or they overlap by more than half. */
function completeTiles(
  card: PartialSize['tiles'],
  fixed: SizeRule['fixed'],
  tensor: TensorSignature,
): SizeRule['tiles'] {
  if (!card) return undefined;
  const size = card.size ?? fixed;
  if (size === null)
    throw new JobError(
      'user',
      `The model takes any size, so its card must say how large tiles are: give "size.tiles.size".`,
    );
  if (fixed !== null && !agrees(size, ...fixed))
    throw new JobError(
      'user',
      `The model card says tiles of ${size.join('x')}, but ${describeTensor(tensor)} takes ${fixed.join('x')}: leave "size.tiles.size" out.`,
    );
  const most = Math.floor(Math.min(...size) / 2);
  const { overlap = Math.min(DEFAULTS.tileOverlap, most) } = card;
  if (overlap > most)
    throw new JobError(
      'user',
      `The model card lets tiles of ${size.join('x')} overlap by ${counted(overlap, 'pixel')}: "size.tiles.overlap" can be at most ${most}.`,
    );
  return { size, overlap };
}

/** Whether the model has this size, or leaves it open. */
function agrees(
  [width, height]: [number, number],
  modelWidth: number | undefined,
  modelHeight: number | undefined,
): boolean {
  return (modelWidth ?? width) === width && (modelHeight ?? height) === height;
}

/** A model that rounds its output up adds fewer pixels than this to a side; one that adds more is taken to scale. */
export const LARGEST_OVERHANG = 64;

/** Pixels, both known. */
interface Size {
  width: number;
  height: number;
}

/** So many times as wide and as high, rounded down as networks do it. */
export function enlarge({ width, height }: Size, scale: number): Size {
  // A product such as 100 * 0.29 is a little too small.
  const side = (pixels: number) => Math.max(1, Math.floor(pixels * scale + 1e-6));
  return { width: side(width), height: side(height) };
}

/** The size of what is made of a frame: the frame's own, unless the card of a model that gives pictures says otherwise. */
export function resultSize(output: ModelCard['output'], frame: Size): Size {
  if (output.kind !== undefined && output.kind !== 'image') return frame;
  if (output.size) return { width: output.size[0], height: output.size[1] };
  return enlarge(frame, output.scale ?? 1);
}

/** Fractions that models enlarge or reduce by have denominators up to this. */
const LARGEST_DENOMINATOR = 4;
const LARGEST_SCALE = 16;

/** How many times as large as each of these inputs a model's output is, from 1/4 to 16; undefined when no one fraction fits them all. */
export function commonScale(pairs: { from: Size; to: Size }[]): number | undefined {
  const [first] = pairs;
  if (first === undefined) return undefined;
  for (let denominator = 1; denominator <= LARGEST_DENOMINATOR; denominator += 1) {
    const scale = Math.round((first.to.width * denominator) / first.from.width) / denominator;
    const fits = ({ from, to }: { from: Size; to: Size }) => {
      const { width, height } = enlarge(from, scale);
      return width === to.width && height === to.height;
    };
    if (scale > 0 && scale <= LARGEST_SCALE && pairs.every(fits)) return scale;
  }
  return undefined;
}

/**
 * Checks an output that is cropped to the size of the frame.
 * @param from what the model gets.
 * @throws JobError `user`: the output is smaller, or far larger, than the input times `scale`.
 */
export function checkCrop(tensor: TensorSignature, { width, height }: ImageSize, from: Size, scale = 1): void {
  const least = enlarge(from, scale);
  const sides = [
    [width, least.width],
    [height, least.height],
  ] as const;
  const most = LARGEST_OVERHANG * scale;
  if (sides.every(([to, side]) => to === undefined || (to >= side && to < side + most))) return;
  throw new JobError(
    'user',
    `The model makes ${describeTensor(tensor)} of ${from.width}x${from.height} pixels, which does not go with an "output.scale" of ${scale}: correct it, or set "output.fit" to "resize".`,
  );
}
