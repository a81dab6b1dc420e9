import { JobError } from '../job/failure.js';
import { completeDetections } from './complete-detections.js';
import { colours, completeImage } from './complete-image.js';
import { hintsOf, readYolo } from './hints.js';
import { checkCrop } from './complete-size.js';
import { checkLabels, chooseLabels, countClasses } from './labels.js';
import {
  type ClassesOutput,
  DEFAULTS,
  type ImageInput,
  type ImageOutput,
  type MaskOutput,
  type ModelCard,
  type PartialOutput,
} from './schema.js';
import {
  describeTensor,
  describeTensors,
  findTensor,
  imageLayout,
  imageSize,
  type ImageSize,
  isReadable,
  type ModelSignature,
  NPY_TYPES,
  type TensorSignature,
} from './signature.js';

/**
 * Which output is read, and as what.
 * @param card what the card says of the output; `{}`: a picture.
 * @param input the completed input: a picture that comes out is like the one that goes in unless something says otherwise.
 * @throws JobError `user`: the card contradicts the model, or the model leaves open what the card must say.
 */
export function completeOutput(
  card: PartialOutput,
  model: ModelSignature,
  input: ImageInput,
  labelFile: string[] | undefined,
): ModelCard['output'] {
  const yolo = readYolo(hintsOf(model));
  if (yolo !== undefined && Object.keys(card).length === 0) {
    const kind = yolo.task === 'classify' ? 'classes' : 'detections';
    return completeOutput({ kind }, model, input, labelFile);
  }
  switch (card.kind) {
    case undefined:
    case 'image':
      return completePicture(card, choosePicture(card.name, model, colours(input)), input);
    case 'classes':
      return completeClasses(card, chooseOutput(card.name, model), labelFile, yolo?.names);
    case 'detections':
      return completeDetections(card, model, input, labelFile);
    case 'mask':
      return completeMask(card, chooseOutput(card.name, model), input);
    case 'tensor':
      break;
  }
  return completeTensor(chooseOutput(card.name, model));
}

/** The output that the card names, or the model's only one. */
function chooseOutput(name: string | undefined, { outputs }: ModelSignature): TensorSignature {
  const [first, ...others] = outputs;
  const chosen = findTensor(outputs, name, 'output') ?? (others.length === 0 ? first : undefined);
  if (chosen !== undefined) return chosen;
  throw new JobError(
    'user',
    `The model gives ${describeTensors(outputs)}: name one as "output.name" in the model card.`,
  );
}

/** The output that the card names, or the only one that looks like a picture, or else the first that could be one. */
function choosePicture(name: string | undefined, { outputs }: ModelSignature, channels: 1 | 3): TensorSignature {
  const named = findTensor(outputs, name, 'output');
  if (named !== undefined) return named;
  const pictures = outputs.filter((tensor) => imageLayout(tensor, channels) !== undefined);
  const [only] = pictures.length > 0 ? pictures : outputs.filter(({ shape }) => shape.length === 0 || isOpen(shape));
  if (only === undefined) {
    throw new JobError(
      'user',
      `The model gives no picture of three colours but ${describeTensors(outputs)}: say with "output.kind" in the model card what it gives.`,
    );
  }
  if (pictures.length > 1) {
    throw new JobError(
      'user',
      `The model gives several pictures (${describeTensors(pictures)}): name one as "output.name" in the model card.`,
    );
  }
  return only;
}

/** Four dimensions, none of them fixed: perhaps a picture. */
function isOpen(shape: TensorSignature['shape']): boolean {
  return shape.length === 4 && shape.every((dimension) => typeof dimension === 'string');
}

function completePicture(card: Partial<ImageOutput>, tensor: TensorSignature, input: ImageInput): ImageOutput {
  const image = completeImage(card, tensor, input, input.layout);
  const size = imageSize(tensor, image.layout);
  const [inputWidth, inputHeight] = input.size.fixed ?? [];
  const { kind, scale } = card;
  const scales = [size.width, size.height, inputWidth, inputHeight].every((side) => side !== undefined)
    ? size.width !== inputWidth || size.height !== inputHeight
    : false;
  const fit = card.fit ?? (scales && scale === undefined ? 'resize' : 'crop');
  if (fit === 'crop') checkCrop(tensor, size, input, scale);
  return { ...(kind && { kind }), ...image, fit, ...(scale && { scale }) };
}

function completeClasses(
  { top = DEFAULTS.classes, softmax = false, labels: asked }: Extract<PartialOutput, { kind: 'classes' }>,
  tensor: TensorSignature,
  labelFile: string[] | undefined,
  own: string[] | undefined,
): ClassesOutput {
  if (!isReadable(tensor)) throw unreadable(tensor);
  const labels = chooseLabels(asked, labelFile, own);
  checkLabels(labels, countClasses(tensor));
  return { kind: 'classes', name: tensor.name, top, softmax, labels };
}

/** ONNX element types whose values can be classes. */
const INTEGERS = ['uint8', 'int32', 'int64'];
const FLOATS = ['float32', 'float16'];
/** Classes that an 8-bit picture can tell apart. */
const MOST_CLASSES = 256;

function completeMask(card: Partial<MaskOutput>, tensor: TensorSignature, input: ImageInput): MaskOutput {
  const { shape, type } = tensor;
  if ((shape.length !== 0 && shape.length !== 3 && shape.length !== 4) || ![...INTEGERS, ...FLOATS].includes(type))
    throw refusal(
      tensor,
      'is not a mask: a mask has 3 or 4 dimensions of float32, float16, uint8, int32 or int64 values',
    );
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
  const size = maskSize(tensor, layout);
  const { threshold = DEFAULTS.threshold, fit = differs(size, input) ? 'resize' : 'crop' } = card;
  if (fit === 'crop') checkCrop(tensor, size, input);
  return { kind: 'mask', name: tensor.name, layout, method, threshold, fit };
}

function maskSize(tensor: TensorSignature, layout: MaskOutput['layout']): ImageSize {
  return tensor.shape.length === 3
    ? imageSize({ ...tensor, shape: [...tensor.shape, 1] }, 'NHWC')
    : imageSize(tensor, layout);
}

/** Both sizes are known and not the same. */
function differs({ width, height }: ImageSize, { size: { fixed } }: ImageInput): boolean {
  return fixed !== null && [width, height].some((side, index) => side !== undefined && side !== fixed[index]);
}

function completeTensor(tensor: TensorSignature): ModelCard['output'] {
  if (!Object.hasOwn(NPY_TYPES, tensor.type)) throw unreadable(tensor);
  return { kind: 'tensor', name: tensor.name };
}

function unreadable(tensor: TensorSignature): JobError {
  return refusal(tensor, 'has a type that cannot be read: export it as float32');
}

function refusal(tensor: TensorSignature, what: string): JobError {
  return new JobError('user', `The model's ${describeTensor(tensor)} ${what}.`);
}
