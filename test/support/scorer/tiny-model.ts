/** ONNX element types. */
const TYPES = { float32: 1, uint8: 2, float16: 10 };

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
  const lists = Object.entries(attributes).map(([name, values]) =>
    field(5, Buffer.concat([text(1, name), ...values.map((value) => varint(8, value)), varint(20, 7)])),
  );
  const node = Buffer.concat([text(1, 'x'), text(2, 'y'), text(4, operator), ...lists]);
  const dimensions = shape.map((size) => field(1, typeof size === 'number' ? varint(1, size) : text(2, size)));
  const tensor = Buffer.concat([varint(1, TYPES[type]), field(2, Buffer.concat(dimensions))]);
  const value = (name: string) => Buffer.concat([text(1, name), field(2, field(1, tensor))]);
  const graph = Buffer.concat([field(1, node), text(2, 'tiny'), field(11, value('x')), field(12, value('y'))]);
  return Buffer.concat([varint(1, 7), field(7, graph), field(8, varint(2, 13))]);
}

function varint(tag: number, value: number): Buffer {
  return Buffer.concat([number(tag << 3), number(value)]);
}

function text(tag: number, value: string): Buffer {
  return field(tag, Buffer.from(value));
}

function field(tag: number, bytes: Buffer): Buffer {
  return Buffer.concat([number((tag << 3) | 2), number(bytes.length), bytes]);
}

function number(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 127) | 128);
  }
}
