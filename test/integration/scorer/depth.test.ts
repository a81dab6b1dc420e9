import { describe, expect, it } from 'vitest';
import { completeCard } from '../../../src/model-card/complete-card.js';
import type { PartialCard } from '../../../src/model-card/schema.js';
import { constantNode, operatorNode } from '../../../src/scorer/onnx/model-messages.js';
import { scoreAll } from '../../support/scorer/one-model.js';
import { modelFile, tensorInfo } from '../../support/scorer/tiny-model.js';

/** Gives the red channel, times 3 and less 400, without the dimensions that this leaves out. */
function depth(shape: string[]) {
  const squeezed = shape.length === 2 ? [0, 1] : [1];
  return modelFile({
    node: [
      constantNode('red', [0], [1]),
      constantNode('axes', squeezed, [squeezed.length]),
      operatorNode('Gather', ['x', 'red'], 'one', { axis: 1 }),
      constantNode('three', Float32Array.of(3), []),
      constantNode('less', Float32Array.of(400), []),
      operatorNode('Mul', ['one', 'three'], 'more'),
      operatorNode('Sub', ['more', 'less'], shape.length === 4 ? 'depth' : 'whole'),
      ...(shape.length === 4 ? [] : [operatorNode('Squeeze', ['whole', 'axes'], 'depth')]),
    ],
    input: [tensorInfo('x', ['b', 3, 'h', 'w'])],
    output: [tensorInfo('depth', shape)],
  });
}

const signature = (shape: string[]) => ({
  inputs: [{ name: 'x', type: 'float32', shape: ['b', 3, 'h', 'w'] }],
  outputs: [{ name: 'depth', type: 'float32', shape }],
});

describe('a map of depths', () => {
  it.each([[['b', 'h', 'w']], [['h', 'w']], [['b', 'c', 'h', 'w']]])(
    'of shape %j becomes a grey picture from its lowest to its highest value, without the padding',
    async (shape) => {
      const card: PartialCard = {
        input: { size: { multipleOf: 4 } },
        output: { kind: 'image', channels: 'grey', range: 'auto', fit: 'resize' },
      };
      const reds = [50, 100, 150, 60, 60, 60];
      const picture = { width: 3, height: 2, data: Uint8Array.from(reds.flatMap((red) => [red, 0, 255])) };
      const { outcomes } = await scoreAll(depth(shape), completeCard(card, signature(shape)), [picture]);
      const greys = [0, 128, 255, 26, 26, 26];
      expect(outcomes).toMatchObject([{ ok: true, output: { kind: 'picture', picture: { width: 3, height: 2 } } }]);
      const [outcome] = outcomes;
      const data = outcome?.ok === true && 'picture' in outcome.output ? outcome.output.picture.data : undefined;
      expect([...(data ?? [])]).toEqual(greys.flatMap((grey) => [grey, grey, grey]));
    },
  );

  it('of one value is black', async () => {
    const picture = { width: 2, height: 2, data: new Uint8Array(12).fill(90) };
    const card = completeCard({}, signature(['b', 'h', 'w']));
    expect((await scoreAll(depth(['b', 'h', 'w']), card, [picture])).outcomes).toMatchObject([
      { ok: true, output: { picture: { data: new Uint8Array(12) } } },
    ]);
  });
});
