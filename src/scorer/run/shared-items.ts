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
import { type Announce, announceAhead } from './reach.js';

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
  /** Whether somebody waits to help: a stored report finds that out. */
  bell: Readonly<{ isRung: boolean }>;
  /** For one that helps: makes itself heard until there is a share; undefined: there is nothing to help with. */
  waitForShare: () => Promise<Share | undefined>;
  tally: Pick<Tally, 'reach' | 'alone' | 'elsewhere'>;
  /** Stores the progress as it is now. */
  report: () => Promise<void>;
  now?: () => number;
}

/**
 * The items that this container scores of a batch that several may score: its own, as long as nobody takes them over, and then what it
 * can take over itself. From when somebody wants to help, no item is taken up before it is written down that it is; until then nobody but
 * this container knows, which saves all those writes.
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
  /** Index of the last item that was taken up before there was a share. */
  let begun = first - 1;
  const update = async (next: Parameters<ChangeShare>[0]) => {
    share = await change(next);
    const own = ownSpans();
    tally.elsewhere = indices.filter((index) => !isIn(own, index)).length;
  };
  const ownSpans = () => (share ? spansOf(share, attempt) : []);
  if (helps === undefined) yield { items, announce: announceUntilRung() };
  else share = await parts.waitForShare();
  if (!share) return;
  for (;;) {
    const next = ownSpans().find((span) => !handled.has(span.first));
    if (next) {
      handled.add(next.first);
      const own = items.filter(({ index }) => index > begun && isIn([next], index));
      if (own.length > 0) yield { items: own, announce: announceTaken(own, next) };
      continue;
    }
    await update((before) => before && takeOver(before, attempt, indices, packing));
    if (ownSpans().every((span) => handled.has(span.first))) return;
  }

  function announceUntilRung(): Announce {
    const isWhole = packing.whole ? { pack: packing.pack } : {};
    const alone = announceAhead(items, tally, parts.report, { ...isWhole, now: parts.now });
    let shared: Announce | undefined;
    return async (item) => {
      if (!share) {
        if (!parts.bell.isRung) await alone(item);
        if (!parts.bell.isRung) {
          begun = item.index;
          return true;
        }
        await update((before) => before ?? shareOf(attempt, { first, last }, begun));
        const span = ownSpans().find((each) => each.first === first && each.taken === begun && begun >= first);
        if (span) {
          handled.add(first);
          shared = announceTaken(items, span);
        }
      }
      // One that its platform has started again goes by the share that it finds.
      return (await shared?.(item)) ?? false;
    };
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
