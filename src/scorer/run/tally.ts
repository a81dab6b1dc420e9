import type { ScoreTask, TaskItem } from '../../container-contract/task.js';
import type { AttemptProgress, ScorerTimes } from '../../container-contract/progress.js';
import type { AttemptResult, FailedItem, WorkTimings } from '../../container-contract/result.js';

type Phase = AttemptProgress['phase'];

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
  /** Of several sessions the one that is worst off. */
  optimized: AttemptResult['optimized'];
  codec: AttemptResult['codec'] = 'sharp';
  #warnings: string[] = [];
  phase: Phase = 'starting';
  #lastItemAt: string;

  /** @param startedAt when the process started, ISO 8601. */
  constructor(
    private readonly task: ScoreTask,
    startedAt: string,
  ) {
    this.startedAt = startedAt;
    this.#lastItemAt = startedAt;
  }

  enter(phase: Phase): void {
    this.phase = phase;
    if (phase === 'scoring') this.times.modelLoaded = this.#touch();
  }

  /** Says something that every item would say; once is enough. */
  warn(sentence: string): void {
    if (!this.#warnings.includes(sentence)) this.#warnings.push(sentence);
  }

  itemDone(item: TaskItem): void {
    this.done.push(item.name);
    this.#handled();
  }

  itemSkipped(item: TaskItem): void {
    this.skipped.push(item.name);
    this.#touch();
  }

  itemFailed(item: TaskItem, reason: string): void {
    this.failed.push({ name: item.name, reason });
    this.#handled();
  }

  /** Adds the time that `work` takes to a phase. */
  async timed<T>(phase: keyof WorkTimings, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await work();
    } finally {
      this.timings[phase] += performance.now() - started;
    }
  }

  progress(): AttemptProgress {
    const { batch, attempt, items, before = 0 } = this.task;
    return {
      batch,
      attempt,
      total: items.length + before,
      done: this.done.length,
      skipped: this.skipped.length + before,
      failed: this.failed.length,
      phase: this.phase,
      startedAt: this.startedAt,
      lastItemAt: this.#lastItemAt,
      times: this.times,
      failedItems: this.failed,
      updatedAt: new Date().toISOString(),
    };
  }

  result(outcome: AttemptResult['outcome'], failure: AttemptResult['failure']): AttemptResult {
    const { jobId, batch, attempt } = this.task;
    const { done, skipped, failed, timings, times, device, optimized, codec, startedAt } = this;
    const endedAt = new Date().toISOString();
    return {
      jobId,
      batch,
      attempt,
      outcome,
      failure,
      done,
      skipped,
      failed,
      ...(this.#warnings.length > 0 && { warnings: this.#warnings }),
      timings,
      times,
      device,
      optimized,
      codec,
      startedAt,
      endedAt,
    };
  }

  #handled(): void {
    this.times.lastItem = this.#touch();
    this.times.firstItem ??= this.times.lastItem;
  }

  #touch(): string {
    this.#lastItemAt = new Date().toISOString();
    return this.#lastItemAt;
  }
}
