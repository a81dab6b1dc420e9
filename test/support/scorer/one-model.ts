import { completeCard } from '../../../src/model-card/complete-card.js';
import type { ModelCard, PartialCard } from '../../../src/model-card/schema.js';
import type { FrameRequest, ScoredFrames } from '../../../src/scorer/engine/engine-protocol.js';
import { loadModel } from '../../../src/scorer/engine/loaded-model.js';
import type { Picture } from '../../../src/scorer/pictures/picture.js';

/** The completed card of a tiny model: one input and one output of this shape. */
export function cardFor(card: PartialCard, shape: (number | string)[]): ModelCard {
  const tensor = (name: string) => ({ name, type: 'float32', shape });
  return completeCard(card, { inputs: [tensor('x')], outputs: [tensor('y')] });
}

export const request = (picture: Picture): FrameRequest => ({ frame: picture, original: picture });

/** Scores pictures together in this process, on one thread of the CPU. */
export async function scoreAll(model: Uint8Array, card: ModelCard, pictures: Picture[]): Promise<ScoredFrames> {
  const loaded = await loadModel({
    kind: 'load',
    model: new Uint8Array(model),
    card,
    style: undefined,
    threads: 1,
    device: 'cpu',
  });
  const scored = await loaded.score(pictures.map(request));
  await loaded.release();
  return scored;
}
