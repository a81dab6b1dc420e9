import { JobError } from '../job/failure.js';
import { checkLabels, chooseLabels } from './labels.js';
import { DEFAULTS, type DetectionsOutput, type PartialOutput } from './schema.js';
import {
  describeTensor,
  describeTensors,
  findTensor,
  isReadable,
  type ModelSignature,
  type TensorSignature,
} from './signature.js';

type PartialDetections = Extract<PartialOutput, { kind: 'detections' }>;

/** @throws JobError `user`: the model has no such outputs, or they cannot hold boxes and scores. */
export function completeDetections(
  card: PartialDetections,
  model: ModelSignature,
  labelFile: string[] | undefined,
): DetectionsOutput {
  const [only] = model.outputs.length === 1 ? model.outputs : [];
  const scores = output(model, card.name ?? only?.name ?? 'scores');
  const boxes = output(model, card.boxes ?? only?.name ?? 'boxes');
  if (card.classes !== undefined) output(model, card.classes);
  const single = boxes === scores;
  const transposed = card.transposed ?? (single && isTransposed(scores));
  checkTensors(card, scores, boxes, transposed);
  const labels = chooseLabels(card.labels, labelFile);
  checkLabels(labels, countScores(card, scores, { single, transposed }));
  const { classes, format = 'ltrb', objectness, activation, top } = card;
  return {
    kind: 'detections',
    name: scores.name,
    boxes: boxes.name,
    ...(classes !== undefined && { classes }),
    format,
    unit: card.unit ?? 'fraction',
    ...(transposed && { transposed }),
    ...(objectness && { objectness }),
    ...(activation && { activation }),
    background: card.background ?? [],
    threshold: card.threshold ?? DEFAULTS.threshold,
    overlap: card.overlap ?? DEFAULTS.overlap,
    ...(top !== undefined && { top }),
    labels,
  };
}

function output(model: ModelSignature, name: string): TensorSignature {
  const tensor = findTensor(model.outputs, name, 'output');
  if (tensor !== undefined) return tensor;
  throw new JobError('user', `The model gives ${describeTensors(model.outputs)}, but no "${name}".`);
}

/** There are more boxes than numbers in each box. */
function isTransposed({ shape }: TensorSignature): boolean {
  const [numbers, boxes] = shape.slice(-2);
  return typeof numbers === 'number' && typeof boxes === 'number' && numbers < boxes;
}

function checkTensors(
  { classes, transposed: asked, objectness }: PartialDetections,
  scores: TensorSignature,
  boxes: TensorSignature,
  transposed: boolean,
): void {
  const unreadable = [scores, boxes].find((tensor) => !isReadable(tensor));
  if (unreadable) throw refusal(unreadable, 'has a type that cannot be read: export it as float32');
  if (boxes !== scores) {
    if (classes === scores.name)
      throw refusal(scores, 'cannot hold both scores and classes when another tensor holds the boxes');
    if (asked === true || objectness === true)
      throw refusal(
        boxes,
        'holds only boxes, but "output.transposed" and "output.objectness" are for one tensor with both boxes and scores: leave them out',
      );
  }
  if (![0, 2, 3].includes(boxes.shape.length)) throw refusal(boxes, 'is not a list of boxes: correct "output.boxes"');
  const numbers = boxes.shape.at(transposed ? -2 : -1);
  if (typeof numbers !== 'number') return;
  const least = boxes !== scores ? 4 : classes === scores.name || objectness === true ? 6 : 5;
  if (boxes !== scores ? numbers === least : numbers >= least) return;
  throw refusal(
    boxes,
    `gives ${numbers} numbers for each box instead of ${least}${boxes === scores ? ' or more' : ''}: correct "output.boxes"`,
  );
}

/** How many scores each box has; undefined when only a run shows it, or when a tensor gives the classes. */
function countScores(
  { classes, objectness = false }: PartialDetections,
  scores: TensorSignature,
  { single, transposed }: { single: boolean; transposed: boolean },
): number | undefined {
  const numbers = scores.shape.at(transposed ? -2 : -1);
  if (classes !== undefined || typeof numbers !== 'number') return undefined;
  return single ? numbers - (objectness ? 5 : 4) : numbers;
}

function refusal(tensor: TensorSignature, what: string): JobError {
  return new JobError('user', `The model's output ${describeTensor(tensor)} ${what}.`);
}
