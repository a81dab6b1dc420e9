import type { FailureKind } from '../job/failure.js';
import type { ModelCard } from '../job/model-card.js';
import type { Picture } from './picture.js';

/** Main thread to inference thread. Requests are answered one by one, in order. */
export type EngineRequest = LoadRequest | { kind: 'score'; frame: Picture } | { kind: 'close' };

export interface LoadRequest {
  kind: 'load';
  model: Uint8Array<ArrayBuffer>;
  card: ModelCard;
  /** Already scaled as the card asks; needed exactly when the card has a style input. */
  style: Picture | undefined;
  threads: number | undefined;
}

export type EngineReply =
  | { kind: 'loaded'; device: string }
  | ({ kind: 'scored' } & ScoredPicture)
  | { kind: 'failed'; failure: FailureKind; message: string };

/** A scored frame and the milliseconds it took. */
export interface ScoredPicture {
  /** As large as the model made it, without padding. */
  picture: Picture;
  prepare: number;
  infer: number;
  finish: number;
}
