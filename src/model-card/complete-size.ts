import { counted } from '../job/counted.js';
import { JobError } from '../job/failure.js';
import type { PartialSize, SizeRule } from './card-schema.js';
import type { Layout, TensorSignature } from './model-signature.js';
import { describeTensor, imageSize } from './model-signature.js';

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
      `The model card gives ${describeTensor(tensor)} the fixed size ${fixed.join('x')}, so its other size rules have no meaning: leave them out.`,
    );
  }
  const { keepProportions } = card;
  if (keepProportions === true && (fixed === null || tiles !== undefined))
    throw new JobError(
      'user',
      `The model card says "size.keepProportions" of ${describeTensor(tensor)}, whose pictures are stretched nowhere: leave it out, or give "size.fixed" and no tiles.`,
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

/** Enough for networks that look 16 pixels around, as most that paint do at their full size. */
const TILE_OVERLAP = 64;

/** @throws JobError `user`: their size is open or not the model's, or they overlap by more than a half. */
function completeTiles(
  card: PartialSize['tiles'],
  fixed: SizeRule['fixed'],
  tensor: TensorSignature,
): SizeRule['tiles'] {
  if (!card) return undefined;
  const size = card.size ?? fixed;
  if (size === null)
    throw new JobError('user', `The model takes any size, so its card must say how large "size.tiles.size" is.`);
  if (fixed !== null && !agrees(size, ...fixed))
    throw new JobError(
      'user',
      `The model card says tiles of ${size.join('x')}, but ${describeTensor(tensor)} takes ${fixed.join('x')}: leave "size.tiles.size" out.`,
    );
  const most = Math.floor(Math.min(...size) / 2);
  const { overlap = Math.min(TILE_OVERLAP, most) } = card;
  if (overlap > most)
    throw new JobError(
      'user',
      `The model card lets tiles of ${size.join('x')} overlap by ${counted(overlap, 'pixel')}: "size.tiles.overlap" can be ${most} at most.`,
    );
  return { size, overlap };
}

function agrees(
  [width, height]: [number, number],
  modelWidth: number | undefined,
  modelHeight: number | undefined,
): boolean {
  return (modelWidth ?? width) === width && (modelHeight ?? height) === height;
}
