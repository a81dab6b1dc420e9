import { fromBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { externalFiles, withExternalData } from '../../../src/scorer/onnx/external-data.js';
import { floatsOf, parseModel } from '../../../src/scorer/onnx/model-messages.js';
import { AttributeProto_AttributeType as AttributeType, TensorProtoSchema } from '../../../src/scorer/onnx/onnx_pb.js';
import { externalTensor, modelFile } from '../../support/scorer/tiny-model.js';

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const valuesOf = (bytes: Uint8Array | undefined) => [...(floatsOf(bytes ?? expect.unreachable()) ?? [])];

/** Weights in the graph, in an attribute of a node, and in the body of a branch. */
const model = modelFile({
  initializer: [
    externalTensor('all', { location: 'b' }, [2]),
    externalTensor('part', { location: 'a.onnx.data', offset: '4', length: '8' }, [2]),
  ],
  node: [
    {
      opType: 'Constant',
      output: ['c'],
      attribute: [
        {
          name: 'value',
          type: AttributeType.TENSOR,
          t: externalTensor('', { location: 'a.onnx.data', length: '4' }, [1]),
        },
      ],
    },
    {
      opType: 'If',
      input: ['x'],
      output: ['y'],
      attribute: [
        {
          name: 'then_branch',
          type: AttributeType.GRAPH,
          g: { initializer: [externalTensor('deep', { location: 'c' }, [1])] },
        },
      ],
    },
  ],
});
const files = new Map([
  ['a.onnx.data', floats(1, 2, 3)],
  ['b', floats(4, 5)],
  ['c', floats(6)],
]);

describe('a model that keeps its weights in other files', () => {
  it('names them, wherever in the model they are used', () => {
    expect(externalFiles(model).toSorted()).toEqual(['a.onnx.data', 'b', 'c']);
    expect(externalFiles(modelFile({}))).toEqual([]);
    expect(externalFiles(Buffer.from('location'))).toEqual([]);
  });

  it('becomes one file that holds them all', () => {
    const whole = withExternalData(model, files);
    expect(externalFiles(whole)).toEqual([]);
    const { graph } = parseModel(whole) ?? {};
    expect(graph?.initializer.map((bytes) => valuesOf(bytes))).toEqual([
      [4, 5],
      [2, 3],
    ]);
    expect(graph?.initializer.map((bytes) => fromBinary(TensorProtoSchema, bytes).name)).toEqual(['all', 'part']);
    expect(valuesOf(graph?.node[0]?.attribute[0]?.t)).toEqual([1]);
    expect(valuesOf(graph?.node[1]?.attribute[0]?.g?.initializer[0])).toEqual([6]);
  });

  it.each([
    ['missing', new Map([...files].slice(1)), /a\.onnx\.data, which is missing/],
    ['too short', new Map([...files, ['a.onnx.data', floats(1, 2)]]), /weights in a\.onnx\.data are cut off/],
  ])('is refused when one is %s', (_what, given, says) => {
    expect(() => withExternalData(model, given)).toThrow(says);
  });
});
