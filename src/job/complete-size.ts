import { JobError } from './failure.js';
import type { SizeRule } from './card-schema.js';
import type { Layout, TensorSignature } from './model-signature.js';
import { describeTensor, imageSize } from './model-signature.js';

/**
 * The size rule of a picture input.
 * @param longestSide the default for pictures of any size; null: none.
 * @throws JobError `user`: the card contradicts the model or itself.
 */
export function completeSize(
  card: Partial<SizeRule>,
  tensor: TensorSignature,
  layout: Layout,
  longestSide: number | null,
): SizeRule {
  const { width, height } = imageSize(tensor, layout);
  const fixed = card.fixed ?? (width !== undefined && height !== undefined ? [width, height] : null);
  const fits = fixed === null ? width === undefined && height === undefined : agrees(fixed, width, height);
  if (!fits) {
    const says = fixed === null ? 'sets no fixed size' : `says ${fixed.join('x')}`;
    throw new JobError(
      'user',
      `The model card ${says}, but the model says ${describeTensor(tensor)}: correct "size.fixed" in the card.`,
    );
  }
  const { multipleOf = 1, minimum = 1 } = card;
  if (fixed !== null && (multipleOf > 1 || minimum > 1 || typeof card.longestSide === 'number')) {
    throw new JobError(
      'user',
      `The model card gives ${describeTensor(tensor)} the fixed size ${fixed.join('x')}, so its other size rules have no meaning: leave them out.`,
    );
  }
  const longest = card.longestSide === undefined ? longestSide : card.longestSide;
  return { fixed, longestSide: fixed === null ? longest : null, multipleOf, minimum };
}

function agrees(
  [width, height]: [number, number],
  modelWidth: number | undefined,
  modelHeight: number | undefined,
): boolean {
  return (modelWidth ?? width) === width && (modelHeight ?? height) === height;
}
