import { packStart } from '../../container-contract/places.js';
import {
  isIn,
  type Packing,
  type Share,
  shareOf,
  type Span,
  spansOf,
  takeOver,
  takeUp,
} from '../../container-contract/share.js';
import type { ScoreTask, TaskItem } from '../../container-contract/task.js';
import type { Tally } from '../records/tally.js';
import type { Announce } from './reach.js';

/** Items to score one after the other. */
export interface Stretch {
  items: TaskItem[];
  announce: Announce;
}

/** Replaces the share by what is made of it, as one step; undefined: there is none. */
export type ChangeShare = (next: (before: Share | undefined) => Share | undefined) => Promise<Share | undefined>;

interface SharedParts {
  task: Pick<ScoreTask, 'attempt' | 'helps' | 'pack' | 'packSeconds'>;
  change: ChangeShare;
  tally: Pick<Tally, 'reach' | 'alone' | 'elsewhere'>;
  /** Stores the progress as it is now. */
  report: () => Promise<void>;
  now?: () => number;
}

/**
 * The items that this container scores of a batch that several may score: its own, as long as nobody takes them over, and then what it
 * can take over itself. No item is taken up before it is written down that it is.
 * @param items of the task that have no output.
 */
export async function* sharedStretches(items: TaskItem[], parts: SharedParts): AsyncGenerator<Stretch> {
  const { task, change, tally } = parts;
  const { attempt, helps } = task;
  const indices = items.map(({ index }) => index);
  const [first = 0, last = -1] = [indices[0], indices.at(-1)];
  const packing = { pack: task.pack, whole: task.packSeconds === undefined };
  const pace = createPace(parts.now);
  const handled = new Set<number>();
  tally.alone = undefined;
  let share: Share | undefined;
  const update = async (next: Parameters<ChangeShare>[0]) => {
    share = await change(next);
    const own = ownSpans();
    tally.elsewhere = indices.filter((index) => !isIn(own, index)).length;
  };
  const ownSpans = () => (share ? spansOf(share, attempt) : []);
  await update((before) => before ?? (helps === undefined ? shareOf(attempt, { first, last }) : undefined));
  for (;;) {
    const next = ownSpans().find((span) => !handled.has(span.first));
    if (next) {
      handled.add(next.first);
      const own = items.filter(({ index }) => isIn([next], index));
      if (own.length > 0) yield { items: own, announce: announceTaken(own, next) };
      continue;
    }
    await update((before) => before && takeOver(before, attempt, indices, packing));
    if (ownSpans().every((span) => handled.has(span.first))) return;
  }

  function announceTaken(own: TaskItem[], { first: from, taken: before }: Span): Announce {
    let taken = before;
    let isTold = false;
    return async ({ index }) => {
      if (index <= taken && isTold) return true;
      if (index > taken) {
        const rest = own.filter((item) => item.index > taken);
        const upTo = Math.max(index, lastOf(rest, pace(rest.length), packing));
        await update((latest) => latest && takeUp(latest, { attempt, first: from }, upTo));
        taken = ownSpans().find((span) => span.first === from)?.taken ?? taken;
        if (index > taken) return false;
      }
      isTold = true;
      tally.reach = taken;
      await parts.report();
      return true;
    };
  }
}

/** Index of the last of so many items, or of the last one of its pack where packs are stored whole. */
function lastOf(items: TaskItem[], count: number, { pack, whole }: Packing): number {
  const { index = -1 } = items[count - 1] ?? items.at(-1) ?? {};
  if (!whole) return index;
  return items.findLast((item) => packStart(item.index, pack) === packStart(index, pack))?.index ?? index;
}

/** What is taken up at once is never more than so much work, and not less than so much once it is known how long items take. */
const MOST_SECONDS = 20;
const LEAST_SECONDS = 2;
/** Of what is left: so the last of a batch can still be taken over. */
const SHARE_OF_REST = 1 / 8;
const FIRST = 16;
const GROWTH = 4;

/** How many items to take up next, of so many that are left: it goes by how long those before have taken. */
function createPace(now = () => performance.now()): (rest: number) => number {
  let last: { count: number; at: number } | undefined;
  return (rest) => {
    const at = now();
    const perSecond = last && (1000 * last.count) / Math.max(1, at - last.at);
    const part = rest * SHARE_OF_REST;
    const wanted =
      perSecond === undefined
        ? Math.min(FIRST, part)
        : Math.max(LEAST_SECONDS * perSecond, Math.min(MOST_SECONDS * perSecond, part));
    const count = Math.max(1, Math.min(Math.ceil(wanted), rest, GROWTH * (last?.count ?? FIRST)));
    last = { count, at };
    return count;
  };
}
