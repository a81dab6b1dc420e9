import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  type GraphProtoSchema,
  ModelProtoSchema,
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
  type ValueInfoProtoSchema,
} from '../../../src/scorer/onnx/onnx_pb.js';
import { constantNode, operatorNode } from '../../../src/scorer/onnx/model-messages.js';

const TYPES = { float32: DataType.FLOAT, uint8: DataType.UINT8, float16: DataType.FLOAT16 };

interface TinyModel {
  /** The one operator, e.g. `Identity`. */
  operator: string;
  shape: (number | string)[];
  type?: keyof typeof TYPES;
  /** Of the operator: lists of whole numbers, e.g. `{ kernel_shape: [3, 3] }`. */
  attributes?: Record<string, number[]>;
}

/** The bytes of an ONNX model with one operator, from the input `x` to the output `y` of the same shape. */
export function tinyModel({ operator, shape, type = 'float32', attributes = {} }: TinyModel): Buffer {
  return modelFile({
    node: [operatorNode(operator, ['x'], 'y', attributes)],
    input: [tensorInfo('x', shape, type)],
    output: [tensorInfo('y', shape, type)],
  });
}

/** The bytes of an ONNX model that gives the values of the picture `x` of this shape as the scores `y` of so many classes. */
export function scoringModel([batch, ...each]: number[]): Buffer {
  return modelFile({
    node: [operatorNode('Flatten', ['x'], 'y', {})],
    input: [tensorInfo('x', [batch ?? 1, ...each])],
    output: [tensorInfo('y', [batch ?? 1, each.reduce((product, size) => product * size, 1)])],
  });
}

const FREE = ['batch', 3, 'height', 'width'];

/**
 * The bytes of an ONNX model from the picture `x` to the picture `y`, so many times as wide and as high, or of one size whatever comes in.
 * @param shapes of `x` and `y` as the file has them; by default it says nothing of their sizes
 */
export function resizingModel(
  to: { across: number; down?: number } | { width: number; height: number },
  [from, into]: [from: (number | string)[], into: (number | string)[]] = [
    FREE,
    ['batch', 3, 'out_height', 'out_width'],
  ],
): Buffer {
  const target =
    'across' in to
      ? constantNode('to', Float32Array.of(1, 1, to.down ?? to.across, to.across), [4])
      : constantNode('to', [1, 3, to.height, to.width], [4]);
  const inputs = 'across' in to ? ['x', '', 'to'] : ['x', '', '', 'to'];
  return modelFile({
    node: [target, operatorNode('Resize', inputs, 'y', { mode: 'linear' })],
    input: [tensorInfo('x', from)],
    output: [tensorInfo('y', into)],
  });
}

/**
 * The bytes of an ONNX model that finds the same boxes in every picture `x`: `boxes`, each as fractions of the picture (left, top, right,
 * bottom), and their `scores` in two classes.
 */
export function findingModel(found: { box: [number, number, number, number]; scores: [number, number] }[]): Buffer {
  const values = (each: number[][]) => Float32Array.from(each.flat());
  return modelFile({
    node: [
      constantNode('boxes', values(found.map(({ box }) => box)), [1, found.length, 4]),
      constantNode('scores', values(found.map(({ scores }) => scores)), [1, found.length, 2]),
    ],
    input: [tensorInfo('x', FREE)],
    output: [tensorInfo('boxes', [1, found.length, 4]), tensorInfo('scores', [1, found.length, 2])],
  });
}

/** The bytes of an ONNX model with this graph. `version` is that of the format, `opset` that of the operators (null: none is said), `domain` one of other operators. */
export function modelFile(
  graph: MessageInitShape<typeof GraphProtoSchema>,
  { version = 7, opset = 13, domain }: { version?: number; opset?: number | null; domain?: string } = {},
): Buffer {
  const model = create(ModelProtoSchema, {
    irVersion: BigInt(version),
    opsetImport: [
      ...(opset === null ? [] : [{ version: BigInt(opset) }]),
      ...(domain === undefined ? [] : [{ domain, version: 1n }]),
    ],
    graph: { name: 'tiny', ...graph },
  });
  return Buffer.from(toBinary(ModelProtoSchema, model));
}

/** A float32 tensor whose values are in a file beside the model: the bytes of a `TensorProto`. */
export function externalTensor(name: string, place: Record<string, string>, dims: number[]): Uint8Array<ArrayBuffer> {
  const tensor = create(TensorProtoSchema, {
    name,
    dims: dims.map(BigInt),
    dataType: DataType.FLOAT,
    dataLocation: DataLocation.EXTERNAL,
    externalData: Object.entries(place).map(([key, value]) => ({ key, value })),
  });
  return toBinary(TensorProtoSchema, tensor);
}

/** Name, type and shape of an input or output; texts are free dimensions. */
export function tensorInfo(
  name: string,
  shape: (number | string)[],
  type: keyof typeof TYPES = 'float32',
): MessageInitShape<typeof ValueInfoProtoSchema> {
  const dim = shape.map((size) => ({
    value:
      typeof size === 'number'
        ? { case: 'dimValue' as const, value: BigInt(size) }
        : { case: 'dimParam' as const, value: size },
  }));
  return { name, type: { value: { case: 'tensorType', value: { elemType: TYPES[type], shape: { dim } } } } };
}
