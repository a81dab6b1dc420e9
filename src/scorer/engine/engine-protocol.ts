import type { Device } from '../../job/compute-choice.js';
import type { Blame } from '../../job/failure.js';
import type { ModelCard } from '../../model-card/schema.js';
import type { FrameOutput } from '../outputs/read-output.js';
import type { Picture, Size } from '../pictures/codec.js';

/** What the main thread asks of the inference thread, which answers one request after another, in order. */
export type EngineRequest = LoadRequest | ScoreRequest | { kind: 'close' };

export interface FrameRequest {
  /** Already scaled as the card asks; the engine pads it or cuts it into tiles. */
  frame: Picture;
  /** Before scaling. */
  original: Size;
}

/** Frames to score at a time. */
export interface ScoreRequest {
  kind: 'score';
  frames: FrameRequest[];
}

export interface LoadRequest {
  kind: 'load';
  model: Uint8Array<ArrayBuffer>;
  card: ModelCard;
  /** Already scaled as the card asks; needed exactly when the card has a style input. */
  style: Picture | undefined;
  /** Threads of one inference on the CPU; undefined: one for each core. */
  threads: number | undefined;
  device: Device;
  /** Number of the GPU, from 0; only CUDA uses it. Left out: 0. */
  gpu?: number;
}

export type EngineReply =
  | { kind: 'loaded'; device: string }
  /** No answer yet: what it was asked to score is run by the model once more, to be compared or judged. */
  | { kind: 'again' }
  | { kind: 'scored'; scored: ScoredFrames }
  | { kind: 'failed'; failure: Blame; message: string };

/** A reply as it crosses the threads: the main thread may hear of it late. */
export interface TimedReply {
  reply: EngineReply;
  /** When the inference thread had done what was asked, in milliseconds since the epoch. */
  at: number;
}

/** What became of the frames, in their order, and the milliseconds they took together. */
export interface ScoredFrames {
  outcomes: FrameOutcome[];
  /** Whether the model ran in its optimized form; when it should and did not, a clause that says why. */
  optimized: boolean | string;
  /** A sentence when the model's pictures or scores look wrong and the job goes on all the same. */
  doubt?: string;
  prepare: number;
  infer: number;
  finish: number;
}

export type FrameOutcome = { ok: true; output: FrameOutput } | { ok: false; kind: Blame; message: string };
