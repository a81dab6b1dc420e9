import { packStart } from '../../container-contract/places.js';
import type { TaskItem } from '../../container-contract/task.js';
import type { Tally } from '../records/tally.js';

/** Items and seconds of work that are announced at once: a report for so many, and so many are scored alone after a container has died. */
const LEAST_AHEAD = 16;
const SECONDS_AHEAD = 20;

/**
 * Says before an item is taken up that work may come to it. Returns when that is stored, or storage has refused it.
 * @returns whether the item is this container's; if not, no further one is.
 */
export type Announce = (item: TaskItem) => Promise<boolean>;

/**
 * Announces items in advance, so that it is known of a container that dies what it may have been at; costs few reports.
 * @param options `pack`: items of packs that are only stored whole: they are announced together.
 */
export function announceAhead(
  items: TaskItem[],
  tally: Pick<Tally, 'reach' | 'alone'>,
  report: () => Promise<void>,
  { pack = 1, now = () => performance.now() }: { pack?: number; now?: (() => number) | undefined } = {},
): Announce {
  const startedAt = now();
  let taken = 0;
  let announced = 0;
  tally.alone = undefined;
  return async () => {
    taken += 1;
    if (taken <= announced) return true;
    const perSecond = (1000 * taken) / Math.max(1, now() - startedAt);
    const ahead = Math.max(LEAST_AHEAD, taken === 1 ? 0 : SECONDS_AHEAD * perSecond);
    let next = Math.min(items.length, Math.ceil(taken + ahead));
    while (next < items.length && isOfPack(items[next - 1], items[next], pack)) next += 1;
    tally.reach = items[next - 1]?.index;
    await report();
    announced = next;
    return true;
  };
}

const isOfPack = (one: TaskItem | undefined, other: TaskItem | undefined, pack: number) =>
  packStart(one?.index ?? 0, pack) === packStart(other?.index ?? 0, pack);

/** Announces each item by itself. */
export const announceAlone =
  (tally: Pick<Tally, 'reach' | 'alone'>, report: () => Promise<void>): Announce =>
  async ({ index }) => {
    tally.alone = index;
    await report();
    return true;
  };
