import type { MaskOutput } from './card-outputs.js';
import type { ImageInput } from './card-schema.js';
import { checkCrop } from './check-crop.js';
import { JobError } from '../job/failure.js';
import { describeTensor, imageSize, type ImageSize, type TensorSignature } from './model-signature.js';

/** ONNX element types whose values can be classes. */
const INTEGERS = ['uint8', 'int32', 'int64'];
const FLOATS = ['float32', 'float16'];
const MASK_THRESHOLD = 0.5;
/** Classes that an 8-bit picture can tell apart. */
const MOST_CLASSES = 256;

/** @throws JobError `user`: the tensor is no mask, or the card contradicts it. */
export function completeMask(card: Partial<MaskOutput>, tensor: TensorSignature, input: ImageInput): MaskOutput {
  const { shape, type } = tensor;
  if ((shape.length !== 0 && shape.length !== 3 && shape.length !== 4) || ![...INTEGERS, ...FLOATS].includes(type))
    throw refusal(tensor, 'is no mask: a mask has 3 or 4 dimensions of float32, float16, uint8, int32 or int64 values');
  const layout = card.layout ?? input.layout;
  const channels = shape.length === 3 ? 1 : shape[layout === 'NCHW' ? 1 : 3];
  const usual = INTEGERS.includes(type) ? 'ids' : channels === 1 ? 'threshold' : 'argmax';
  const { method = usual } = card;
  if (method === 'argmax' && channels === 1)
    throw refusal(tensor, 'has one channel: set "output.method" to "threshold" or "ids"');
  if (method !== 'argmax' && typeof channels === 'number' && channels > 1)
    throw refusal(tensor, `has ${channels} channels: set "output.method" to "argmax", or correct "output.layout"`);
  if (typeof channels === 'number' && channels > MOST_CLASSES)
    throw refusal(tensor, `has ${channels} classes, and a mask holds ${MOST_CLASSES}: read it as a "tensor"`);
  const size = sizeOf(tensor, layout);
  const { threshold = MASK_THRESHOLD, fit = differs(size, input) ? 'resize' : 'crop' } = card;
  if (fit === 'crop') checkCrop(tensor, size, input);
  return { kind: 'mask', name: tensor.name, layout, method, threshold, fit };
}

function sizeOf(tensor: TensorSignature, layout: MaskOutput['layout']): ImageSize {
  return imageSize(
    tensor.shape.length === 3 ? { ...tensor, shape: [...tensor.shape, 1] } : tensor,
    tensor.shape.length === 3 ? 'NHWC' : layout,
  );
}

/** Both sizes are known and not the same. */
function differs({ width, height }: ImageSize, { size: { fixed } }: ImageInput): boolean {
  return fixed !== null && [width, height].some((side, index) => side !== undefined && side !== fixed[index]);
}

function refusal(tensor: TensorSignature, what: string): JobError {
  return new JobError('user', `The model's ${describeTensor(tensor)} ${what}.`);
}
