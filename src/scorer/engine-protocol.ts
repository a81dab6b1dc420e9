import type { FailureKind } from '../job/failure.js';
import type { ModelCard } from '../job/model-card.js';
import type { Picture, Size } from './picture.js';

/** What inference runs on. */
export type Device = 'cpu' | 'cuda';

/** Main thread to inference thread. Requests are answered one by one, in order. */
export type EngineRequest = LoadRequest | ScoreRequest | { kind: 'close' };

export interface ScoreRequest {
  kind: 'score';
  /** Already scaled as the card asks; it is padded by the engine. */
  frame: Picture;
  /** Before scaling. */
  original: Size;
}

export interface LoadRequest {
  kind: 'load';
  model: Uint8Array<ArrayBuffer>;
  card: ModelCard;
  /** Already scaled as the card asks; needed exactly when the card has a style input. */
  style: Picture | undefined;
  threads: number | undefined;
  /** Absent: the CPU. */
  device?: Device;
}

export type EngineReply =
  | { kind: 'loaded'; device: string }
  | { kind: 'scored'; scored: ScoredFrame }
  | { kind: 'failed'; failure: FailureKind; message: string };

/** What became of a frame and the milliseconds it took. */
export interface ScoredFrame {
  output: FrameOutput;
  prepare: number;
  infer: number;
  finish: number;
}

export type FrameOutput =
  /** As large as the model made it, without padding. */
  | { kind: 'picture'; picture: Picture }
  /** Properties of the item's JSON line. */
  | { kind: 'record'; record: Record<string, unknown> }
  /** A `.npy` file. */
  | { kind: 'array'; bytes: Uint8Array<ArrayBuffer> };
