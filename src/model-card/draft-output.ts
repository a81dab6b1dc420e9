import { commonScale } from './complete-size.js';
import { type BoxRows, findDetections, type FoundDetections, planRows, usualFormat } from './detector-outputs.js';
import { readYolo } from './hints.js';
import { countClasses } from './labels.js';
import { DEFAULTS, type DetectionsOutput, type PartialOutput } from './schema.js';
import {
  describeTensors,
  imageLayout,
  imageSize,
  isDepth,
  isMap,
  isReadable,
  isTensor,
  type ImageSize,
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
  const outputs = model.outputs.filter(isTensor);
  const readable = outputs.filter(isReadable);
  const yolo = readYolo(hints);
  if (yolo !== undefined) return draftYolo(model, input, hints, questions);
  const named = outputs.find((tensor) => hints.labels?.[tensor.name]);
  if (named) return askWhich(outputs, [named], questions, draftClasses(named, hints, questions));
  const picture =
    readable.find((tensor) => imageLayout(tensor, input.single ? 1 : 3) !== undefined) ??
    readable.find(({ shape }) => shape.length === 0 || (shape.length === 4 && shape.every(isFree)));
  if (picture) return askWhich(outputs, [picture], questions, draftPicture(picture, input, questions));
  const found = findDetections(outputs);
  if (found)
    return askWhich(outputs, Object.values(found), questions, draftDetections(found, model, input, hints, questions));
  const map = outputs.find((tensor) => isMap(tensor) && (isDepth(tensor.name) || isAsLarge(tensor, input)));
  if (map) return askWhich(outputs, [map], questions, draftMap(map, questions));
  const mask = outputs.find((tensor) => isMask(tensor, input));
  if (mask) return askWhich(outputs, [mask], questions, draftMask(mask, input, questions));
  const scores = readable.find(isScores);
  if (scores) return askWhich(outputs, [scores], questions, draftClasses(scores, hints, questions));
  const [tensor] = outputs;
  questions.push('What the output is ("output.kind"): the draft stores the tensor as it is.');
  return askWhich(outputs, tensor ? [tensor] : [], questions, { kind: 'tensor', name: tensor?.name });
}

/** Ultralytics writes into its exports what they give. */
function draftYolo(model: ModelSignature, input: FrameInput, hints: ModelHints, questions: string[]): PartialOutput {
  const [first] = model.outputs;
  const yolo = readYolo(hints);
  if (first === undefined || yolo === undefined) return { kind: 'tensor' };
  if (yolo.task === 'classify')
    return { kind: 'classes', name: first.name, top: DEFAULTS.classes, softmax: false, labels: yolo.names };
  const found = findDetections(model.outputs) ?? { scores: first, boxes: first };
  return askWhich(
    model.outputs,
    Object.values(found),
    questions,
    draftDetections(found, model, input, hints, questions),
  );
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
  const scale = commonScale([{ from: sideBySide(from), to: sideBySide(to) }]);
  return { kind: 'image', name: tensor.name, ...(scale !== undefined && scale !== 1 && { scale }) };
}

const sideBySide = ({ width = 0, height = 0 }: ImageSize) => ({ width, height });

function draftMap({ name }: TensorSignature, questions: string[]): PartialOutput {
  questions.push(
    'What the values of each pixel are: the draft makes grey pictures from the lowest to the highest value of each ("output.range": "auto", or [black, white]).',
  );
  return { kind: 'image', name, channels: 'grey', range: 'auto' };
}

/** A channel for each class, or the class of each pixel: as large as the frame, or of any size. */
function isMask(tensor: TensorSignature, input: FrameInput): boolean {
  const { shape, type } = tensor;
  return (
    (type === 'int64' || type === 'int32' || (isReadable(tensor) && shape.length === 4)) && isAsLarge(tensor, input)
  );
}

function isAsLarge({ shape }: TensorSignature, { frame, layout }: FrameInput): boolean {
  const { width, height } = imageSize(frame, layout);
  const sides = shape.length === 4 ? (layout === 'NCHW' ? shape.slice(2) : shape.slice(1, 3)) : shape.slice(1);
  const fits = (side: number | string | undefined, of: number | undefined) =>
    side === of || (typeof side === 'string' && of === undefined);
  return sides.length === 2 && fits(sides[0], height) && fits(sides[1], width);
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

function draftClasses(
  tensor: TensorSignature,
  { makers, labels = {} }: ModelHints,
  questions: string[],
): PartialOutput {
  const names = labels[tensor.name] ?? [];
  const known = names.length > 0 || ['Softmax', 'Sigmoid'].includes(makers[tensor.name] ?? '');
  if (!known)
    questions.push('Whether the scores are logits ("output.softmax"): the draft turns them into probabilities.');
  if (names.length === 0) questions.push(askLabels(countClasses(tensor)));
  return { kind: 'classes', name: tensor.name, top: DEFAULTS.classes, softmax: !known, labels: names };
}

const FORMATS =
  '"ltrb": left, top, right, bottom; "tlbr": top, left, bottom, right; "ltwh": left, top, width, height; "center": centre, width, height';

function draftDetections(
  { scores, boxes, classes, count }: FoundDetections,
  model: ModelSignature,
  { frame, layout }: FrameInput,
  hints: ModelHints,
  questions: string[],
): PartialOutput {
  const yolo = readYolo(hints);
  const single = scores === boxes;
  const others = model.outputs.filter((tensor) => tensor !== scores);
  const size = imageSize(frame, layout);
  const labels = yolo?.names ?? [];
  const rows = single
    ? planRows(scores, { chosen: false }, { labels: labels.length, hints, others, input: size })
    : undefined;
  const { class: place, columns, scores: classCount, objectness } = rows ?? {};
  const chosen = place === undefined ? classes?.name : scores.name;
  const logits = /logit/i.test(scores.name);
  const format = chosen === undefined && (single || logits) ? 'center' : usualFormat(boxes);
  const unit = single && yolo?.fractions !== true && columns === undefined ? 'pixel' : 'fraction';
  const likely = scores.shape.at(-1) === DETR_CLASSES ? 'softmax' : 'sigmoid';
  const activation: DetectionsOutput['activation'] = logits ? likely : undefined;
  if (yolo === undefined) {
    if (rows) questions.push(askRows(rows));
    questions.push(...askBoxes(format, unit, activation));
    if (frame.shape.slice(1).every((side) => typeof side === 'number'))
      questions.push(
        'Whether the model wants pictures stretched or in their proportions ("input.size.keepProportions"): the draft says stretched.',
      );
    const perBox = scores.shape.at(-1);
    questions.push(askLabels(chosen === undefined ? (single ? classCount : perBox) : undefined));
  }
  return {
    kind: 'detections',
    name: scores.name,
    boxes: boxes.name,
    ...(chosen !== undefined && { classes: chosen }),
    ...(count && { count: count.name }),
    ...(rows && place === undefined && { objectness: objectness !== undefined, classCount }),
    ...(columns && { columns }),
    format: yolo?.task === 'obb' ? 'center' : format,
    unit,
    ...(rows && { transposed: rows.transposed }),
    ...(activation && { activation }),
    background: [],
    threshold: DEFAULTS.threshold,
    overlap: DEFAULTS.overlap,
    labels,
  };
}

/** What DETR gives for the classes of COCO and for nothing. */
const DETR_CLASSES = 92;

function askRows({ class: place, objectness, transposed }: BoxRows): string {
  if (place !== undefined)
    return `Whether the numbers of a box end with its score and its class ("output.classes", "output.columns"; without them they are scores of classes): the draft says so.`;
  const fifth = objectness === undefined ? 'it is the score of the first class' : 'so';
  return `Whether the fifth number of a box says how likely the box holds anything ("output.objectness"), and how many of the numbers after it are scores ("output.classCount"${transposed ? '' : '; "output.columns" for another order'}): the draft says ${fifth}, and that all of them are.`;
}

function askBoxes(format: string, unit: string, activation = 'none'): string[] {
  return [
    `What the numbers of a box are ("output.format": ${FORMATS}): the draft says ${format}.`,
    `Whether boxes are in fractions of the picture or in pixels ("output.unit": "fraction" or "pixel"): the draft says ${unit}.`,
    `What turns the scores into probabilities ("output.activation": "none", "sigmoid" or "softmax"): the draft says ${activation}.`,
    `Which classes stand for nothing found ("output.background") and from which score on a box counts ("output.threshold"): the draft says none and ${DEFAULTS.threshold}.`,
  ];
}

function askLabels(count: number | string | undefined): string {
  return `What the ${typeof count === 'number' ? `${count} ` : ''}classes are called ("output.labels": a list of names, or the name of a label file next to the card): the draft gives numbers only.`;
}
