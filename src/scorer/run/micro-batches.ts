import { JobError } from '../../job/failure.js';
import type { EnginePool } from '../engine/engine-pool.js';
import type { FrameRequest, ScoredFrames } from '../engine/engine-protocol.js';
import type { FrameOutput } from '../outputs/read-output.js';
import type { TaskItem } from '../../container-contract/task.js';
import type { InferenceWatch } from './inference-watch.js';

/** Milliseconds in the engine. */
export type EngineTime = Pick<ScoredFrames, 'prepare' | 'infer' | 'finish'>;

interface Waiting {
  request: FrameRequest;
  item: TaskItem;
  spend: (time: EngineTime) => void;
  resolve: (output: FrameOutput) => void;
  reject: (error: unknown) => void;
}

/** Collects frames until there are as many as the model takes at a time, or until no more can come. */
export class MicroBatches {
  #waiting: Waiting[] = [];
  #ended = false;

  /**
   * @param size frames at a time.
   * @param expected items that may still bring a frame.
   * @param hear gets what each run of the engine gave.
   * @param watch is told when the engine begins and ends with items, and when it runs them for another reason.
   */
  constructor(
    private readonly engine: Pick<EnginePool, 'score'>,
    private readonly size: number,
    private expected: number,
    private readonly hear: (scored: ScoredFrames) => void,
    private readonly watch: Pick<InferenceWatch, 'begin' | 'again' | 'end'>,
  ) {}

  /**
   * @param spend gets the frame's share of the time that the engine took for all of them.
   * @throws JobError `item`: this frame cannot be scored; `platform`: the engine is gone.
   */
  score(request: FrameRequest, item: TaskItem, spend: (time: EngineTime) => void): Promise<FrameOutput> {
    const scored = new Promise<FrameOutput>((resolve, reject) => {
      this.#waiting.push({ request, item, spend, resolve, reject });
    });
    this.without();
    return scored;
  }

  /** Call it when an item brings no frame, because it failed: others then do not wait for it. */
  without(): void {
    this.expected -= 1;
    if (this.#waiting.length >= this.size || this.expected <= 0 || this.#ended) this.#flush();
  }

  /** No more items start: frames no longer wait for others. */
  end(): void {
    this.#ended = true;
    this.#flush();
  }

  #flush(): void {
    const batch = this.#waiting.splice(0);
    if (batch.length > 0) void this.#run(batch);
  }

  async #run(batch: Waiting[]): Promise<void> {
    const items = batch.map(({ item }) => item);
    try {
      const scored = await this.engine.score(
        batch.map(({ request }) => request),
        { begun: () => this.watch.begin(items), again: () => this.watch.again(items) },
      );
      this.hear(scored);
      const { prepare, infer, finish } = scored;
      const share = { prepare: prepare / batch.length, infer: infer / batch.length, finish: finish / batch.length };
      for (const [index, { spend, resolve, reject }] of batch.entries()) {
        spend(share);
        const outcome = scored.outcomes[index];
        if (outcome?.ok === true) resolve(outcome.output);
        else reject(new JobError(outcome?.kind ?? 'platform', outcome?.message ?? 'The engine forgot a frame.'));
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      this.watch.end(items);
    }
  }
}
