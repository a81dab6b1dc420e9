import type { ScoreTask, TaskItem } from '../../container-contract/task.js';
import type { AttemptProgress, ScorerTimes } from '../../container-contract/progress.js';
import type { AttemptResult, FailedItem, ItemTimings, WorkTimings } from '../../container-contract/result.js';
import { counted, type Failure } from '../../job/failure.js';
import type { EngineTime } from '../run/micro-batches.js';
import type { Step, TimeAccount } from './time-account.js';

type Phase = AttemptProgress['phase'];

/** What is done for an item, in milliseconds. */
type Spent = Omit<ItemTimings, 'item' | 'failed'>;

/** Measures what one item takes, for itself and for the whole run. */
export class ItemTime {
  readonly spent: Spent = { fetch: 0, decode: 0, prepare: 0, infer: 0, finish: 0, encode: 0, store: 0 };

  constructor(
    private readonly account: TimeAccount,
    private readonly run: Spent,
  ) {}

  async during<T>(step: Exclude<Step, 'modelLoad'>, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await this.account.during(step, work);
    } finally {
      this.add(step, performance.now() - started);
    }
  }

  spend({ prepare, infer, finish }: EngineTime): void {
    this.add('prepare', prepare);
    this.add('infer', infer);
    this.add('finish', finish);
  }

  /** What was spent outside `during`. */
  add(kind: keyof Spent, milliseconds: number): void {
    this.spent[kind] += milliseconds;
    this.run[kind] += milliseconds;
  }
}

/** What a run has done so far: the one source of its progress and its result. */
export class Tally {
  readonly done: string[] = [];
  readonly skipped: string[] = [];
  readonly failed: FailedItem[] = [];
  readonly timings: WorkTimings = {
    startup: 0,
    modelLoad: 0,
    fetch: 0,
    decode: 0,
    prepare: 0,
    infer: 0,
    finish: 0,
    encode: 0,
    store: 0,
    wall: 0,
  };
  readonly startedAt: string;
  readonly times: ScorerTimes = {};
  device = 'none';
  /** What the progress announces: the item that is scored alone, or up to which item work may come. */
  alone: AttemptProgress['alone'];
  reach: AttemptProgress['reach'];
  /** Items of the task that another container scores. */
  elsewhere = 0;
  /** Indices of what the model was busy with for too long. */
  hung: AttemptResult['hung'];
  /** Of several sessions the one that is worst off. */
  optimized: AttemptResult['optimized'];
  codec: AttemptResult['codec'] = 'sharp';
  readonly #lost: number[] = [];
  readonly #whyLost = new Set<string>();
  #warnings: string[] = [];
  phase: Phase = 'starting';
  #lastItemAt: string;

  /**
   * @param startedAt when the process started, ISO 8601.
   * @param keep gets what each item took.
   */
  constructor(
    private readonly task: ScoreTask,
    startedAt: string,
    readonly account: TimeAccount,
    private readonly keep: (timings: ItemTimings) => void,
  ) {
    this.startedAt = startedAt;
    this.#lastItemAt = startedAt;
  }

  enter(phase: Phase): void {
    this.phase = phase;
    if (phase !== 'scoring') return;
    this.times.modelLoaded = this.#touch();
    this.account.ready();
  }

  /** The time until now does not count as time without an item. */
  waited(): void {
    this.#touch();
  }

  /** Says something that every item would say; once is enough. */
  warn(sentence: string): void {
    if (!this.#warnings.includes(sentence)) this.#warnings.push(sentence);
  }

  /** Measures what an item takes that is taken up now. */
  itemTime(): ItemTime {
    return new ItemTime(this.account, this.timings);
  }

  itemScored(item: TaskItem, time: ItemTime): void {
    this.#handled(item, time);
  }

  /** Only these are done: what was scored and not stored must be scored again when this process ends. */
  itemsStored(items: TaskItem[]): void {
    this.done.push(...items.map(({ name }) => name));
  }

  itemSkipped(item: TaskItem): void {
    this.skipped.push(item.name);
    this.#touch();
  }

  itemFailed(item: TaskItem, reason: string, time: ItemTime): void {
    this.failed.push({ name: item.name, reason });
    this.#handled(item, time, true);
  }

  /** Its frame is gone from storage or damaged there: it is neither scored nor failed. @returns whether no other was lost for this reason. */
  itemLost({ index }: TaskItem, why: string): boolean {
    const isNew = !this.#whyLost.has(why);
    this.#whyLost.add(why);
    this.#lost.push(index);
    this.#touch();
    return isNew;
  }

  /** What the frames that are gone or damaged mean for the run; undefined when all were there. */
  lostFrames(): Failure | undefined {
    const [why] = this.#whyLost;
    if (why === undefined) return undefined;
    const what = this.#lost.length === 1 ? 'a frame is' : `${this.#lost.length} frames are`;
    return { blame: 'platform', message: `${what} gone from storage or damaged there: ${why}` };
  }

  /** The model was given these items together and was busy for too long. One that was to be scored alone for that has failed. */
  itemsHung(items: TaskItem[]): Failure {
    const { itemSeconds = 0 } = this.task;
    const limit = `timeouts.itemSeconds (${itemSeconds} for one item)`;
    const [{ name, index } = { name: '', index: -1 }] = items;
    this.hung = items.map((item) => item.index);
    if (this.alone === index)
      this.failed.push({ name, reason: `the model took longer than ${limit} for it, also when it was scored alone` });
    const others = items.length > 1 ? ` and ${counted(items.length - 1, 'other')}` : '';
    return { blame: 'attempt', message: `the model took longer than ${limit} for item ${name}${others}` };
  }

  progress(): AttemptProgress {
    const { batch, attempt, helps, items, before = 0 } = this.task;
    return {
      batch,
      attempt,
      ...(helps !== undefined && { helps }),
      total: items.length + before - this.elsewhere,
      done: this.done.length,
      skipped: this.skipped.length + before,
      failed: this.failed.length,
      phase: this.phase,
      startedAt: this.startedAt,
      lastItemAt: this.#lastItemAt,
      times: this.times,
      failedItems: this.failed,
      split: this.account.split(),
      updatedAt: new Date().toISOString(),
      ...(this.alone !== undefined && { alone: this.alone }),
      ...(this.reach !== undefined && { reach: this.reach }),
    };
  }

  result(outcome: AttemptResult['outcome'], failure: AttemptResult['failure']): AttemptResult {
    const { jobId, batch, attempt } = this.task;
    const { done, skipped, failed, timings, times, device, optimized, codec, startedAt } = this;
    const endedAt = new Date().toISOString();
    const split = this.account.split();
    return {
      jobId,
      batch,
      attempt,
      outcome,
      failure,
      done,
      skipped,
      failed,
      ...(this.hung && { hung: this.hung }),
      ...(this.#lost.length > 0 && { lost: this.#lost }),
      ...(this.#warnings.length > 0 && { warnings: this.#warnings }),
      timings,
      split,
      times,
      device,
      optimized,
      codec,
      startedAt,
      endedAt,
    };
  }

  #handled({ name }: TaskItem, { spent }: ItemTime, failed?: true): void {
    this.keep({ item: name, ...spent, ...(failed && { failed }) });
    this.times.lastItem = this.#touch();
    this.times.firstItem ??= this.times.lastItem;
  }

  #touch(): string {
    this.#lastItemAt = new Date().toISOString();
    return this.#lastItemAt;
  }
}
