import { readFileSync } from 'node:fs';
import ort from 'onnxruntime-node';
import { describe, expect, it, test } from 'vitest';
import { operatorNode } from '../../../src/scorer/onnx/onnx-nodes.js';
import { bytesField, numberField, writeFields } from '../../../src/scorer/onnx/protobuf.js';
import { loadSession } from '../../../src/scorer/engine/session.js';
import { widenConvolutions } from '../../../src/scorer/onnx/wide-convolutions.js';
import { STARRY_NIGHT } from '../../support/scorer/harness.js';

interface Case {
  /** Output channels, input channels, rows, columns. */
  shape: [number, number, number, number];
  attributes?: Record<string, number | number[]>;
  autoPad?: string;
  bias?: boolean;
  version?: number;
  opset?: number;
  /** Whether the weights are listed among the inputs. */
  listed?: boolean;
}

const tensor = (name: string, shape: number[], values: number[]) =>
  writeFields([
    ...shape.map((size) => numberField(1, size)),
    numberField(2, 1),
    bytesField(8, name),
    bytesField(9, Buffer.from(Float32Array.from(values).buffer)),
  ]);

function value(name: string, shape: (number | string)[]): Buffer {
  const sizes = shape.map((size) =>
    writeFields([typeof size === 'number' ? numberField(1, size) : bytesField(2, size)]),
  );
  const type = writeFields([numberField(1, 1), bytesField(2, writeFields(sizes.map((size) => bytesField(1, size))))]);
  return writeFields([bytesField(1, name), bytesField(2, writeFields([bytesField(1, type)]))]);
}

/** A model with one convolution, from `x` to `y`. */
function convolution({ shape, attributes, autoPad, bias = true, version = 7, opset = 13, listed }: Case): Buffer {
  const [channels, depth] = shape;
  const auto = [bytesField(1, 'auto_pad'), bytesField(4, autoPad ?? ''), numberField(20, 3)];
  const node = [
    ...operatorNode('Conv', ['x', 'w', ...(bias ? ['b'] : [])], 'y', attributes),
    ...(autoPad ? [bytesField(5, writeFields(auto))] : []),
  ];
  const count = shape.reduce((product, size) => product * size, 1);
  const weights = Array.from({ length: count }, (_, index) => Math.sin(index * 1.7));
  const group = typeof attributes?.group === 'number' ? attributes.group : 1;
  const graph = [
    bytesField(1, writeFields(node)),
    bytesField(2, 'one'),
    bytesField(5, tensor('w', shape, weights)),
    ...(bias
      ? [
          bytesField(
            5,
            tensor(
              'b',
              [channels],
              Array.from({ length: channels }, (_, k) => k + 0.5),
            ),
          ),
        ]
      : []),
    bytesField(11, value('x', [1, depth * group, 'height', 'width'])),
    ...(listed ? [bytesField(11, value('w', shape))] : []),
    ...(listed && bias ? [bytesField(11, value('b', [channels]))] : []),
    bytesField(12, value('y', [1, channels, 'rows', 'columns'])),
  ];
  const operators = writeFields([numberField(2, opset)]);
  return writeFields([numberField(1, version), bytesField(7, writeFields(graph)), bytesField(8, operators)]);
}

const bareSession = (model: Uint8Array) => ort.InferenceSession.create(model, { logSeverityLevel: 4 });

async function answer(model: Uint8Array, input: string, channels: number, [rows, columns]: [number, number]) {
  const session = await bareSession(model);
  const values = Float32Array.from({ length: channels * rows * columns }, (_, k) => 128 + 100 * Math.sin(k / 3));
  const outputs = await session.run({ [input]: new ort.Tensor('float32', values, [1, channels, rows, columns]) });
  const output = outputs[session.outputNames[0] ?? ''];
  if (output === undefined) throw new Error('no output');
  return { shape: output.dims, values: output.data as Float32Array };
}

async function expectSameAnswers(model: Uint8Array, input: string, channels: number, size: [number, number]) {
  const before = await answer(model, input, channels, size);
  const after = await answer(widenConvolutions(model), input, channels, size);
  expect(after.shape).toEqual(before.shape);
  const worst = after.values.reduce((most, each, k) => Math.max(most, Math.abs(each - (before.values[k] ?? NaN))), 0);
  expect(worst).toBeLessThan(0.01);
}

const SIZES: [number, number][] = [
  [24, 32],
  [25, 31],
  [26, 33],
];

describe('a convolution to few channels is changed and answers the same', () => {
  it.each<[string, Case]>([
    ['to the three channels of a picture', { shape: [3, 12, 9, 9] }],
    ['to one channel, no bias', { shape: [1, 4, 5, 5], bias: false }],
    ['to four channels', { shape: [4, 8, 7, 7], attributes: { pads: [3, 3, 3, 3] } }],
    ['kernel and pads that differ by side', { shape: [2, 5, 3, 7], attributes: { pads: [2, 0, 1, 3] } }],
    ['one stride and dilation, said', { shape: [3, 4, 5, 5], attributes: { strides: [1, 1], dilations: [1, 1] } }],
    ['padded to the same size, more below', { shape: [3, 4, 4, 6], autoPad: 'SAME_UPPER' }],
    ['padded to the same size, more above', { shape: [3, 4, 4, 6], autoPad: 'SAME_LOWER' }],
    ['not padded, said', { shape: [3, 4, 5, 5], autoPad: 'VALID' }],
    ['operators of 2019', { shape: [3, 8, 9, 9], version: 3, opset: 9, listed: true }],
    ['operators of 2018', { shape: [3, 8, 9, 9], version: 3, opset: 7, listed: true }],
  ])('%s', async (_, options) => {
    const model = convolution(options);
    expect(widenConvolutions(model).byteLength).toBeGreaterThan(model.byteLength);
    for (const size of SIZES) await expectSameAnswers(model, 'x', options.shape[1], size);
  });

  it('in the bundled model, at even and odd sizes', async () => {
    const model = readFileSync(STARRY_NIGHT);
    expect(widenConvolutions(model).byteLength).toBeGreaterThan(model.byteLength);
    for (const size of [...SIZES, [8, 8] as [number, number]]) await expectSameAnswers(model, 'image', 3, size);
  });
});

describe('what is not changed', () => {
  it.each<[string, Case]>([
    ['a stride', { shape: [3, 4, 5, 5], attributes: { strides: [2, 2] } }],
    ['a dilation', { shape: [3, 4, 5, 5], attributes: { dilations: [2, 2] } }],
    ['groups', { shape: [4, 1, 5, 5], attributes: { group: 4 } }],
    ['a kernel of one pixel', { shape: [3, 4, 1, 1] }],
    ['a kernel that is too small to gain by it', { shape: [4, 8, 3, 3] }],
    ['channels enough', { shape: [16, 4, 5, 5] }],
    ['weights that an input may replace', { shape: [3, 4, 5, 5], listed: true }],
  ])('%s', (_, options) => {
    const model = convolution(options);
    expect(widenConvolutions(model)).toBe(model);
  });

  it('bytes that are no model, and a model that is cut off', () => {
    const model = readFileSync(STARRY_NIGHT);
    for (const bytes of [Buffer.from('no model at all'), Buffer.alloc(0), model.subarray(0, 5000)])
      expect(widenConvolutions(bytes)).toBe(bytes);
  });
});

test('a session on the CPU runs the changed model', async () => {
  const model = convolution({ shape: [3, 1, 5, 5], bias: false });
  const pixels = new Float32Array(16 * 16);
  // The kernel that reaches over several pixels has noughts where one of them does not look, and nought times infinity is no number.
  pixels[8 * 16 + 8] = Infinity;
  const x = new ort.Tensor('float32', pixels, [1, 1, 16, 16]);
  const wrong = async (session: ort.InferenceSession) => {
    const { y } = await session.run({ x });
    return Array.from((y?.data ?? []) as Float32Array).filter(Number.isNaN).length;
  };
  expect(await wrong(await loadSession(model, 'The model', {}))).toBeGreaterThan(await wrong(await bareSession(model)));
});
