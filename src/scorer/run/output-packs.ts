import type { ItemRange } from '../../container-contract/places.js';
import { packStart } from '../../container-contract/places.js';
import type { TaskItem } from '../../container-contract/task.js';
import { PACK_BYTES } from '../../job/plan.js';

/** What is stored of an item. */
export interface ItemOutput {
  item: TaskItem;
  scored: Uint8Array;
  prediction?: Uint8Array | undefined;
  /** What tells the picture that it was made of, where a user has brought one. */
  input?: string | undefined;
}

/** Consecutive items of one pack that were all handled. */
export interface Part extends ItemRange {
  /** In order; of the other items nothing is stored, because they failed. */
  outputs: ItemOutput[];
  /** Indices of those. */
  absent: number[];
}

interface OutputPacksOptions {
  /** All that will be handled, in order. */
  items: TaskItem[];
  /** Items of a pack. */
  pack: number;
  /** Left out: parts are whole packs, as far as the items are among those that are handled and they fit into `PACK_BYTES`. */
  seconds: number | undefined;
  /** Stores a part, whole or not at all. */
  store: (part: Part) => Promise<void>;
  /** In milliseconds. */
  now?: () => number;
}

/** The items of one pack that follow each other without a gap: parts never span an item that is none of this task. */
interface Stretch {
  /** Handled items of which no part tells. */
  waiting: Map<number, ItemOutput | undefined>;
  /** What was made of those. */
  bytes: number;
  /** How many items no part tells of, and the first of them. */
  left: number;
  next: number;
}

/**
 * Puts what was made of items, in whatever order it comes, into parts of packs and stores them: when all items of a pack are handled, or
 * what follows the last part without a gap, after about `seconds` of scoring or when it has more bytes than was expected of a pack. So a
 * scorer that is killed loses no more than 1.5 times so long, or what was made of one item. A pack whose rest takes less than half as long
 * is waited for.
 */
export class OutputPacks {
  readonly #stretches = new Map<number, Stretch>();
  readonly #storing = new Set<Promise<void>>();
  readonly #now: () => number;
  #bytesInStore = 0;
  #isFlushing = false;
  /** When the last part was closed, and how many items were handled since. */
  #since: number;
  #handled = 0;

  constructor(private readonly options: OutputPacksOptions) {
    this.#now = options.now ?? (() => performance.now());
    this.#since = this.#now();
    let before: { index: number; stretch: Stretch } | undefined;
    for (const { index } of options.items) {
      const follows = before?.index === index - 1 && packStart(index, options.pack) !== index;
      const stretch: Stretch =
        follows && before ? before.stretch : { waiting: new Map(), bytes: 0, left: 0, next: index };
      stretch.left += 1;
      this.#stretches.set(index, stretch);
      before = { index, stretch };
    }
  }

  /**
   * Takes what was made of an item, undefined when it failed. Returns when a part that this item completes is stored; later while
   * much is being stored, so that a slow storage holds back those who score.
   * @throws what `store` throws of that part.
   */
  async add(index: number, output: ItemOutput | undefined): Promise<void> {
    const stretch = this.#stretches.get(index);
    if (!stretch) throw new RangeError(`there is no item ${index} in this task`);
    stretch.waiting.set(index, output);
    stretch.bytes += output?.scored.length ?? 0;
    this.#handled += 1;
    await this.#store(this.#close(stretch));
    while (this.#bytesInStore >= PACK_BYTES) await Promise.race(this.#storing);
  }

  /** Stores what was handled, and from now on each item when it is. */
  async flush(): Promise<void> {
    this.#isFlushing = true;
    await this.#store([...new Set(this.#stretches.values())].flatMap((stretch) => this.#close(stretch)));
  }

  /** Takes the parts that are due. */
  #close(stretch: Stretch): Part[] {
    const isWhole = this.#isFlushing || stretch.waiting.size === stretch.left;
    if (!isWhole && stretch.bytes < PACK_BYTES && !this.#isTime(stretch)) return [];
    const runs = runsOf([...stretch.waiting.keys()]);
    const due = isWhole ? runs : runs.filter(([first]) => first === stretch.next);
    if (due.length === 0) return [];
    [this.#since, this.#handled] = [this.#now(), 0];
    return due.map((run) => takePart(stretch, run));
  }

  #isTime({ waiting, left }: Stretch): boolean {
    const { seconds } = this.options;
    if (seconds === undefined) return false;
    const elapsed = (this.#now() - this.#since) / 1000;
    const rest = (left - waiting.size) * (elapsed / this.#handled);
    return elapsed >= seconds && rest > seconds / 2;
  }

  async #store(parts: Part[]): Promise<void> {
    await Promise.all(
      parts.map(async (part) => {
        const bytes = part.outputs.reduce(
          (sum, { scored, prediction }) => sum + scored.length + (prediction?.length ?? 0),
          0,
        );
        this.#bytesInStore += bytes;
        const storing = this.options.store(part);
        const over = storing.then(
          () => undefined,
          () => undefined,
        );
        this.#storing.add(over);
        try {
          await storing;
        } finally {
          this.#bytesInStore -= bytes;
          this.#storing.delete(over);
        }
      }),
    );
  }
}

/** Cuts indices into runs of consecutive ones. */
function runsOf(indices: number[]): number[][] {
  const runs: number[][] = [];
  for (const index of indices.toSorted((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run?.at(-1) === index - 1) run.push(index);
    else runs.push([index]);
  }
  return runs;
}

function takePart(stretch: Stretch, run: number[]): Part {
  const [first = 0, last = 0] = [run[0], run.at(-1)];
  const part: Part = { first, last, outputs: [], absent: [] };
  for (const index of run) {
    const output = stretch.waiting.get(index);
    stretch.waiting.delete(index);
    stretch.bytes -= output?.scored.length ?? 0;
    if (output) part.outputs.push(output);
    else part.absent.push(index);
  }
  stretch.left -= run.length;
  if (first === stretch.next) stretch.next = last + 1;
  return part;
}
