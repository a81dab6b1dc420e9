import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { constantNode, floatsOf, operatorNode, parseModel } from './model-messages.js';
import { type GraphProto, ModelProtoSchema, type NodeProto, TensorHeadProtoSchema } from './onnx_pb.js';

/** Channels that ONNX Runtime's convolutions compute together, with AVX-512 and with AVX2; it fills up what a model lacks. */
const CHANNELS_AT_ONCE = [16, 8];
/** `Slice` takes its bounds as inputs from this opset on; before, `DynamicSlice` does, which ONNX Runtime still has. */
const SLICE_BY_INPUTS = 10n;
/** From this version of the format on, a tensor that is listed as an input is only its default value. */
const DEFAULTS_ARE_INPUTS = 4n;
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

/** A tensor that is part of the model: its shape, and its values as the bytes of a `TensorProto`. */
interface Constant {
  shape: number[];
  bytes: Uint8Array;
}

/**
 * Rewrites convolutions to few channels, such as the last one of a network that paints: they compute the channels of
 * `block` x `block` pixels as so many channels of one pixel. The products are the same and are summed in another order. On CPUs ONNX Runtime
 * computes 8 or 16 channels at once and throws away what the model does not have, which is most of the work for the 3 of a picture.
 * The answers differ by rounding only, while the values are finite; docs/lab/benchmarks.md shows what is gained.
 * @param model the bytes of an ONNX file.
 * @returns undefined when the model has no such convolution, and when the bytes are no model.
 */
export function widenConvolutions(model: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const message = parseModel(model);
  if (message?.graph === undefined) return undefined;
  const { graph } = message;
  const opset = message.opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? 1n;
  const slice = opset < SLICE_BY_INPUTS ? 'DynamicSlice' : 'Slice';
  const constants = constantsOf(graph, message.irVersion >= DEFAULTS_ARE_INPUTS);
  let found = false;
  graph.node = graph.node.flatMap((node) => {
    const convolution = readConvolution(node, constants);
    if (convolution === undefined) return node;
    found = true;
    return inBlocks(convolution, slice);
  });
  return found ? toBinary(ModelProtoSchema, message) : undefined;
}

/**
 * The tensors of the graph, by name, without those that an input can replace.
 * @param replaceable whether a tensor that is also an input is only its default value.
 */
function constantsOf({ initializer, input }: GraphProto, replaceable: boolean): Map<string, Constant> {
  const constants = new Map<string, Constant>();
  for (const bytes of initializer) {
    const { name, dims } = fromBinary(TensorHeadProtoSchema, bytes);
    constants.set(name, { shape: dims.map(Number), bytes });
  }
  if (replaceable) for (const { name } of input) constants.delete(name);
  return constants;
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

/**
 * Reads a two-dimensional convolution that is worth rewriting.
 * @returns undefined for all other nodes: with strides, dilations or groups, or with weights that are not constants in the file.
 */
function readConvolution(node: NodeProto, constants: Map<string, Constant>): Convolution | undefined {
  if (node.opType !== 'Conv' || node.domain !== '') return undefined;
  const attributes = new Map(node.attribute.map((attribute) => [attribute.name, attribute]));
  const list = (name: string) => (attributes.get(name)?.ints ?? []).map(Number);
  const group = attributes.get('group')?.i ?? 1n;
  if (group !== 1n || [...list('strides'), ...list('dilations')].some((value) => value !== 1)) return undefined;
  const [input = '', kernel = '', added = ''] = node.input;
  const tensor = constants.get(kernel);
  const [channels, depth, rows, columns, more] = tensor?.shape ?? [];
  if (!tensor || !channels || !depth || !rows || !columns || more !== undefined) return undefined;
  const shape: Convolution['shape'] = [channels, depth, rows, columns];
  const block = bestBlock(shape);
  if (block === undefined) return undefined;
  const weights = floatsOf(tensor.bytes);
  const biasTensor = constants.get(added);
  const bias = added === '' ? new Float32Array(channels) : biasTensor && floatsOf(biasTensor.bytes);
  if (!weights || !bias) return undefined;
  const autoPad = Buffer.from(attributes.get('auto_pad')?.s ?? []).toString();
  const pads = padsOf(autoPad, list('pads'), rows, columns);
  return { input, output: node.output[0] ?? '', shape, pads, block, weights, bias };
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
function inBlocks({ input, output, shape, pads, block, weights, bias }: Convolution, slice: string): NodeProto[] {
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
