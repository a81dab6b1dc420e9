import type { PartialCard } from './card-schema.js';
import type { TensorSignature } from './model-signature.js';

/** The outputs that boxes are read from: one tensor for all, or one for each. */
export interface FoundDetections {
  scores: TensorSignature;
  boxes: TensorSignature;
  classes?: TensorSignature;
}

/** So many times more boxes than numbers for each tell a list of boxes from another tensor of three dimensions. */
const LIST_RATIO = 8;

/** Boxes of four numbers with scores and perhaps classes, or one list of boxes with their scores. */
export function findDetections(outputs: TensorSignature[]): FoundDetections | undefined {
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

export function draftDetections(
  { scores, boxes, classes }: FoundDetections,
  frame: TensorSignature,
  questions: string[],
): NonNullable<PartialCard['output']> {
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
    threshold: 0.5,
    overlap: 0.45,
    labels: [],
  };
}

function boxListOf({ shape }: TensorSignature): BoxList {
  const [one = 0, other = 0] = shape.slice(-2).map(Number);
  return { transposed: one < other, numbers: Math.min(one, other) };
}

/** As detectors give the boxes that they chose; columns of six are more likely boxes with scores of two classes. */
function endsWithClass({ numbers, transposed }: BoxList): boolean {
  return numbers === 6 && !transposed;
}

function askList(list: BoxList): string {
  return endsWithClass(list)
    ? 'Whether the six numbers of a box end with its score and its class ("output.classes"; without it they are scores of two classes): the draft says so.'
    : 'Whether the fifth number of a box says how likely there is anything at all ("output.objectness"): the draft says it is the score of the first class.';
}

function askBoxes(format: string, unit: string): string[] {
  return [
    `What the numbers of a box are ("output.format": ${FORMATS}): the draft says ${format}.`,
    `Whether boxes are in parts of the picture or in pixels ("output.unit": "fraction" or "pixel"): the draft says ${unit}.`,
    'What makes probabilities of the scores ("output.activation": "none", "sigmoid" or "softmax"): the draft says none.',
    'Which classes stand for nothing found ("output.background") and from which score on a box counts ("output.threshold"): the draft says none and 0.5.',
  ];
}

export function askLabels(count: number | string | undefined): string {
  return `What the ${typeof count === 'number' ? `${count} ` : ''}classes are called ("output.labels": a list of names, or the name of a label file next to the card): the draft gives numbers only.`;
}
