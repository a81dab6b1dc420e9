import { JobError } from '../job/failure.js';
import { type BoxRows, findDetections, isBoxList, planRows, usualFormat } from './detector-outputs.js';
import { hintsOf, readYolo } from './hints.js';
import { checkLabels, chooseLabels } from './labels.js';
import { DEFAULTS, type DetectionsOutput, type ImageInput, type PartialOutput } from './schema.js';
import {
  describeTensor,
  describeTensors,
  findTensor,
  type ImageSize,
  isReadable,
  type ModelSignature,
  type TensorSignature,
} from './signature.js';

export type PartialDetections = Extract<PartialOutput, { kind: 'detections' }>;

/**
 * Which tensors hold boxes, scores and classes, and how: as the card says, else as the model's metadata, names and shapes show. What only
 * a run can show stays out.
 * @throws JobError `user`: the model has no such outputs, or they cannot hold boxes and scores.
 */
export function completeDetections(
  card: PartialDetections,
  model: ModelSignature,
  input: ImageInput,
  labelFile: string[] | undefined,
): DetectionsOutput {
  const tensors = chooseTensors(card, model);
  const { scores, boxes, classes, count } = tensors;
  const single = boxes === scores;
  checkTensors(card, tensors);
  const yolo = readYolo(hintsOf(model));
  const labels = chooseLabels(card.labels, labelFile, yolo?.names);
  const rows = single ? readRows(card, scores, model, { labels: labels.length, input: sizeOf(input) }) : undefined;
  const transposed = rows?.transposed ?? card.transposed ?? (single ? undefined : hasColumns(boxes));
  const chosen = rows === undefined ? classes?.name : rows.class === undefined ? undefined : scores.name;
  if (!single && chosen === undefined) checkLabels(labels, classCountOf(scores, transposed === true));
  const { activation, top } = card;
  return {
    kind: 'detections',
    name: scores.name,
    boxes: boxes.name,
    ...(chosen !== undefined && { classes: chosen }),
    ...(count && { count: count.name }),
    ...(rows === undefined ? pickRows(card) : rowsCard(rows)),
    format:
      card.format ??
      (yolo === undefined || (chosen !== undefined && yolo.task !== 'obb') ? usualFormat(boxes) : 'center'),
    unit: card.unit ?? (yolo === undefined || yolo.fractions ? 'fraction' : 'pixel'),
    ...(transposed !== undefined && { transposed }),
    ...(activation && { activation }),
    background: card.background ?? [],
    threshold: card.threshold ?? DEFAULTS.threshold,
    overlap: card.overlap ?? DEFAULTS.overlap,
    ...(top !== undefined && { top }),
    labels,
  };
}

/** The outputs that the card names, else those that look like it. */
function chooseTensors(card: PartialDetections, model: ModelSignature) {
  const { outputs } = model;
  const named = { scores: card.name, boxes: card.boxes, classes: card.classes, count: card.count };
  const found = findDetections(outputs);
  const [only] = outputs.length === 1 ? outputs : [];
  // Of the outputs that were found, only those that go with the ones that the card names.
  const fits =
    found !== undefined &&
    [found.scores.name, undefined].includes(named.scores) &&
    [found.boxes.name, undefined].includes(named.boxes);
  const usual = fits ? found : undefined;
  const scores = output(model, named.scores ?? usual?.scores.name ?? only?.name ?? 'scores');
  const alone = only ?? (named.boxes === undefined && isBoxList(scores) ? scores : undefined);
  const boxes = output(model, named.boxes ?? usual?.boxes.name ?? alone?.name ?? 'boxes');
  const classes = named.classes === undefined ? usual?.classes : output(model, named.classes);
  const count = named.count === undefined ? usual?.count : output(model, named.count);
  return { scores, boxes, classes, count };
}

function output(model: ModelSignature, name: string): TensorSignature {
  const tensor = findTensor(model.outputs, name, 'output');
  if (tensor !== undefined) return tensor;
  throw new JobError('user', `The model gives ${describeTensors(model.outputs)}, but no "${name}".`);
}

function sizeOf({ size: { fixed } }: ImageInput): ImageSize {
  return fixed === null ? {} : { width: fixed[0], height: fixed[1] };
}

function readRows(
  card: PartialDetections,
  tensor: TensorSignature,
  model: ModelSignature,
  { labels, input }: { labels: number; input: ImageSize },
): BoxRows | undefined {
  const others = model.outputs.filter((each) => each !== tensor);
  const chosen = card.classes === tensor.name;
  return planRows(tensor, { ...card, chosen }, { labels, hints: hintsOf(model), others, input });
}

/** What the card says of rows whose shape a run has to show. */
function pickRows({ objectness, classCount, columns }: PartialDetections): Partial<DetectionsOutput> {
  return {
    ...(objectness !== undefined && { objectness }),
    ...(classCount !== undefined && { classCount }),
    ...(columns && { columns }),
  };
}

function rowsCard({ scores, class: place, objectness, columns }: BoxRows): Partial<DetectionsOutput> {
  return {
    ...(place === undefined && { objectness: objectness !== undefined, classCount: scores }),
    ...(columns && { columns }),
  };
}

/** Boxes in a tensor of their own are columns. */
const hasColumns = ({ shape }: TensorSignature) => (shape.at(-2) === 4 && shape.at(-1) !== 4 ? true : undefined);

/** How many scores each box has; undefined when only a run shows it. */
function classCountOf({ shape }: TensorSignature, transposed: boolean): number | undefined {
  const count = shape.at(transposed ? -2 : -1);
  return typeof count === 'number' ? count : undefined;
}

function checkTensors(
  { transposed, objectness, columns, classCount }: PartialDetections,
  { scores, boxes, classes }: { scores: TensorSignature; boxes: TensorSignature; classes?: TensorSignature },
): void {
  const unreadable = [scores, boxes].find((tensor) => !isReadable(tensor));
  if (unreadable) throw refusal(unreadable, 'has a type that cannot be read: export it as float32');
  const { shape } = boxes;
  if (![0, 2, 3].includes(shape.length) && !(shape.length === 4 && shape[1] === 1 && boxes === scores))
    throw refusal(boxes, 'is not a list of boxes: correct "output.boxes"');
  if (boxes === scores) return;
  if (classes === scores)
    throw refusal(scores, 'cannot hold both scores and classes when another tensor holds the boxes');
  if (objectness === true || columns || classCount !== undefined)
    throw refusal(
      boxes,
      'holds only boxes, but "output.objectness", "output.columns" and "output.classCount" are for one tensor with both boxes and scores: leave them out',
    );
  const numbers = shape.at((transposed ?? hasColumns(boxes)) ? -2 : -1);
  if (typeof numbers === 'number' && numbers !== 4)
    throw refusal(boxes, `gives ${numbers} numbers for each box instead of 4: correct "output.boxes"`);
}

function refusal(tensor: TensorSignature, what: string): JobError {
  return new JobError('user', `The model's output ${describeTensor(tensor)} ${what}.`);
}
