import { countClasses } from './labels.js';
import { DEFAULTS, type PartialOutput } from './schema.js';
import {
  describeTensors,
  imageLayout,
  imageSize,
  type Layout,
  type ModelHints,
  type ModelSignature,
  type TensorSignature,
} from './signature.js';

/** The input that the frame goes into. */
interface FrameInput {
  /** It has one channel. */
  single: boolean;
  frame: TensorSignature;
  layout: Layout;
}

/** What the model's output most likely is: a picture, detections, a mask, scores of classes, or else the tensor as it is. */
export function draftOutput(
  model: ModelSignature,
  input: FrameInput,
  hints: ModelHints,
  questions: string[],
): PartialOutput {
  const { outputs } = model;
  const picture =
    outputs.find((tensor) => imageLayout(tensor, input.single ? 1 : 3) !== undefined) ??
    outputs.find(({ shape }) => shape.length === 0 || (shape.length === 4 && shape.every(isFree)));
  if (picture) return askWhich(outputs, [picture], questions, draftPicture(picture, input, questions));
  const found = findDetections(outputs);
  if (found) return askWhich(outputs, Object.values(found), questions, draftDetections(found, input.frame, questions));
  const mask = outputs.find((tensor) => isMask(tensor, input));
  if (mask) return askWhich(outputs, [mask], questions, draftMask(mask, input, questions));
  const scores = outputs.find(isScores);
  if (scores) return askWhich(outputs, [scores], questions, draftClasses(scores, hints, questions));
  const [tensor] = outputs;
  questions.push('What the output is ("output.kind"): the draft stores the tensor as it is.');
  return askWhich(outputs, tensor ? [tensor] : [], questions, { kind: 'tensor', name: tensor?.name });
}

const isFree = (dimension: number | string) => typeof dimension === 'string';

function askWhich(
  outputs: TensorSignature[],
  used: TensorSignature[],
  questions: string[],
  draft: PartialOutput,
): PartialOutput {
  const others = outputs.filter((tensor) => !used.includes(tensor));
  if (others.length > 0)
    questions.push(
      `Whether the right output is read ("output.name"): the model also gives ${describeTensors(others)}.`,
    );
  return draft;
}

function draftPicture(
  tensor: TensorSignature,
  { frame, layout, single }: FrameInput,
  questions: string[],
): PartialOutput {
  if (single)
    questions.push(
      'Whether the picture that comes out is grey or takes its colours from the frame ("input.channels": "grey" or "Y"): the draft says grey.',
    );
  const from = imageSize(frame, layout);
  const to = imageSize(tensor, imageLayout(tensor, single ? 1 : 3) ?? layout);
  const across = (to.width ?? 0) / (from.width ?? 0);
  const scales =
    Number.isInteger(across) && across > 1 && across <= 16 && across === (to.height ?? 0) / (from.height ?? 0);
  return { kind: 'image', name: tensor.name, ...(scales && { scale: across }) };
}

/** A channel for each class, or the class of each pixel: as large as the frame, or of any size. */
function isMask({ shape, type }: TensorSignature, { frame, layout }: FrameInput): boolean {
  const { width, height } = imageSize(frame, layout);
  const sides = shape.length === 4 ? (layout === 'NCHW' ? shape.slice(2) : shape.slice(1, 3)) : shape.slice(1);
  const fits = (side: number | string | undefined, of: number | undefined) =>
    side === of || (typeof side === 'string' && of === undefined);
  const whole = type === 'int64' || type === 'int32' || shape.length === 4;
  return whole && sides.length === 2 && fits(sides[0], height) && fits(sides[1], width);
}

function draftMask({ name, shape, type }: TensorSignature, { layout }: FrameInput, questions: string[]): PartialOutput {
  if (type !== 'float32' && type !== 'float16') return { kind: 'mask', name };
  if (shape.length === 4 && shape[layout === 'NCHW' ? 1 : 3] !== 1) return { kind: 'mask', name, method: 'argmax' };
  questions.push(
    `From which value on a pixel belongs to the mask ("output.threshold"): the draft says ${DEFAULTS.threshold}.`,
  );
  return { kind: 'mask', name, method: 'threshold', threshold: DEFAULTS.threshold };
}

/** One number for each class: `[batch, classes]` or `[batch, classes, 1, 1]`. */
function isScores({ shape }: TensorSignature): boolean {
  return shape.length > 1 && shape.slice(1).filter((dimension) => dimension !== 1).length === 1;
}

function draftClasses(tensor: TensorSignature, { makers }: ModelHints, questions: string[]): PartialOutput {
  const known = ['Softmax', 'Sigmoid'].includes(makers[tensor.name] ?? '');
  if (!known)
    questions.push('Whether the scores are logits ("output.softmax"): the draft turns them into probabilities.');
  questions.push(askLabels(countClasses(tensor)));
  return { kind: 'classes', name: tensor.name, top: DEFAULTS.classes, softmax: !known, labels: [] };
}

/** The outputs that boxes are read from: the same tensor for all, or one for each. */
interface FoundDetections {
  scores: TensorSignature;
  boxes: TensorSignature;
  classes?: TensorSignature;
}

/** A tensor of three dimensions is taken for a list of boxes when it holds this many times more boxes than numbers in a box. */
const LIST_RATIO = 8;

/** Boxes of four numbers with scores and perhaps classes, or one list of boxes with their scores. */
function findDetections(outputs: TensorSignature[]): FoundDetections | undefined {
  const [only] = outputs;
  if (only !== undefined && outputs.length === 1) return isBoxList(only) ? { scores: only, boxes: only } : undefined;
  const lists = outputs.filter(({ shape }) => shape.at(-1) === 4 && (shape.length === 2 || shape.length === 3));
  const boxes = lists.find(({ name }) => /box/i.test(name)) ?? lists[0];
  if (boxes === undefined) return undefined;
  const { shape } = boxes;
  const others = outputs.filter((tensor) => tensor !== boxes);
  const perBox = others.filter((tensor) => tensor.shape.length === shape.length - 1);
  const classes = perBox.find(({ name, type }) => /label|class/i.test(name) || type === 'int64');
  const chosen = classes && perBox.find((tensor) => tensor !== classes && /score|conf|prob/i.test(tensor.name));
  if (classes && chosen) return { scores: chosen, boxes, classes };
  const scores = others.find((tensor) => tensor.shape.length === 3 && tensor.shape[1] === shape.at(-2));
  return shape.length === 3 && scores ? { scores, boxes } : undefined;
}

function isBoxList({ shape, type }: TensorSignature): boolean {
  const [, one, other] = shape;
  if (shape.length !== 3 || typeof one !== 'number' || typeof other !== 'number' || !type.startsWith('float'))
    return false;
  const [numbers, boxes] = [Math.min(one, other), Math.max(one, other)];
  return numbers > 4 && boxes >= numbers * LIST_RATIO;
}

const FORMATS =
  '"ltrb": left, top, right, bottom; "tlbr": top, left, bottom, right; "ltwh": left, top, width, height; "center": centre, width, height';

/** How one tensor holds boxes and scores. */
interface BoxList {
  transposed: boolean;
  /** A box, its score and its class, or a box and a score for each class. */
  numbers: number;
}

function draftDetections(
  { scores, boxes, classes }: FoundDetections,
  frame: TensorSignature,
  questions: string[],
): PartialOutput {
  const list = scores === boxes ? boxListOf(scores) : undefined;
  const chosen = list && endsWithClass(list) ? scores.name : classes?.name;
  const format = list === undefined || chosen !== undefined ? 'ltrb' : 'center';
  const unit = list === undefined ? 'fraction' : 'pixel';
  if (list) questions.push(askList(list));
  questions.push(...askBoxes(format, unit));
  if (frame.shape.slice(1).every((side) => typeof side === 'number'))
    questions.push(
      'Whether the model wants pictures stretched or in their proportions ("input.size.keepProportions"): the draft says stretched.',
    );
  questions.push(askLabels(chosen === undefined ? (list ? list.numbers - 4 : scores.shape.at(-1)) : undefined));
  return {
    kind: 'detections',
    name: scores.name,
    boxes: boxes.name,
    ...(chosen !== undefined && { classes: chosen }),
    format,
    unit,
    ...(list?.transposed && { transposed: true }),
    background: [],
    threshold: DEFAULTS.threshold,
    overlap: DEFAULTS.overlap,
    labels: [],
  };
}

function boxListOf({ shape }: TensorSignature): BoxList {
  const [one = 0, other = 0] = shape.slice(-2).map(Number);
  return { transposed: one < other, numbers: Math.min(one, other) };
}

/** Detectors give the boxes that they chose as rows of six; columns of six are more likely boxes with the scores of two classes. */
function endsWithClass({ numbers, transposed }: BoxList): boolean {
  return numbers === 6 && !transposed;
}

function askList(list: BoxList): string {
  return endsWithClass(list)
    ? 'Whether the six numbers of a box end with its score and its class ("output.classes"; without it they are scores of two classes): the draft says so.'
    : 'Whether the fifth number of a box says how likely the box holds anything ("output.objectness"): the draft says it is the score of the first class.';
}

function askBoxes(format: string, unit: string): string[] {
  return [
    `What the numbers of a box are ("output.format": ${FORMATS}): the draft says ${format}.`,
    `Whether boxes are in fractions of the picture or in pixels ("output.unit": "fraction" or "pixel"): the draft says ${unit}.`,
    'What turns the scores into probabilities ("output.activation": "none", "sigmoid" or "softmax"): the draft says none.',
    `Which classes stand for nothing found ("output.background") and from which score on a box counts ("output.threshold"): the draft says none and ${DEFAULTS.threshold}.`,
  ];
}

function askLabels(count: number | string | undefined): string {
  return `What the ${typeof count === 'number' ? `${count} ` : ''}classes are called ("output.labels": a list of names, or the name of a label file next to the card): the draft gives numbers only.`;
}
