import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { readFileSync } from 'node:fs';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { operatorNode } from '../../../src/scorer/onnx/model-messages.js';
import {
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
} from '../../../src/scorer/onnx/onnx_pb.js';
import { widenConvolutions } from '../../../src/scorer/onnx/wide-convolutions.js';
import { STARRY_NIGHT } from '../../support/scorer/harness.js';
import { modelFile, tensorInfo } from '../../support/scorer/tiny-model.js';

interface Case {
  /** Output channels, input channels, rows, columns. */
  shape: [number, number, number, number];
  attributes?: Record<string, number | number[] | string>;
  bias?: boolean;
  version?: number;
  opset?: number;
  /** Whether the weights are listed among the inputs. */
  listed?: boolean;
}

const tensor = (name: string, shape: number[], values: number[]) =>
  toBinary(
    TensorProtoSchema,
    create(TensorProtoSchema, {
      name,
      dims: shape.map(BigInt),
      dataType: DataType.FLOAT,
      rawData: new Uint8Array(Float32Array.from(values).buffer),
    }),
  );

/** A model with one convolution, from `x` to `y`. */
function convolution({ shape, attributes, bias = true, version, opset, listed }: Case): Buffer {
  const [channels, depth] = shape;
  const count = shape.reduce((product, size) => product * size, 1);
  const weights = Array.from({ length: count }, (_, index) => Math.sin(index * 1.7));
  const biases = Array.from({ length: channels }, (_, index) => index + 0.5);
  const group = typeof attributes?.['group'] === 'number' ? attributes['group'] : 1;
  const graph = {
    node: [operatorNode('Conv', ['x', 'w', ...(bias ? ['b'] : [])], 'y', attributes)],
    initializer: [tensor('w', shape, weights), ...(bias ? [tensor('b', [channels], biases)] : [])],
    input: [
      tensorInfo('x', [1, depth * group, 'height', 'width']),
      ...(listed ? [tensorInfo('w', shape)] : []),
      ...(listed && bias ? [tensorInfo('b', [channels])] : []),
    ],
    output: [tensorInfo('y', [1, channels, 'rows', 'columns'])],
  };
  return modelFile(graph, { version, opset });
}

async function answer(model: Uint8Array, input: string, channels: number, [rows, columns]: [number, number]) {
  const session = await ort.InferenceSession.create(model, { logSeverityLevel: 4 });
  const values = Float32Array.from({ length: channels * rows * columns }, (_, k) => 128 + 100 * Math.sin(k / 3));
  const outputs = await session.run({ [input]: new ort.Tensor('float32', values, [1, channels, rows, columns]) });
  const output = outputs[session.outputNames[0] ?? ''];
  if (output === undefined) throw new Error('no output');
  return { shape: output.dims, values: output.data as Float32Array };
}

function widened(model: Uint8Array): Uint8Array {
  const changed = widenConvolutions(model);
  if (changed === undefined) throw new Error('not changed');
  return changed;
}

async function expectSameAnswers(model: Uint8Array, input: string, channels: number, size: [number, number]) {
  const before = await answer(model, input, channels, size);
  const after = await answer(widened(model), input, channels, size);
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
    ['padded to the same size, more below', { shape: [3, 4, 4, 6], attributes: { auto_pad: 'SAME_UPPER' } }],
    ['padded to the same size, more above', { shape: [3, 4, 4, 6], attributes: { auto_pad: 'SAME_LOWER' } }],
    ['not padded, said', { shape: [3, 4, 5, 5], attributes: { auto_pad: 'VALID' } }],
    ['operators of 2019', { shape: [3, 8, 9, 9], version: 3, opset: 9, listed: true }],
    ['operators of 2018', { shape: [3, 8, 9, 9], version: 3, opset: 7, listed: true }],
  ])('%s', async (_, options) => {
    const model = convolution(options);
    for (const size of SIZES) await expectSameAnswers(model, 'x', options.shape[1], size);
  });

  it('in the bundled model, at even and odd sizes', async () => {
    const model = readFileSync(STARRY_NIGHT);
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
    expect(widenConvolutions(model)).toBeUndefined();
  });

  it('bytes that are no model, and a model that is cut off', () => {
    const model = readFileSync(STARRY_NIGHT);
    for (const bytes of [Buffer.from('no model at all'), Buffer.alloc(0), model.subarray(0, 5000)])
      expect(widenConvolutions(bytes)).toBeUndefined();
  });
});

it('keeps what the scorer does not know of the format: fields of the model, of its graph and of its nodes', () => {
  const text = (no: number, words: string) => ({
    no,
    wireType: WireType.LengthDelimited,
    data: new BinaryWriter().string(words).finish(),
  });
  const model = fromBinary(ModelProtoSchema, convolution({ shape: [3, 4, 5, 5] }));
  model.$unknown = [text(2, 'the producer')];
  model.graph?.node.push(create(NodeProtoSchema, { opType: 'Identity', $unknown: [text(3, 'the name of a node')] }));
  if (model.graph) model.graph.$unknown = [text(10, 'what the graph is')];
  const changed = fromBinary(ModelProtoSchema, widened(toBinary(ModelProtoSchema, model)));
  expect(changed.$unknown).toEqual(model.$unknown);
  expect(changed.graph?.$unknown).toEqual(model.graph?.$unknown);
  expect(changed.graph?.node.at(-1)?.$unknown).toEqual(model.graph?.node.at(-1)?.$unknown);
});
