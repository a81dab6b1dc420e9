import { bytesField, type Field, numberField, numbersOf, writeFields } from './protobuf.js';

/** TensorProto.DataType. */
const [FLOAT, INT64] = [1, 7];
/** AttributeProto.AttributeType. */
const [INT, TENSOR, INTS] = [2, 4, 7];

/** The values of a float32 tensor; undefined for one of another type or with its values in another file. */
export function floatsOf(tensor: Field[]): Float32Array | undefined {
  const count = numbersOf(tensor, 1).reduce((product, size) => product * size, 1);
  if (numbersOf(tensor, 2)[0] !== FLOAT || numbersOf(tensor, 14).some((place) => place !== 0)) return undefined;
  const bytes = Buffer.concat(
    tensor.filter(({ number }) => number === 4 || number === 9).map(({ payload }) => payload),
  );
  if (bytes.length !== 4 * count) return undefined;
  // A copy: the values need not lie at a multiple of four bytes in the file.
  return new Float32Array(new Uint8Array(bytes).buffer);
}

/** A node that gives a tensor: float32 for a `Float32Array`, else int64. */
export function constantNode(output: string, values: Float32Array | number[], shape: number[]): Field[] {
  const floats = values instanceof Float32Array;
  const raw = floats
    ? Buffer.from(values.buffer, values.byteOffset, values.byteLength)
    : Buffer.from(BigInt64Array.from(values, BigInt).buffer);
  const tensor = [
    ...shape.map((size) => numberField(1, size)),
    numberField(2, floats ? FLOAT : INT64),
    bytesField(9, raw),
  ];
  const value = [bytesField(1, 'value'), bytesField(5, writeFields(tensor)), numberField(20, TENSOR)];
  return [...operatorNode('Constant', [], output), bytesField(5, writeFields(value))];
}

/** A node with one output. */
export function operatorNode(
  operator: string,
  inputs: string[],
  output: string,
  attributes: Record<string, number | number[]> = {},
): Field[] {
  return [
    ...inputs.map((input) => bytesField(1, input)),
    bytesField(2, output),
    bytesField(4, operator),
    ...Object.entries(attributes).map(([name, value]) =>
      bytesField(
        5,
        writeFields([
          bytesField(1, name),
          ...[value].flat().map((each) => numberField(Array.isArray(value) ? 8 : 3, each)),
          numberField(20, Array.isArray(value) ? INTS : INT),
        ]),
      ),
    ),
  ];
}
