import { JobError } from '../../job/failure.js';
import type { EnginePool } from '../engine/engine-pool.js';
import type { FrameRequest, ScoredFrames } from '../engine/engine-protocol.js';
import type { FrameOutput } from '../outputs/read-output.js';

interface Waiting {
  request: FrameRequest;
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
   * @param spend gets what each run of the engine gave, with the milliseconds it took.
   */
  constructor(
    private readonly engine: Pick<EnginePool, 'score'>,
    private readonly size: number,
    private expected: number,
    private readonly spend: (scored: ScoredFrames) => void,
  ) {}

  /** @throws JobError `item`: this frame cannot be scored; `platform`: the engine is gone. */
  score(request: FrameRequest): Promise<FrameOutput> {
    const scored = new Promise<FrameOutput>((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
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
    try {
      const scored = await this.engine.score(batch.map(({ request }) => request));
      this.spend(scored);
      for (const [index, { resolve, reject }] of batch.entries()) {
        const outcome = scored.outcomes[index];
        if (outcome?.ok === true) resolve(outcome.output);
        else reject(new JobError(outcome?.kind ?? 'platform', outcome?.message ?? 'The engine forgot a frame.'));
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
