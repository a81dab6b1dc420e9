import { JobError } from '../job/failure.js';
import { checkLabels } from '../job/labels.js';
import type { DetectionsOutput } from '../job/model-card.js';
import { type FoundClass, named } from './classes.js';
import type { InputPlan } from './geometry.js';
import type { Size } from './picture.js';
import type { TensorValues } from './tensor.js';

/** Left, top, right, bottom. */
type Box = [number, number, number, number];

/** `box` in pixels of the item. */
export interface Detection extends FoundClass {
  box: Box;
}

/**
 * The boxes above the card's threshold, the best first, without those that overlap a better one of the same class.
 * @param dims of the scores: `[batch, boxes, classes]`.
 * @throws JobError `item`: the shapes do not go together; `user`: the labels are not as many as the classes.
 */
export function detect(
  scores: TensorValues,
  dims: readonly number[],
  boxes: TensorValues,
  card: DetectionsOutput,
  facts: { plan: InputPlan; original: Size },
): Detection[] {
  const [, count = 0, classes = 0] = dims;
  if (dims.length !== 3 || boxes.length % 4 !== 0 || boxes.length / 4 < count) {
    throw new JobError('item', `the model gave scores of shape [${dims.join(',')}] and ${boxes.length / 4} boxes`);
  }
  checkLabels(card.labels, classes);
  const found: Detection[] = [];
  for (let index = 0; index < count; index += 1) {
    for (let kind = 0; kind < classes; kind += 1) {
      const score = scores[index * classes + kind] ?? 0;
      if (score < card.threshold || card.background.includes(kind)) continue;
      found.push({ ...named(kind, score, card.labels), box: toPixels(boxes, index, card, facts) });
    }
  }
  return withoutOverlaps(
    found.toSorted((one, other) => other.score - one.score),
    card.overlap,
  );
}

/** In pixels of the item, cut off at its edges. */
function toPixels(
  boxes: TensorValues,
  index: number,
  { unit }: DetectionsOutput,
  { plan: { scaled, padded }, original }: { plan: InputPlan; original: Size },
): Box {
  const whole = unit === 'fraction' ? padded : { width: 1, height: 1 };
  const at = (side: number, size: 'width' | 'height') => {
    const pixels = ((boxes[index * 4 + side] ?? 0) * whole[size] * original[size]) / scaled[size];
    return Math.min(Math.max(pixels, 0), original[size]);
  };
  return [at(0, 'width'), at(1, 'height'), at(2, 'width'), at(3, 'height')];
}

function withoutOverlaps(sorted: Detection[], most: number): Detection[] {
  const kept: Detection[] = [];
  for (const detection of sorted) {
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
