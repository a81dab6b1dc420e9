import { counted, JobError } from '../job/failure.js';
import { DEFAULTS, type ImageInput, type PartialSize, type SizeRule } from './schema.js';
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

/**
 * Checks an output that is cropped to the size of the frame.
 * @throws JobError `user`: the model's fixed sizes show that it is smaller, or far larger, than the input times `scale`.
 */
export function checkCrop(tensor: TensorSignature, { width, height }: ImageSize, input: ImageInput, scale = 1): void {
  const { fixed } = input.size;
  if (fixed === null) return;
  const sides = [
    [width, fixed[0]],
    [height, fixed[1]],
  ] as const;
  const fits = sides.every(
    ([to, from]) => to === undefined || (to >= from * scale && to < (from + LARGEST_OVERHANG) * scale),
  );
  if (fits) return;
  throw new JobError(
    'user',
    `The model makes ${describeTensor(tensor)} of ${fixed.join('x')} pixels, which does not go with an "output.scale" of ${scale}: correct it, or set "output.fit" to "resize".`,
  );
}
