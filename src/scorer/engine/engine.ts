import { Worker } from 'node:worker_threads';
import { JobError } from '../../job/failure.js';
import type {
  EngineReply,
  EngineRequest,
  FrameRequest,
  LoadRequest,
  ScoredFrames,
  TimedReply,
} from './engine-protocol.js';
import { silenceRuntime } from './silent-runtime.js';

type Answer = Exclude<EngineReply, { kind: 'failed' | 'again' }>;

/** Hears what an engine does with frames before it has scored them. */
export interface Hearing {
  /** All that was asked before is done. */
  begun: () => void;
  /** The model runs on them once more than scoring takes, to be compared or judged: that is not the frames' time. */
  again: () => void;
}

interface Waiting {
  hearing: Hearing | undefined;
  resolve(reply: Answer): void;
  reject(error: Error): void;
}

/** The main thread's side of the inference thread. It needs no model to start, so it starts before the model has arrived. */
export class Engine {
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];
  /** Shared with the thread, which cannot receive messages during an inference: 1 once the thread must end. */
  readonly #closing = new Int32Array(new SharedArrayBuffer(4));
  #ended: JobError | undefined;
  /** Whether there are frames to score. */
  #isBusy = false;
  /** How often a frame came while the engine was idle. */
  starved = 0;

  /** Requests that have no answer yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** @param turn hears when there are frames to score and when there are none any more, in milliseconds since the process started. */
  constructor(private readonly turn: (isBusy: boolean, since: number) => void = () => undefined) {
    silenceRuntime();
    this.#worker = new Worker(new URL('./engine-worker.js', import.meta.url), { workerData: this.#closing });
    this.#worker.on('message', (reply: TimedReply) => this.#settle(reply));
    this.#worker.on('error', (cause) =>
      this.#end(new JobError('platform', `The inference thread died: ${cause.message}`, { cause })),
    );
    this.#worker.on('exit', () => this.#end(new JobError('platform', 'The inference thread ended early.')));
  }

  /**
   * The model's bytes move to the engine: the caller's array is empty afterwards.
   * @returns the execution provider in use.
   * @throws JobError `user`: the model does not load or the card does not go with it.
   */
  async load(request: Omit<LoadRequest, 'kind'>): Promise<string> {
    const reply = await this.#ask({ kind: 'load', ...request }, [request.model.buffer]);
    if (reply.kind !== 'loaded') throw new TypeError(`unexpected ${reply.kind}`);
    return reply.device;
  }

  /**
   * The frames' pixels move to the engine: the caller's arrays are empty afterwards.
   * @throws JobError `platform`: the engine is gone.
   */
  async score(frames: FrameRequest[], hearing?: Hearing): Promise<ScoredFrames> {
    if (this.#waiting.length === 0) this.starved += 1;
    if (!this.#ended) this.#turn(true);
    const reply = await this.#ask(
      { kind: 'score', frames },
      frames.map(({ frame }) => frame.data.buffer),
      hearing,
    );
    if (reply.kind !== 'scored') throw new TypeError(`unexpected ${reply.kind}`);
    return reply.scored;
  }

  /**
   * Ends the thread once the current inference has ended: nothing can interrupt an inference, and a process that ends in the
   * middle of one crashes. Requests that wait behind it are dropped.
   */
  async close(): Promise<void> {
    if (this.#ended) return;
    const exited = new Promise<void>((resolve) => {
      this.#worker.once('exit', () => resolve());
    });
    Atomics.store(this.#closing, 0, 1);
    const request: EngineRequest = { kind: 'close' };
    this.#worker.postMessage(request, []);
    await exited;
  }

  #ask(request: EngineRequest, move: ArrayBuffer[], hearing?: Hearing): Promise<Answer> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject, hearing });
      if (this.#waiting.length === 1) hearing?.begun();
      this.#worker.postMessage(request, move);
    });
  }

  #settle({ reply, at }: TimedReply): void {
    if (reply.kind === 'again') {
      this.#waiting[0]?.hearing?.again();
      return;
    }
    const waiting = this.#waiting.shift();
    this.#waiting[0]?.hearing?.begun();
    if (this.#waiting.length === 0) this.#turn(false, at - performance.timeOrigin);
    if (reply.kind === 'failed') waiting?.reject(new JobError(reply.failure, reply.message));
    else waiting?.resolve(reply);
  }

  #turn(isBusy: boolean, since = performance.now()): void {
    if (isBusy === this.#isBusy) return;
    this.#isBusy = isBusy;
    this.turn(isBusy, since);
  }

  #end(error: JobError): void {
    this.#ended ??= error;
    this.#turn(false);
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
  }
}
