import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as AttributeType,
  type AttributeProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
} from './onnx_pb.js';

/** ONNX declares the types of tensors as whole numbers. */
const FLOAT: number = DataType.FLOAT;

/** The model that a file holds; undefined when the bytes are no protobuf message. Weights are views of `bytes`, not copies. */
export function parseModel(bytes: Uint8Array): ModelProto | undefined {
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch {
    return undefined;
  }
}

/**
 * The values of a float32 tensor.
 * @param tensor the bytes of a `TensorProto`.
 * @returns undefined when the tensor has another type, or its values are in another file.
 */
export function floatsOf(tensor: Uint8Array): Float32Array | undefined {
  const { dims, dataType, dataLocation, rawData, floatData } = fromBinary(TensorProtoSchema, tensor);
  if (dataType !== FLOAT || dataLocation === DataLocation.EXTERNAL) return undefined;
  const count = dims.reduce((product, size) => product * Number(size), 1);
  // The raw bytes are copied because they need not start at a multiple of four in the file.
  if (rawData.length === 4 * count) return new Float32Array(new Uint8Array(rawData).buffer);
  return floatData.length === count ? Float32Array.from(floatData) : undefined;
}

/** A node without inputs whose output is a tensor: float32 for a `Float32Array`, else int64. */
export function constantNode(output: string, values: Float32Array | number[], shape: number[]): NodeProto {
  const numbers = values instanceof Float32Array ? values : BigInt64Array.from(values, BigInt);
  const tensor = create(TensorProtoSchema, {
    dims: shape.map(BigInt),
    dataType: values instanceof Float32Array ? DataType.FLOAT : DataType.INT64,
    rawData: new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength),
  });
  return create(NodeProtoSchema, {
    opType: 'Constant',
    output: [output],
    attribute: [{ name: 'value', type: AttributeType.TENSOR, t: toBinary(TensorProtoSchema, tensor) }],
  });
}

/** A node with one output. Attributes are whole numbers, lists of them, or texts. */
export function operatorNode(
  opType: string,
  input: string[],
  output: string,
  attributes: Record<string, number | number[] | string> = {},
): NodeProto {
  const attribute = Object.entries(attributes).map(([name, value]) => ({ name, ...attributeValue(value) }));
  return create(NodeProtoSchema, { opType, input, output: [output], attribute });
}

function attributeValue(value: number | number[] | string): MessageInitShape<typeof AttributeProtoSchema> {
  if (typeof value === 'string') return { type: AttributeType.STRING, s: Buffer.from(value) };
  return Array.isArray(value)
    ? { type: AttributeType.INTS, ints: value.map(BigInt) }
    : { type: AttributeType.INT, i: BigInt(value) };
}
