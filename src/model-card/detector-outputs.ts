import { counted, JobError } from '../job/failure.js';
import { readYolo } from './hints.js';
import { checkLabels } from './labels.js';
import type { DetectionsOutput } from './schema.js';
import { describeTensor, type ImageSize, type ModelHints, type TensorSignature } from './signature.js';

/** The outputs that boxes are read from: the same tensor for all, or one for each. */
export interface FoundDetections {
  scores: TensorSignature;
  boxes: TensorSignature;
  classes?: TensorSignature;
  /** How many of the boxes count. */
  count?: TensorSignature;
}

/** A tensor of three dimensions is taken for a list of boxes when it holds this many times more boxes than numbers in a box. */
const LIST_RATIO = 8;

/** Boxes of four numbers with scores and perhaps classes, or one list of boxes with their scores. */
export function findDetections(outputs: TensorSignature[]): FoundDetections | undefined {
  const flat = outputs.filter((tensor) => tensor.shape.length === 2 || tensor.shape.length === 3);
  const lists = flat.filter((tensor) => tensor.shape.slice(-2).includes(4));
  const boxes = lists.find(({ name }) => /box|loc|coord/i.test(name)) ?? lists.find(({ name }) => !isScoreName(name));
  if (boxes === undefined) {
    const [list, ...others] = outputs.filter(isBoxList);
    return list !== undefined && others.length === 0 ? { scores: list, boxes: list } : undefined;
  }
  const { shape } = boxes;
  const boxCount = shape.at(-1) === 4 ? shape.at(-2) : shape.at(-1);
  const others = outputs.filter((tensor) => tensor !== boxes);
  const perBox = others.filter(
    (tensor) => tensor.shape.length === shape.length - 1 && tensor.shape.at(-1) === boxCount,
  );
  const classes = perBox.find(({ name, type }) => /label|class|cls/i.test(name) || type.startsWith('int'));
  const free = perBox.filter((tensor) => tensor !== classes && tensor.type.startsWith('float'));
  const chosen = classes && (free.find(({ name }) => isScoreName(name)) ?? free[0]);
  const count = others.find(({ name, shape: own }) => /num|count/i.test(name) && own.length < shape.length);
  if (classes && chosen) return { scores: chosen, boxes, classes, ...(count && { count }) };
  const scores = others.find((tensor) => tensor.shape.length === 3 && tensor.shape.slice(-2).includes(boxCount ?? ''));
  return shape.length === 3 && scores ? { scores, boxes } : undefined;
}

const isScoreName = (name: string) => /score|conf|prob|logit/i.test(name);

export function isBoxList({ shape, type }: TensorSignature): boolean {
  if (!type.startsWith('float') || shape.length < 2 || shape.length > 4) return false;
  const [one = '', other = ''] = shape.slice(-2);
  // Lists of the boxes that the model chose itself.
  const chosen = other === 6 || other === 7;
  if (shape.length === 2) return chosen;
  if (shape.length === 4) return shape[1] === 1 && other === 7;
  if (typeof other === 'string') return typeof one === 'number' && one > 4 && /anchor|box|det|pred/i.test(other);
  if (typeof one === 'string') return chosen;
  const [numbers, boxes] = [Math.min(one, other), Math.max(one, other)];
  return numbers > 4 && boxes >= numbers * LIST_RATIO;
}

/** How one tensor holds boxes and scores. */
export interface BoxRows {
  /** Columns hold the boxes. */
  transposed: boolean;
  /** Numbers of a box, with its scores and what is left out. */
  numbers: number;
  /** Places of the first number of the box, of the objectness and of the first score. */
  box: number;
  objectness: number | undefined;
  score: number;
  /** How many scores follow each other; 1 where a number says the class. */
  scores: number;
  /** Place of the class. */
  class: number | undefined;
  /** As a card says the places, where they are not the usual ones. */
  columns: DetectionsOutput['columns'];
}

/** What a card says of the rows, as far as it does. */
export type RowsCard = Pick<DetectionsOutput, 'transposed' | 'objectness' | 'classCount' | 'columns'> & {
  /** The card says that a number of each row is its class. */
  chosen: boolean;
};

export interface RowsFacts {
  /** How many labels there are; 0: none. */
  labels: number;
  hints?: ModelHints;
  /** The model's other outputs: masks are made of one with four dimensions. */
  others?: TensorSignature[];
  /** Size of the model's input, where it is fixed. */
  input: ImageSize;
}

/** Models choose at most so many boxes themselves. */
const MOST_CHOSEN = 1000;
/** Coefficients that Ultralytics' masks have. */
const MASK_NUMBERS = 32;
const BOX_NUMBERS = 4;

/**
 * Finds out which numbers of a tensor are boxes, scores and classes: from what the card says, from the number of classes, from the
 * model's metadata, and from how many boxes a detector of this input size makes.
 * @returns undefined when a dimension is open and only a run shows it.
 * @throws JobError `user`: a row has too few numbers, or not as many scores as there are labels, or the model leaves it open.
 */
export function planRows(tensor: TensorSignature, card: RowsCard, facts: RowsFacts): BoxRows | undefined {
  const [one = '', other = ''] = tensor.shape.slice(-2);
  const reader = new RowsReader(tensor, card, facts);
  const transposed = card.transposed ?? reader.isTransposed(one, other);
  if (transposed === undefined) return undefined;
  const [numbers, boxes] = transposed ? [one, other] : [other, one];
  return typeof numbers === 'number' ? reader.read(numbers, boxes, transposed) : undefined;
}

class RowsReader {
  /** How many classes there are, as far as it is known. */
  readonly #classes: number | undefined;
  /** Numbers after the scores; undefined: not known. */
  readonly #rest: number | undefined;
  readonly #yolo: ReturnType<typeof readYolo>;
  readonly #grids: number[];

  constructor(
    private readonly tensor: TensorSignature,
    private readonly card: RowsCard,
    private readonly facts: RowsFacts,
  ) {
    const { labels, hints, others = [], input } = facts;
    this.#yolo = hints && readYolo(hints);
    this.#classes = card.classCount ?? (labels > 0 ? labels : undefined);
    const masks = others.find(({ shape }) => shape.length === 4)?.shape[1];
    const made = typeof masks === 'number' ? masks : undefined;
    this.#rest = this.#yolo === undefined ? made : (this.#yolo.rest ?? made ?? MASK_NUMBERS);
    this.#grids = gridsOf(input);
  }

  /** Whether columns hold the boxes; undefined when only a run shows it. */
  isTransposed(one: number | string, other: number | string): boolean | undefined {
    if (typeof one === 'string' || typeof other === 'string')
      return typeof one === typeof other ? undefined : typeof one === 'number';
    // A box and a score are five numbers.
    if (one <= BOX_NUMBERS !== other <= BOX_NUMBERS) return other <= BOX_NUMBERS;
    const [columns, rows] = [this.#fits(one, true), this.#fits(other, false)];
    if (columns !== rows) return columns;
    const [many, few] = [this.#grids.includes(other), this.#grids.includes(one)];
    if (many !== few) return many;
    if (one !== other) return one < other;
    if (this.#yolo && !this.#yolo.fifth) return true;
    throw this.#refusal(
      'does not show whether rows or columns hold the boxes: set "output.transposed" in the model card',
    );
  }

  /** Whether a box has as many numbers as the classes make likely. */
  #fits(numbers: number, transposed: boolean): boolean {
    if (this.#classes === undefined) return false;
    const rest = numbers - BOX_NUMBERS - this.#classes;
    const known = this.#yolo ? [this.#rest ?? 0] : [0, this.#rest ?? 0];
    return known.some((most) => rest === most || (!transposed && (rest === most + 1 || numbers === 6 + most)));
  }

  read(numbers: number, boxes: number | string, transposed: boolean): BoxRows {
    const columns = this.card.columns ?? this.#chosenColumns(numbers, boxes, transposed);
    if (columns?.class !== undefined) {
      const { box = 0, score = BOX_NUMBERS, class: place } = columns;
      this.#checkNumbers(numbers, Math.max(box + BOX_NUMBERS, score + 1, place + 1));
      const usual = box === 0 && score === BOX_NUMBERS && place === BOX_NUMBERS + 1;
      const found = { transposed, numbers, box, objectness: undefined, score, scores: 1, class: place };
      return { ...found, columns: usual ? undefined : { box, score, class: place } };
    }
    const objectness = this.card.objectness ?? this.#hasObjectness(numbers, boxes, transposed);
    const { box = 0, score: first = box + BOX_NUMBERS } = columns ?? {};
    const score = columns?.score === undefined && objectness ? first + 1 : first;
    this.#checkNumbers(numbers, Math.max(score + 1, box + BOX_NUMBERS));
    // The scores end where the box begins, if it comes last.
    const room = (box > score ? Math.min(box, numbers) : numbers) - score;
    const scores = this.#classes ?? Math.max(1, room - (this.#rest ?? 0));
    this.#checkScores(scores, room, transposed);
    const usual = box === 0 && score === BOX_NUMBERS + (objectness ? 1 : 0);
    const found = { transposed, numbers, box, score, scores, class: undefined };
    return { ...found, objectness: objectness ? score - 1 : undefined, columns: usual ? undefined : { box, score } };
  }

  /** Where the numbers are in the lists of boxes that models choose themselves. */
  #chosenColumns(numbers: number, boxes: number | string, transposed: boolean): RowsCard['columns'] {
    const usual = { box: 0, score: BOX_NUMBERS, class: BOX_NUMBERS + 1 };
    if (this.card.chosen) return usual;
    if (transposed || this.card.classCount !== undefined || this.card.objectness === true) return undefined;
    const { length } = this.tensor.shape;
    // Of the image, the class, the score, the box (SSD); of the image, the box, the class, the score (YOLOv7).
    if (numbers === 7 && length === 4) return { box: 3, score: 2, class: 1 };
    if (numbers === 7 && length === 2 && this.#yolo === undefined) return { box: 1, score: 6, class: 5 };
    const few = typeof boxes === 'string' || (boxes <= MOST_CHOSEN && !this.#grids.includes(boxes));
    const expected = 6 + (this.#yolo ? (this.#rest ?? 0) : 0);
    return numbers === expected && few && this.#yolo?.fractions !== true ? usual : undefined;
  }

  /** The fifth number of a row is the likelihood of any object in the YOLOs from the third to the seventh and in YOLOX. */
  #hasObjectness(numbers: number, boxes: number | string, transposed: boolean): boolean {
    if (transposed) return false;
    if (this.#classes !== undefined) {
      const more = numbers - BOX_NUMBERS - this.#classes;
      return this.#yolo?.fifth === true ? more > 0 : this.#yolo === undefined && more === 1 + (this.#rest ?? 0);
    }
    return (
      numbers === 85 || (typeof boxes === 'number' && [boxes, boxes / 3].every((grid) => this.#grids.includes(grid)))
    );
  }

  #checkNumbers(numbers: number, least: number): void {
    if (numbers < least)
      throw this.#refusal(`gives ${numbers} numbers for each box instead of ${least} or more: correct "output.boxes"`);
  }

  /** @param room for scores. */
  #checkScores(scores: number, room: number, transposed: boolean): void {
    const rest = room - scores;
    const { classCount } = this.card;
    if (classCount !== undefined) checkLabels(Array<string>(this.facts.labels).fill(''), classCount);
    if (rest < 0 && classCount !== undefined)
      throw this.#refusal(
        `has room for ${counted(room, 'score')} in a row, not for ${classCount}: correct "output.classCount"`,
      );
    const explained =
      classCount !== undefined ||
      this.#classes === undefined ||
      (this.#yolo !== undefined && this.facts.labels === this.#yolo.names.length);
    if (rest >= 0 && (explained || rest === this.#rest || isLikelyRest(rest, scores, transposed))) return;
    checkLabels(Array<string>(this.facts.labels).fill(''), room - (this.#rest ?? 0));
  }

  #refusal(what: string): JobError {
    return new JobError('user', `The model's output ${describeTensor(this.tensor)} ${what}.`);
  }
}

/**
 * Whether so many numbers after the scores are the coefficients of a mask, the angle of a box, or key points of two or three numbers:
 * of the labels, only those are believed that leave such a number.
 */
function isLikelyRest(rest: number, scores: number, transposed: boolean): boolean {
  if (rest === 0 || rest === MASK_NUMBERS || (rest === 1 && transposed)) return true;
  return scores <= 3 && rest >= 6 && (rest % 3 === 0 || rest % 2 === 0);
}

/**
 * How many boxes YOLOs make of a picture: one, or three, for each cell of grids of 8, 16 and 32 pixels, with or without those of 64.
 */
function gridsOf({ width, height }: ImageSize): number[] {
  if (width === undefined || height === undefined) return [];
  const cells = (side: number) => Math.ceil(width / side) * Math.ceil(height / side);
  const three = cells(8) + cells(16) + cells(32);
  return [three, three + cells(64)].flatMap((boxes) => [boxes, 3 * boxes]);
}

/**
 * The order in which the numbers of a box come where nothing else says it. TensorFlow's Object Detection API calls its boxes
 * `detection_boxes` and gives them as top, left, bottom, right (exporter_main_v2.py in tensorflow/models).
 */
export const usualFormat = ({ name }: TensorSignature) => (/^detection_boxes(?::\d+)?$/.test(name) ? 'tlbr' : 'ltrb');
