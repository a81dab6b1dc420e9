import type { MaskOutput } from './card-outputs.js';
import type { ImageInput } from './card-schema.js';
import { JobError } from './failure.js';
import { describeTensor, imageSize, type TensorSignature } from './model-signature.js';

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
  const { threshold = MASK_THRESHOLD, fit = differs(tensor, layout, input) ? 'resize' : 'crop' } = card;
  return { kind: 'mask', name: tensor.name, layout, method, threshold, fit };
}

/** Both sizes are known and not the same. */
function differs(tensor: TensorSignature, layout: MaskOutput['layout'], input: ImageInput): boolean {
  const { fixed } = input.size;
  if (fixed === null) return false;
  const [height, width] = tensor.shape.slice(-2);
  const size = tensor.shape.length === 4 ? imageSize(tensor, layout) : { width, height };
  return [size.width, size.height].some((side, index) => typeof side === 'number' && side !== fixed[index]);
}

function refusal(tensor: TensorSignature, what: string): JobError {
  return new JobError('user', `The model's ${describeTensor(tensor)} ${what}.`);
}
