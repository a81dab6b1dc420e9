import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { completeCard } from '../../../src/model-card/complete-card.js';
import { inspectModel } from '../../../src/scorer/engine/inspect/inspect.js';
import { constantNode, operatorNode } from '../../../src/scorer/onnx/model-messages.js';
import { scoreAll } from '../../support/scorer/one-model.js';
import { modelFile, tensorInfo } from '../../support/scorer/tiny-model.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'channels-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A convolution of one pixel from so many channels to as many, each as it was. */
function model(channels: number, input: (string | number)[], output: (string | number)[], last = false): Buffer {
  const kernel = Float32Array.from({ length: channels ** 2 }, (_, at) => (at % (channels + 1) === 0 ? 1 : 0));
  const [x, y] = last ? ['first', 'conv'] : ['x', 'y'];
  return modelFile({
    node: [
      ...(last ? [operatorNode('Transpose', ['x'], x, { perm: [0, 3, 1, 2] })] : []),
      constantNode('kernel', kernel, [channels, channels, 1, 1]),
      operatorNode('Conv', [x, 'kernel'], y),
      ...(last ? [operatorNode('Transpose', [y], 'y', { perm: [0, 2, 3, 1] })] : []),
    ],
    input: [tensorInfo('x', input)],
    output: [tensorInfo('y', output)],
  });
}

describe('a model that does not say how many channels it takes', () => {
  const symbols = ['b', 'c', 'h', 'w'];
  it.each<[string, Buffer, object]>([
    ['three colours', model(3, symbols, ['n', 'k', 'i', 'j']), { channels: 'RGB', layout: 'NCHW' }],
    ['colours at the end', model(3, symbols, ['n', 'i', 'j', 'k'], true), { channels: 'RGB', layout: 'NHWC' }],
    ['one channel', model(1, symbols, ['n', 'k', 'i', 'j']), { channels: 'grey', layout: 'NCHW' }],
    ['a fixed size', model(3, ['b', 'c', 2, 2], [1, 'k', 2, 2]), { channels: 'RGB', layout: 'NCHW' }],
    [
      'an output that hides them',
      model(3, ['b', 3, 'h', 'w'], [1, 'k', 'i', 'j']),
      { channels: 'RGB', layout: 'NCHW' },
    ],
  ])('is tried, and takes %s', async (_what, bytes, expected) => {
    const file = path.join(folder, 'm.onnx');
    writeFileSync(file, bytes);
    const card = completeCard({}, await inspectModel(file, 'm'));
    expect(card.input).toMatchObject(expected);
    expect(card.output).toMatchObject(expected);
    const picture = { width: 2, height: 2, data: Uint8Array.from([9, 9, 9, 200, 200, 200, 40, 40, 40, 0, 0, 0]) };
    expect((await scoreAll(bytes, card, [picture])).outcomes).toMatchObject([{ ok: true, output: { picture } }]);
  });

  it.each<[string, Buffer]>([
    ['four channels of free sides', model(4, [1, 4, 'h', 'w'], [1, 4, 'h', 'w'])],
    ['eight at the end', model(8, [1, 'h', 'w', 8], [1, 'h', 'w', 8], true)],
  ])('is not taken for one that fixes another number: %s', async (_what, bytes) => {
    const file = path.join(folder, 'other.onnx');
    writeFileSync(file, bytes);
    const signature = await inspectModel(file, 'm');
    expect(() => completeCard({}, signature)).toThrow(/more than the three colours of one picture/);
  });
});
