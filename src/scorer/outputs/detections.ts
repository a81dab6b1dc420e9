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

/**
 * The boxes above the card's threshold, the best first, without those that overlap a better one of the same class.
 * @throws JobError `user`: the labels are not as many as the classes.
 */
export function detect(
  table: BoxTable,
  card: DetectionsOutput,
  facts: { plan: InputPlan; original: Size },
): Detection[] {
  const { background, labels, threshold, overlap: most, top = DEFAULTS.boxes } = card;
  const found: Detection[] = [];
  for (let index = 0; index < table.count; index += 1) {
    const scores = table.scores(index);
    if (table.classOf === undefined) checkLabels(labels, scores.length);
    for (const [place, score] of scores.entries()) {
      const kind = table.classOf?.(index) ?? place;
      if (score < threshold || background.includes(kind)) continue;
      found.push({ ...named(kind, score, labels), box: toPixels(table.box(index), card, facts) });
    }
  }
  return withoutOverlaps(
    found.toSorted((one, other) => other.score - one.score),
    most,
    top,
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
