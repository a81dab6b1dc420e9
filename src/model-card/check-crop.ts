import type { ImageInput } from './card-schema.js';
import { JobError } from '../job/failure.js';
import { describeTensor, type ImageSize, type TensorSignature } from './model-signature.js';

/** A model that rounds its output up adds fewer pixels than this to a side; more is taken for a model that scales. */
export const LARGEST_OVERHANG = 64;

/**
 * @param tensor an output that the card wants cropped.
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
