import { completeCard } from '../../../src/model-card/complete-card.js';
import type { ModelCard, PartialCard } from '../../../src/model-card/schema.js';
import type { FrameRequest, ScoredFrames } from '../../../src/scorer/engine/engine-protocol.js';
import { createModelLoader, type LoadedModel } from '../../../src/scorer/engine/loaded-model.js';
import type { Optimizer } from '../../../src/scorer/engine/optimized-network.js';
import { widenConvolutions } from '../../../src/scorer/onnx/wide-convolutions.js';
import type { Picture } from '../../../src/scorer/pictures/codec.js';

/** The completed card of a tiny model: one input and one output of this shape. */
export function cardFor(card: PartialCard, shape: (number | string)[], type = 'float32'): ModelCard {
  return completeCard(card, { inputs: [{ name: 'x', type, shape }], outputs: [{ name: 'y', type, shape }] });
}

export const request = (picture: Picture): FrameRequest => ({ frame: picture, original: picture });

/** Loads a model into this process, on one thread of the CPU. */
export function load(
  model: Uint8Array,
  card: ModelCard,
  optimize: Optimizer = widenConvolutions,
): Promise<LoadedModel> {
  const bytes = new Uint8Array(model);
  return createModelLoader(optimize)({
    kind: 'load',
    model: bytes,
    card,
    style: undefined,
    threads: 1,
    device: 'cpu',
  });
}

/** Scores pictures together in this process. */
export async function scoreAll(
  model: Uint8Array,
  card: ModelCard,
  pictures: Picture[],
  optimize?: Optimizer,
): Promise<ScoredFrames> {
  const loaded = await load(model, card, optimize);
  const scored = await loaded.score(pictures.map(request));
  await loaded.release();
  return scored;
}
