import { type ItemRange, packStart } from './places.js';

/**
 * Which items of a batch which of its containers scores: the share blob. There is none while nobody wants to help. Each change replaces the
 * version that it was made from, so no two containers ever take the same item.
 */
export interface Share {
  /** They hold every item of the batch that had no output, once. */
  spans: Span[];
}

/** Items of one container. */
export interface Span extends ItemRange {
  attempt: number;
  /** Index up to which the container may have taken items up; less than `first` before it has. Others leave these alone. */
  taken: number;
}

/** How items are stored. */
export interface Packing {
  /** Items of a pack. */
  pack: number;
  /** Whether packs are only stored whole. */
  whole: boolean;
}

/** One container has all items. @param taken those that it has taken up. */
export const shareOf = (attempt: number, { first, last }: ItemRange, taken = first - 1): Share => ({
  spans: [{ attempt, first, last, taken }],
});

/** The items that an attempt was given, or took over; those that it gave away are not among them. */
export const spansOf = ({ spans }: Share, attempt: number): Span[] => spans.filter((span) => span.attempt === attempt);

/** Whether an item is in one of these. */
export const isIn = (ranges: ItemRange[], index: number): boolean =>
  ranges.some(({ first, last }) => first <= index && index <= last);

/** Of these items those that nobody has taken up. */
export const untaken = ({ spans }: Share, items: number[]): number[] =>
  items.filter((index) => spans.some(({ taken, last }) => taken < index && index <= last));

/** Takes items up before anything is done for them. @returns the very share that it got when nothing changes. */
export function takeUp(share: Share, { attempt, first }: Pick<Span, 'attempt' | 'first'>, upTo: number): Share {
  const own = share.spans.find((span) => span.attempt === attempt && span.first === first);
  const taken = Math.min(upTo, own?.last ?? -1);
  if (!own || taken <= own.taken) return share;
  return { spans: share.spans.map((span) => (span === own ? { ...span, taken } : span)) };
}

/**
 * Takes the second half of what the container has before it that has most; of a container that has ended, too, since those items did it no
 * harm.
 * @param items indices, in order, that may be taken.
 * @returns the very share that it got when nobody has enough.
 */
export function takeOver(share: Share, attempt: number, items: number[], packing: Packing): Share {
  let most: number[] = [];
  let victim: Span | undefined;
  for (const span of share.spans) {
    const rest = untaken({ spans: [span] }, items);
    if (rest.length > most.length) [most, victim] = [rest, span];
  }
  const cut = cutOf(most, packing);
  if (!victim || cut === undefined) return share;
  const { last } = victim;
  return {
    spans: [
      ...share.spans.map((span) => (span === victim ? { ...span, last: cut - 1 } : span)),
      { attempt, first: cut, last, taken: cut - 1 },
    ],
  };
}

/** How much of the rest a cut may lie beside its middle to leave a pack whole. */
const LEEWAY = 1 / 4;

/** With which item the second half begins; undefined when there are no two parts. */
function cutOf(rest: number[], { pack, whole }: Packing): number | undefined {
  const middle = Math.floor(rest.length / 2);
  if (middle === 0) return undefined;
  let best: number | undefined;
  for (let k = 1; k < rest.length; k += 1) {
    const begins = packStart(rest[k] ?? 0, pack) > (rest[k - 1] ?? 0);
    if (begins && (best === undefined || Math.abs(k - middle) < Math.abs(best - middle))) best = k;
  }
  const isNear = best !== undefined && (whole || Math.abs(best - middle) <= rest.length * LEEWAY);
  if (isNear) return rest[best ?? 0];
  return whole ? undefined : rest[middle];
}
