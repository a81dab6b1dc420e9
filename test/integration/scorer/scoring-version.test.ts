import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { SCORING_VERSION } from '../../../src/job/reuse.js';
import { completeCard } from '../../../src/model-card/complete-card.js';
import type { PartialCard } from '../../../src/model-card/schema.js';
import { drawOutput } from '../../../src/scorer/outputs/draw.js';
import { cardFor, scoreAll } from '../../support/scorer/one-model.js';
import { findingModel, scoringModel, tinyModel } from '../../support/scorer/tiny-model.js';

/**
 * SHA-256 of what each scoring version makes of the pictures below. Where the last one is another now, outputs are: raise `SCORING_VERSION` in src/job/reuse.ts,
 * so that jobs do not mix them with what was made before, and add its sum.
 */
const SUMS: Record<number, string> = {
  1: 'bd767d10b9d127450f21134fa9cadbd95d361fff717df1a316634c5a5fae4328',
};

const PICTURE = { width: 13, height: 9, data: Uint8Array.from({ length: 13 * 9 * 3 }, (_, at) => at * 37) };

/** What a network that gives back what it gets makes of the picture. */
async function same(card: PartialCard, size: (number | string)[]): Promise<unknown> {
  const shape = [1, 3, ...size];
  const { outcomes } = await scoreAll(tinyModel({ operator: 'Identity', shape }), cardFor(card, shape), [PICTURE]);
  return outcomes;
}

async function classified(): Promise<unknown> {
  const card = completeCard(
    { output: { kind: 'classes', top: 3, softmax: true }, input: { range: [0, 0.01] } },
    {
      inputs: [{ name: 'x', type: 'float32', shape: [1, 3, 4, 4] }],
      outputs: [{ name: 'y', type: 'float32', shape: [1, 48] }],
    },
  );
  return (await scoreAll(scoringModel([1, 3, 4, 4]), card, [PICTURE])).outcomes;
}

async function drawn(): Promise<unknown> {
  const scores: [number, number] = [0.125, 0.75];
  const box: [number, number, number, number] = [0.25, 0.25, 0.75, 0.75];
  const output: PartialCard['output'] = { kind: 'detections', labels: ['cat', 'dog'] };
  const card = completeCard(
    { output },
    {
      inputs: [{ name: 'x', type: 'float32', shape: ['batch', 3, 'height', 'width'] }],
      outputs: [
        { name: 'boxes', type: 'float32', shape: [1, 1, 4] },
        { name: 'scores', type: 'float32', shape: [1, 1, 2] },
      ],
    },
  );
  const { outcomes } = await scoreAll(findingModel([{ box, scores }]), card, [PICTURE]);
  return outcomes.map((outcome) => outcome.ok && [outcome, drawOutput(PICTURE, outcome.output)]);
}

/** Another processor or engine may differ in the last digits of a score. */
function asText(_: string, value: unknown): unknown {
  if (typeof value === 'number') return Number(value.toPrecision(6));
  return ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
    : value;
}

test('the scorer makes of the same what its version has always made of it', async () => {
  const made = [
    await same({ input: { range: [0, 1] } }, ['h', 'w']),
    await same(
      { input: { mean: [0.4, 0.5, 0.6], std: [0.2, 0.3, 0.4], range: [0, 1] }, output: { range: [-2, 2] } },
      [8, 8],
    ),
    await classified(),
    await same({ output: { kind: 'mask', method: 'argmax' } }, [8, 8]),
    await same({ output: { kind: 'tensor' } }, ['h', 'w']),
    await drawn(),
  ];
  const text = JSON.stringify(made, asText);
  expect(text).not.toMatch(/"ok":false/);
  expect(createHash('sha256').update(text).digest('hex')).toBe(SUMS[SCORING_VERSION]);
});
