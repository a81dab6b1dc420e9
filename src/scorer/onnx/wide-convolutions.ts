import { constantNode, floatsOf, operatorNode } from './onnx-nodes.js';
import { bytesField, type Field, messagesOf, numbersOf, partsOf, readFields, textOf, writeFields } from './protobuf.js';

/** Channels that ONNX Runtime's convolutions compute together, with AVX-512 and with AVX2; it fills up what a model lacks. */
const CHANNELS_AT_ONCE = [16, 8];
/** `Slice` takes its bounds as inputs from this opset on; before, `DynamicSlice` does, which ONNX Runtime still has. */
const SLICE_BY_INPUTS = 10;
/** From this version of the format on, a tensor that is listed as an input is only its default value. */
const DEFAULTS_ARE_INPUTS = 4;
/** What another shape of a convolution must save to be worth its rearranging. */
const WORTH = 0.75;

interface Convolution {
  input: string;
  output: string;
  /** Output channels, input channels, rows, columns. */
  shape: [number, number, number, number];
  /** Top, left, bottom, right. */
  pads: [number, number, number, number];
  /** Rows and columns of pixels to compute at once. */
  block: number;
  weights: Float32Array;
  bias: Float32Array;
}

/**
 * The model with its convolutions to few channels, such as the last one of a network that paints, made to compute the channels of
 * `block` x `block` pixels as so many channels of one: the same products, summed in another order. On CPUs ONNX Runtime
 * computes 8 or 16 channels at once and throws away what is too much, most of the work for the 3 of a picture.
 * The answers differ by rounding only, while the values are finite (docs/benchmarks.md shows what is gained); a model without such a
 * convolution is given back as it is, and so are bytes that are no model.
 */
export function widenConvolutions(model: Uint8Array): Uint8Array {
  try {
    return widen(Buffer.from(model.buffer, model.byteOffset, model.byteLength)) ?? model;
  } catch (error) {
    // What is no model, ONNX Runtime says in its own words.
    if (error instanceof RangeError) return model;
    throw error;
  }
}

function widen(bytes: Buffer): Buffer | undefined {
  const model = readFields(bytes);
  const operators = messagesOf(model, 8);
  const opset = operators.find((set) => ['', 'ai.onnx'].includes(textOf(set, 1)));
  const slice = (numbersOf(opset ?? [], 2)[0] ?? 1) < SLICE_BY_INPUTS ? 'DynamicSlice' : 'Slice';
  const replaceable = (numbersOf(model, 1)[0] ?? 0) >= DEFAULTS_ARE_INPUTS;
  let found = false;
  const changed = model.map((field) => {
    if (field.number !== 7) return field;
    const graph = readFields(field.payload);
    const constants = constantsOf(graph, replaceable);
    const nodes = graph.flatMap((part) => {
      const convolution = part.number === 1 ? readConvolution(readFields(part.payload), constants) : undefined;
      if (convolution === undefined) return part;
      found = true;
      return inBlocks(convolution, slice).map((node) => bytesField(1, writeFields(node)));
    });
    return bytesField(7, writeFields(nodes));
  });
  return found ? writeFields(changed) : undefined;
}

/** Tensors of the graph that no input can replace, by name. */
function constantsOf(graph: Field[], replaceable: boolean): Map<string, Field[]> {
  const inputs = new Set(replaceable ? messagesOf(graph, 11).map((input) => textOf(input, 1)) : []);
  const tensors = messagesOf(graph, 5);
  return new Map(tensors.map((tensor) => [textOf(tensor, 8), tensor] as const).filter(([name]) => !inputs.has(name)));
}

/** How many rows and columns of pixels to compute at once; undefined where one at a time is as good. */
function bestBlock(shape: Convolution['shape']): number | undefined {
  const savings = (block: number) =>
    CHANNELS_AT_ONCE.map((channels) => effort(shape, block, channels) / effort(shape, 1, channels));
  const blocks = [2, 3, 4].filter((block) => savings(block).every((share) => share < WORTH));
  return blocks.toSorted((one, other) => (savings(one)[0] ?? 1) - (savings(other)[0] ?? 1))[0];
}

/** Products for a pixel and an input channel. */
function effort([channels, , rows, columns]: Convolution['shape'], block: number, atOnce: number): number {
  const filled = Math.ceil((block ** 2 * channels) / atOnce) * atOnce;
  return ((rows + block - 1) * (columns + block - 1) * filled) / block ** 2;
}

/** A two-dimensional convolution that is worth it, without strides, dilations and groups, its weights in the file; else undefined. */
function readConvolution(node: Field[], constants: Map<string, Field[]>): Convolution | undefined {
  if (textOf(node, 4) !== 'Conv' || textOf(node, 7) !== '') return undefined;
  const attributes = new Map(messagesOf(node, 5).map((attribute) => [textOf(attribute, 1), attribute]));
  const list = (name: string) => numbersOf(attributes.get(name) ?? [], 8);
  const group = numbersOf(attributes.get('group') ?? [], 3)[0] ?? 1;
  if (group !== 1 || [...list('strides'), ...list('dilations')].some((value) => value !== 1)) return undefined;
  const [input = '', kernel = '', added = ''] = partsOf(node, 1).map(String);
  const tensor = constants.get(kernel) ?? [];
  const [channels, depth, rows, columns, more] = numbersOf(tensor, 1);
  if (!channels || !depth || !rows || !columns || more !== undefined) return undefined;
  const shape: Convolution['shape'] = [channels, depth, rows, columns];
  const block = bestBlock(shape);
  if (block === undefined) return undefined;
  const weights = floatsOf(tensor);
  const bias = added === '' ? new Float32Array(channels) : floatsOf(constants.get(added) ?? []);
  if (!weights || !bias) return undefined;
  const pads = padsOf(textOf(attributes.get('auto_pad') ?? [], 4), list('pads'), rows, columns);
  return { input, output: textOf(node, 2), shape, pads, block, weights, bias };
}

function padsOf(auto: string, given: number[], rows: number, columns: number): Convolution['pads'] {
  const less = [rows, columns].map((size) => Math.floor((size - 1) / 2));
  const more = [rows, columns].map((size) => Math.ceil((size - 1) / 2));
  const pads = { SAME_UPPER: [...less, ...more], SAME_LOWER: [...more, ...less], VALID: [] }[auto] ?? given;
  const [top = 0, left = 0, bottom = 0, right = 0] = pads;
  return [top, left, bottom, right];
}

/**
 * The same convolution, `block` x `block` pixels at a time: one with that stride and a kernel that reaches over all of them, whose
 * channels are then laid out as pixels. The last row and column reach over the edge and are cut off again.
 */
function inBlocks({ input, output, shape, pads, block, weights, bias }: Convolution, slice: string): Field[][] {
  const [channels, depth, rows, columns] = shape;
  const [high, broad] = [rows + block - 1, columns + block - 1];
  const wide = new Float32Array(block ** 2 * channels * depth * high * broad);
  for (let row = 0; row < weights.length / columns; row += 1) {
    const [channel, plane, y] = [Math.floor(row / rows / depth), Math.floor(row / rows) % depth, row % rows];
    const values = weights.subarray(row * columns, (row + 1) * columns);
    for (let pixel = 0; pixel < block ** 2; pixel += 1) {
      const filter = ((pixel * channels + channel) * depth + plane) * high + y + Math.floor(pixel / block);
      wide.set(values, filter * broad + (pixel % block));
    }
  }
  const biases = Float32Array.from({ length: block ** 2 * channels }, (_, index) => bias[index % channels] ?? 0);
  const [top, left, bottom, right] = pads;
  const name = (part: string) => `${output}/blocks/${part}`;
  return [
    constantNode(name('weights'), wide, [block ** 2 * channels, depth, high, broad]),
    constantNode(name('bias'), biases, [block ** 2 * channels]),
    operatorNode('Conv', [input, name('weights'), name('bias')], name('channels'), {
      strides: [block, block],
      pads: [top, left, bottom + block - 1, right + block - 1],
    }),
    operatorNode('DepthToSpace', [name('channels')], name('pixels'), { blocksize: block }),
    operatorNode('Shape', [input], name('shape')),
    constantNode(name('begin'), [2], [1]),
    constantNode(name('end'), [4], [1]),
    operatorNode(slice, [name('shape'), name('begin'), name('end')], name('size')),
    constantNode(name('growth'), [top + bottom - rows + 1, left + right - columns + 1], [2]),
    operatorNode('Add', [name('size'), name('growth')], name('ends')),
    constantNode(name('starts'), [0, 0], [2]),
    constantNode(name('axes'), [2, 3], [2]),
    operatorNode(slice, [name('pixels'), name('starts'), name('ends'), name('axes')], output),
  ];
}
