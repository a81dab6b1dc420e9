import { JobError } from '../../job/failure.js';
import { checkLabels } from '../../model-card/labels.js';
import { DEFAULTS, type DetectionsOutput } from '../../model-card/schema.js';
import type { BoxTable } from './box-table.js';
import { type FoundClass, named } from './classes.js';
import type { InputPlan } from '../pictures/geometry.js';
import type { Size } from '../pictures/codec.js';

/** Left, top, right, bottom. */
type Box = [number, number, number, number];

/** `box` in pixels of the item. */
export interface Detection extends FoundClass {
  box: Box;
}

/** Rounding of half floats, and of sums of them. */
const ROUNDING = 0.01;

/**
 * The boxes above the card's threshold, the best first, without those that overlap a better one of the same class.
 * @throws JobError `user`: the labels are not as many as the classes. `item`: the numbers are no scores, classes or boxes, so that the card
 * reads the model's output wrongly; says what to change.
 */
export function detect(
  table: BoxTable,
  card: DetectionsOutput,
  facts: { plan: InputPlan; original: Size },
): Detection[] {
  const { background, labels, threshold, overlap: most, top = DEFAULTS.boxes } = card;
  const found: Detection[] = [];
  for (let index = 0; index < table.count; index += 1) {
    const chosen = table.classOf?.(index);
    // Lists that are longer than what was found end with such classes.
    if (chosen !== undefined && chosen < 0) continue;
    const scores = table.scores(index);
    if (chosen === undefined) checkLabels(labels, scores.length);
    for (const [place, score] of scores.entries()) {
      if (score < -ROUNDING || score > 1 + ROUNDING) throw noScore(score, card);
      const kind = chosen ?? place;
      if (score < threshold || background.includes(kind)) continue;
      if (!Number.isInteger(kind)) throw noClass(kind);
      const numbers = table.box(index);
      checkBox(numbers, card, facts.plan);
      found.push({ ...named(kind, score, labels), box: toPixels(numbers, card, facts) });
    }
  }
  return withoutOverlaps(
    found.toSorted((one, other) => other.score - one.score),
    most,
    top,
  );
}

function noScore(score: number, { name, boxes, activation = 'none' }: DetectionsOutput): JobError {
  const ways = [
    ...(boxes === name
      ? [
          'how many scores a row has with "output.classCount"',
          'where the score and the class are with "output.columns" or "output.classes"',
          'with "output.transposed" whether columns hold the boxes',
        ]
      : []),
    ...(activation === 'none' ? ['for raw scores "output.activation": "sigmoid" or "softmax"'] : []),
  ];
  const what = `the model gave the score ${Number(score.toPrecision(4))}, and scores are from 0 to 1`;
  return new JobError(
    'item',
    `${what}: say in the model card ${ways.join(', or ') || 'which output holds the scores ("output.name")'}`,
  );
}

function noClass(kind: number): JobError {
  return new JobError(
    'item',
    `the model gave the class ${Number(kind.toPrecision(4))}, and classes are whole numbers: say in the model card with "output.columns" where a row holds its class`,
  );
}

/** Values that no fraction of a picture has, and that no box in pixels stays below. */
const LARGEST_FRACTION = 2;

/** @throws JobError `item`: a box of the wrong unit, or whose sides are the other way round. */
function checkBox(numbers: Box, { unit, format }: DetectionsOutput, { padded }: InputPlan): void {
  const largest = Math.max(...numbers.map(Math.abs));
  const box = `[${numbers.map((number) => Number(number.toPrecision(4))).join(', ')}]`;
  if (unit === 'fraction' && largest > LARGEST_FRACTION)
    throw new JobError(
      'item',
      `the model gave the box ${box}, which are no fractions of a picture: set "output.unit" to "pixel" in the model card`,
    );
  if (unit === 'pixel' && largest <= 1 + ROUNDING && largest > 0 && Math.min(padded.width, padded.height) > 8)
    throw new JobError(
      'item',
      `the model gave the box ${box}, which is less than a pixel: set "output.unit" to "fraction" in the model card`,
    );
  const [left, top, right, bottom] = sidesOf(numbers, format);
  const least = -ROUNDING * (unit === 'fraction' ? 1 : padded.width);
  if (right - left < least || bottom - top < least)
    throw new JobError(
      'item',
      `the model gave the box ${box}, which ends before it begins: correct "output.format" in the model card, perhaps to "center"`,
    );
}

/** In pixels of the item, cut off at its edges. */
function toPixels(
  numbers: Box,
  { unit, format }: DetectionsOutput,
  { plan: { scaled, padded }, original }: { plan: InputPlan; original: Size },
): Box {
  const whole = unit === 'fraction' ? padded : { width: 1, height: 1 };
  const [left, top, right, bottom] = sidesOf(numbers, format);
  const pixels = (at: number, size: 'width' | 'height') =>
    Math.min(Math.max((at * whole[size] * original[size]) / scaled[size], 0), original[size]);
  return [pixels(left, 'width'), pixels(top, 'height'), pixels(right, 'width'), pixels(bottom, 'height')];
}

function sidesOf([one, two, three, four]: Box, format: DetectionsOutput['format']): Box {
  if (format === 'tlbr') return [two, one, four, three];
  if (format === 'ltwh') return [one, two, one + three, two + four];
  if (format === 'center') return [one - three / 2, two - four / 2, one + three / 2, two + four / 2];
  return [one, two, three, four];
}

function withoutOverlaps(sorted: Detection[], most: number, top: number): Detection[] {
  const kept: Detection[] = [];
  for (const detection of sorted) {
    if (kept.length === top) break;
    const covered = kept.some(
      (better) => better.index === detection.index && overlap(better.box, detection.box) > most,
    );
    if (!covered) kept.push(detection);
  }
  return kept;
}

/** Intersection over union, 0..1. */
function overlap(one: Box, other: Box): number {
  const width = Math.min(one[2], other[2]) - Math.max(one[0], other[0]);
  const height = Math.min(one[3], other[3]) - Math.max(one[1], other[1]);
  if (width <= 0 || height <= 0) return 0;
  const common = width * height;
  return common / (area(one) + area(other) - common);
}

function area([left, top, right, bottom]: Box): number {
  return (right - left) * (bottom - top);
}
