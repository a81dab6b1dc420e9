import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { parseCard, partialCardSchema } from '../../../src/model-card/schema.js';

const FILE = path.resolve(import.meta.dirname, '../../../docs/model-card.schema.json');
const CARDS = path.resolve(import.meta.dirname, '../../cards');

it('docs/model-card.schema.json is what the cards are validated by (vitest -u brings it up to date)', async () => {
  const schema = { ...z.toJSONSchema(partialCardSchema), title: 'Model card of durable-batch-scoring' };
  await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(FILE);
});

const tensor = { name: 'x', layout: 'NCHW', type: 'uint8', channels: 'Y', range: [0, 255], mean: [1], std: [2, 3, 4] };
const tiles = { size: [64, 32], overlap: 8 };
const size = { fixed: [9, 9], longestSide: null, multipleOf: 2, minimum: 3, keepProportions: false, tiles };
/** Cards that between them have every property. */
const FULL = [
  {
    $schema: 'model-card.schema.json',
    description: 'all of it',
    input: { ...tensor, size },
    style: { ...tensor, size: { ...size, fixed: null, tiles: null } },
    constants: { alpha: [0.5] },
    batch: 4,
    output: { ...tensor, kind: 'image', fit: 'crop', scale: 2, size: [8, 8] },
  },
  { style: null, output: { kind: 'classes', name: 'y', top: 3, softmax: true, labels: ['a'] } },
  {
    output: {
      kind: 'detections',
      name: 's',
      boxes: 'b',
      classes: 'c',
      count: 'n',
      classCount: 2,
      columns: { box: 2, score: 1, class: 0 },
      format: 'center',
      unit: 'pixel',
      transposed: true,
      objectness: true,
      activation: 'sigmoid',
      background: [0],
      threshold: 0.5,
      overlap: 1,
      top: 9,
      labels: 'a.txt',
    },
  },
  { output: { kind: 'mask', name: 'y', layout: 'NHWC', method: 'argmax', threshold: -1, fit: 'resize' } },
  { output: { kind: 'tensor', name: 'y' } },
  { output: { range: 'auto' } },
];

/** What a person may write by mistake. */
const WRONG = [null, '', 'x', 'RGB', -1, 0, 0.5, 1, 65, 1e9, true, [], ['x'], [1], [2, 1], [1, 2, 3, 4], {}, { x: 1 }];

/** The value with one part of it replaced, left out or added to, for each part and each mistake. */
function* mistakesIn(value: unknown): Iterable<unknown> {
  yield* WRONG;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  yield { ...value, colour: 1 };
  for (const [name, part] of Object.entries(value)) {
    const { [name]: _left, ...others } = value as Record<string, unknown>;
    yield others;
    for (const wrong of mistakesIn(part)) yield { ...value, [name]: wrong };
  }
}

it('the published schema and the validator take and refuse the same cards', () => {
  const published = z.fromJSONSchema(JSON.parse(readFileSync(FILE, 'utf8')) as Parameters<typeof z.fromJSONSchema>[0]);
  const own = readdirSync(CARDS).map((name): unknown => JSON.parse(readFileSync(path.join(CARDS, name), 'utf8')));
  for (const card of [...FULL, ...own]) {
    expect(partialCardSchema.safeParse(card).error).toBeUndefined();
    expect(published.safeParse(card).error).toBeUndefined();
  }
  const verdicts = { taken: 0, refused: 0 };
  for (const card of FULL.flatMap((full) => [...mistakesIn(full)])) {
    const parsed = partialCardSchema.safeParse(card);
    // A JSON schema cannot say that a range rises.
    if (parsed.error?.issues.some(({ message }) => message === 'the range must rise')) continue;
    expect(published.safeParse(card).success, JSON.stringify(card)).toBe(parsed.success);
    verdicts[parsed.success ? 'taken' : 'refused'] += 1;
  }
  expect(verdicts.taken).toBeGreaterThan(100);
  expect(verdicts.refused).toBeGreaterThan(800);
});

describe('a card in a file', () => {
  it('may begin with a byte order mark', () => {
    expect(parseCard('\uFEFF{"input":{"channels":"BGR"}}')).toEqual({ input: { channels: 'BGR' } });
  });

  it.each<[what: string, text: string, says: string]>([
    ['is not JSON', '{', 'not valid JSON'],
    ['is null', 'null', 'must be a JSON object'],
    ['is a list', '[]', 'must be a JSON object'],
    ['has an unknown property', '{"inputs":{}}', 'unknown property "inputs"'],
    ['has an unknown property inside another', '{"input":{"colour":"RGB"}}', 'unknown property "colour" in "input"'],
    ['has an unknown size rule', '{"input":{"size":{"max":3}}}', 'unknown property "max" in "input.size"'],
    ['has a wrong value', '{"input":{"channels":"GRB"}}', 'wrong "input.channels" (it is one of RGB, BGR, grey, Y)'],
    ['has a range that falls', '{"output":{"range":[255,0]}}', 'wrong "output.range" (the range must rise)'],
    ['divides by zero', '{"input":{"std":[0]}}', 'must be above 0'],
    [
      'has labels that are no names',
      '{"output":{"kind":"classes","labels":5}}',
      'expected a list of names or the name',
    ],
    [
      'names a kind of output that does not exist',
      '{"output":{"kind":"sound"}}',
      'wrong "output.kind" (it is one of image, classes, detections, mask, tensor);',
    ],
    ['has a range of another form', '{"output":{"range":"zero"}}', 'wrong "output.range"; docs'],
    [
      'has a property of another kind of output',
      '{"output":{"kind":"classes","threshold":1}}',
      'unknown property "threshold" in "output"',
    ],
  ])('is refused in one sentence when it %s', (_what, text, says) => {
    expect(() => parseCard(text)).toThrow(says);
    expect(() => parseCard(text)).toThrow(/^The model card .*\.$/);
  });
});
