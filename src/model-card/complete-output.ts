import { JobError } from '../job/failure.js';
import { completeDetections } from './complete-detections.js';
import { colours, completeImage } from './complete-image.js';
import { isBoxList } from './detector-outputs.js';
import { hintedRange, hintsOf, readYolo } from './hints.js';
import { checkCrop, commonScale, LARGEST_OVERHANG } from './complete-size.js';
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
  asRun,
  describeTensor,
  describeTensors,
  findTensor,
  imageLayout,
  imageSize,
  isDepth,
  isMap,
  pictureShape,
  type ImageSize,
  isReadable,
  isTensor,
  type Layout,
  type ModelSignature,
  NPY_TYPES,
  type TensorSignature,
  type TrialRun,
} from './signature.js';

/**
 * Which output is read, and as what.
 * @param card what the card says of the output; `{}`: a picture.
 * @param input the completed input: a picture that comes out is like the one that goes in unless something says otherwise.
 * @param runs what runs of the model showed.
 * @throws JobError `user`: the card contradicts the model, or the model leaves open what the card must say.
 */
export function completeOutput(
  card: PartialOutput,
  model: ModelSignature,
  input: ImageInput,
  labelFile: string[] | undefined,
  runs: TrialRun[],
): ModelCard['output'] {
  const yolo = readYolo(hintsOf(model));
  const { labels = {} } = hintsOf(model);
  const known = yolo === undefined ? (Object.keys(labels).length > 0 ? 'classify' : undefined) : yolo.task;
  if (known !== undefined && Object.keys(card).length === 0) {
    const kind = known === 'classify' ? 'classes' : 'detections';
    return completeOutput({ kind }, model, input, labelFile, runs);
  }
  if (labelFile !== undefined && card.kind !== 'classes' && card.kind !== 'detections') {
    throw new JobError(
      'user',
      'A label file goes with a model that gives classes or boxes, and this one gives none, as far as its card says: leave it out, or set "output.kind" in the model card.',
    );
  }
  switch (card.kind) {
    case undefined:
    case 'image':
      return completePicture(card, choosePicture(card, model, colours(input)), input, { model, runs });
    case 'classes': {
      const tensor = asRun(chooseScores(card.name, model), runs[0]);
      const [pictures] = model.inputs.find(({ name }) => name === input.name)?.shape ?? [];
      checkScores(tensor, pictures, input.layout);
      return completeClasses(card, tensor, labelFile, labels[tensor.name] ?? yolo?.names);
    }
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

/** Beside the scores some models give the name of the best class, as a text. */
function chooseScores(name: string | undefined, model: ModelSignature): TensorSignature {
  const outputs = model.outputs.filter(isReadable);
  return chooseOutput(name, name === undefined && outputs.length === 1 ? { ...model, outputs } : model);
}

/** The output that the card names, or the only one that looks like a picture, or else the first that could be one. */
function choosePicture(card: Partial<ImageOutput>, { outputs }: ModelSignature, channels: 1 | 3): TensorSignature {
  const named = findTensor(outputs, card.name, 'output');
  if (named !== undefined) return named;
  const pictures = outputs.filter((tensor) => imageLayout(tensor, channels) !== undefined);
  const open = outputs.filter((each) => isTensor(each) && (each.shape.length === 0 || isOpen(each.shape)));
  // A map of values is a picture where the card says so, or its own name.
  const asked = Object.keys(card).length > 0;
  const maps = outputs.filter(
    (each) => (isMap(each) && (asked || isDepth(each.name))) || (asked && imageLayout(each, 1) !== undefined),
  );
  const [only] = [pictures, open, maps].find((each) => each.length > 0) ?? [];
  if (only === undefined) {
    throw new JobError(
      'user',
      `The model gives no picture of three colours but ${describeTensors(outputs)}: say with "output.kind" in the model card what it gives, for grey pictures such as depth maps "image".`,
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

function completePicture(
  card: Partial<ImageOutput>,
  tensor: TensorSignature,
  input: ImageInput,
  { model, runs }: { model: ModelSignature; runs: TrialRun[] },
): ImageOutput {
  if (isTensor(tensor) && !isReadable(tensor)) throw unreadable(tensor, 'picture is');
  const { range, ...rest } = card;
  const map = isMap(tensor);
  const auto = range === 'auto' || (range === undefined && map);
  const { kind, scale, size } = card;
  const shaped = { ...tensor, shape: pictureShape(tensor.shape) };
  const own = completeImage(
    { ...rest, ...(range !== undefined && range !== 'auto' && { range }) },
    shaped,
    input,
    input.layout,
  );
  // The mean and the deviation change nothing of what lies between the lowest and the highest value.
  const { name, layout, type, channels } = own;
  const image = auto ? { name, layout, type, channels, range: 'auto' as const } : own;
  if (size && (scale !== undefined || card.fit === 'crop'))
    throw refusal(
      tensor,
      `gets from the model card both an "output.size" and ${scale === undefined ? '"output.fit": "crop"' : 'an "output.scale"'}: leave one of them out`,
    );
  const asked = { ...(card.fit && { fit: card.fit }), ...(scale !== undefined && { scale }), ...(size && { size }) };
  const { fit = size ? 'resize' : 'crop', ...result } =
    Object.keys(asked).length > 0 ? asked : map ? { fit: 'resize' as const } : ownResult(shaped, image, input, runs);
  if (fit === 'crop') checkCrops(shaped, image.layout, input, runs, result.scale);
  const said = range !== undefined || auto || hintedRange(hintsOf(model)) !== undefined || image.type === 'uint8';
  const assumed = card.assumed ?? !said;
  return { ...(kind && { kind }), ...image, fit, ...result, ...(assumed && { assumed }) };
}

/**
 * How large the result is when the card says nothing: a model that enlarges or reduces its input does the same to the frame, and one that
 * gives every picture the same size keeps to it. What any other model makes is scaled to the size of the frame, unless it has that already.
 */
function ownResult(
  tensor: TensorSignature,
  { layout }: Pick<ImageOutput, 'layout'>,
  { size: { fixed } }: ImageInput,
  runs: TrialRun[],
): Pick<ImageOutput, 'scale' | 'size'> & { fit?: ImageOutput['fit'] } {
  const sizes = [
    ...(fixed ? [{ from: sizeOf(fixed), to: imageSize(tensor, layout) }] : []),
    ...runs.map((run) => ({ from: run.input, to: imageSize(pictureAsRun(tensor, run), layout) })),
  ];
  const known = sizes.flatMap(({ from, to: { width, height } }) =>
    width === undefined || height === undefined ? [] : [{ from, to: { width, height } }],
  );
  const [first, ...others] = known;
  if (first === undefined) return {};
  const scale = commonScale(known);
  if (scale !== undefined) return scale === 1 ? {} : { scale };
  const { width, height } = first.to;
  const varied = others.some(({ from }) => from.width !== first.from.width);
  if (varied && others.every(({ to }) => to.width === width && to.height === height))
    return { fit: 'resize', size: [width, height] };
  const roundsUp =
    fixed === null &&
    known.every(({ from, to }) => overhangs(to.width - from.width) && overhangs(to.height - from.height));
  return roundsUp ? {} : { fit: 'resize' };
}

/** @throws JobError `user`: what the model says, or what a run showed, does not go with `scale`. */
function checkCrops(
  tensor: TensorSignature,
  layout: ImageOutput['layout'],
  { size: { fixed } }: ImageInput,
  runs: TrialRun[],
  scale: number | undefined,
): void {
  if (fixed) checkCrop(tensor, imageSize(tensor, layout), sizeOf(fixed), scale);
  for (const run of runs) {
    const picture = pictureAsRun(tensor, run);
    checkCrop(picture, imageSize(picture, layout), run.input, scale);
  }
}

function pictureAsRun(tensor: TensorSignature, run: TrialRun): TensorSignature {
  const { shape } = asRun(tensor, run);
  return { ...tensor, shape: pictureShape(shape) };
}

const sizeOf = ([width, height]: [number, number]) => ({ width, height });

const overhangs = (pixels: number) => pixels >= 0 && pixels < LARGEST_OVERHANG;

function completeClasses(
  { top = DEFAULTS.classes, softmax = false, labels: asked }: Extract<PartialOutput, { kind: 'classes' }>,
  tensor: TensorSignature,
  labelFile: string[] | undefined,
  own: string[] | undefined,
): ClassesOutput {
  const labels = chooseLabels(asked, labelFile, own);
  checkLabels(labels, countClasses(tensor));
  return { kind: 'classes', name: tensor.name, top, softmax, labels };
}

/**
 * @param pictures how many the model takes at a time, as its input says.
 * @throws JobError `user`: the tensor certainly is not one row of scores for each picture; says what else it may be.
 */
export function checkScores(tensor: TensorSignature, pictures: number | string | undefined, layout: Layout): void {
  if (!isReadable(tensor)) throw unreadable(tensor, 'scores are');
  const { shape } = tensor;
  const [first, ...rest] = shape;
  const divided =
    shape.length > 1 && !(typeof first === 'number' && typeof pictures === 'number' && first !== pictures);
  const sides = (divided ? rest : shape).filter((size) => typeof size === 'number' && size !== 1);
  if (sides.length < 2) return;
  const boxes = isBoxList(tensor);
  const channels = shape.length === 4 ? shape[layout === 'NCHW' ? 1 : 3] : 1;
  const pixels = !boxes && (shape.length === 3 || shape.length === 4);
  const fitting = [
    ...(pixels && (shape.length === 3 || imageLayout(tensor) !== undefined) ? ['"image" for a picture'] : []),
    ...(pixels && Number(channels) <= MOST_CLASSES ? ['"mask" for the class of each pixel'] : []),
    ...(boxes ? ['"detections" for boxes'] : []),
  ];
  const others = fitting
    .map((each) => `to ${each}, `)
    .join('')
    .replace(/, $/, ' or ');
  throw refusal(
    tensor,
    `holds more than one row of scores for a picture, and "classes" are one row, such as [1,1000]: set "output.kind" ${others}to "tensor" to store it as it is`,
  );
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
  if (fit === 'crop' && input.size.fixed) checkCrop(tensor, size, sizeOf(input.size.fixed));
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

/** @param what the card takes it for: `scores are`; nothing where any numbers would do. */
function unreadable(tensor: TensorSignature, what?: string): JobError {
  const { type, shape } = tensor;
  if (!isTensor(tensor)) return refusal(tensor, 'holds no numbers: name another output as "output.name"');
  if (what === undefined || !Object.hasOwn(NPY_TYPES, type))
    return refusal(tensor, 'has a type that cannot be read: export it as float32');
  const mask = INTEGERS.includes(type) && (shape.length === 3 || shape.length === 4);
  return refusal(
    tensor,
    `has a type that no ${what} read from: set "output.kind" ${mask ? 'to "mask" for the class of each pixel or ' : ''}to "tensor" to store it as it is, or export it as float32`,
  );
}

function refusal(tensor: TensorSignature, what: string): JobError {
  return new JobError('user', `The model's ${describeTensor(tensor)} ${what}.`);
}
