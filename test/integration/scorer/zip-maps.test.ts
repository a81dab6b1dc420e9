import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { completeCard } from '../../../src/model-card/complete-card.js';
import { draftCard } from '../../../src/model-card/draft-card.js';
import { hintsOf } from '../../../src/model-card/hints.js';
import { inspectModel } from '../../../src/scorer/engine/inspect/inspect.js';
import { constantNode, operatorNode } from '../../../src/scorer/onnx/model-messages.js';
import { AttributeProto_AttributeType as AttributeType } from '../../../src/scorer/onnx/onnx_pb.js';
import { scoreAll } from '../../support/scorer/one-model.js';
import { modelFile, tensorInfo } from '../../support/scorer/tiny-model.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'zip-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const strings = {
  name: 'classlabels_strings',
  type: AttributeType.STRINGS,
  strings: ['blue', 'red'].map((text) => Buffer.from(text)),
};
const numbers = { name: 'classlabels_int64s', type: AttributeType.INTS, ints: [7n, 9n] };

/** Gives how blue and how red a picture is, as Custom Vision and scikit-learn do: in a dictionary by class. */
const model = (labels: typeof strings | typeof numbers) =>
  modelFile({
    node: [
      operatorNode('GlobalAveragePool', ['data'], 'mean'),
      constantNode('weights', Float32Array.of(0, 1, 0, 0, 1, 0), [3, 2]),
      operatorNode('Flatten', ['mean'], 'flat'),
      operatorNode('MatMul', ['flat', 'weights'], 'sums'),
      operatorNode('Softmax', ['sums'], 'prob'),
      { opType: 'ZipMap', domain: 'ai.onnx.ml', input: ['prob'], output: ['loss'], attribute: [labels] },
    ],
    input: [tensorInfo('data', ['None', 3, 4, 4])],
    output: [{ name: 'loss' }],
  });

describe('a model that ends in a dictionary of scores by class', () => {
  it.each([
    [strings, ['blue', 'red']],
    [numbers, ['7', '9']],
  ])('gives the scores, with the keys as labels: %#', async (labels, names) => {
    const file = path.join(folder, 'm.onnx');
    writeFileSync(file, model(labels));
    const signature = await inspectModel(file, 'm');
    expect(signature.outputs).toMatchObject([{ name: 'loss', type: 'float32', shape: ['None', 2] }]);
    const card = completeCard({}, signature);
    expect(card.output).toMatchObject({ kind: 'classes', name: 'loss', softmax: false, labels: names });
    expect(completeCard(draftCard(signature, hintsOf(signature)).card, signature).output).toEqual(card.output);
    const picture = { width: 4, height: 4, data: Uint8Array.from({ length: 48 }, (_, at) => (at % 3 === 0 ? 255 : 0)) };
    const { outcomes } = await scoreAll(model(labels), card, [picture]);
    expect(outcomes).toMatchObject([
      { ok: true, output: { record: { classes: [{ index: 1, label: names[1], score: 1 }, { index: 0 }] } } },
    ]);
  });

  it('leaves its texts and its best class aside', () => {
    const outputs = [
      { name: 'classLabel', type: 'string', shape: ['None', 1] },
      { name: 'loss', type: 'float32', shape: ['None', 2] },
    ];
    const inputs = [{ name: 'data', type: 'float32', shape: ['None', 3, 4, 4] }];
    expect(completeCard({ output: { kind: 'classes' } }, { inputs, outputs }).output.name).toBe('loss');
    const named = { output: { kind: 'classes', name: 'classLabel' } } as const;
    expect(() => completeCard(named, { inputs, outputs })).toThrow(
      /"classLabel" \(a text\) holds no numbers: name another/,
    );
  });
});
