import type ort from 'onnxruntime-node';
import { isConstantType, takesMore } from '../../../model-card/choose-inputs.js';
import { imageLayout, type Layout, type ModelSignature, type TensorSignature } from '../../../model-card/signature.js';
import type { Outputs } from '../../outputs/read-output.js';
import { constantTensor } from '../../tensors/feeder.js';
import { allocate, createTensor } from '../../tensors/tensor.js';
import { runSession } from '../session.js';

/** Sides of the pictures that are tried where the model takes any: small ones cost little, and some networks want more. */
const SIDES = [64, 224];
const TRIED: [Layout, channels: 3 | 1][] = [
  ['NCHW', 3],
  ['NHWC', 3],
  ['NCHW', 1],
  ['NHWC', 1],
];
const placeOf = (layout: Layout) => (layout === 'NCHW' ? 1 : 3);

/**
 * Finds out how many channels a model takes and gives where its file leaves that open, by trying three colours and one.
 * @returns the signature with these dimensions filled in; as it was when it shows them, or when no trial succeeds.
 */
export async function findChannels(session: ort.InferenceSession, signature: ModelSignature): Promise<ModelSignature> {
  const { inputs, outputs } = signature;
  const shown = inputs.some((tensor) => imageLayout(tensor) ?? imageLayout(tensor, 1));
  if (shown && !outputs.some(hidesChannels)) return signature;
  const open = shown ? [] : inputs.filter(mayBePicture);
  if (!shown && open.length === 0) return signature;
  for (const side of SIDES) {
    for (const [layout, channels] of TRIED) {
      const filled = inputs.map((tensor) => (open.includes(tensor) ? withChannels(tensor, layout, channels) : tensor));
      if (filled.includes(undefined)) continue;
      const given = filled.filter((tensor) => tensor !== undefined);
      const made = await run(session, given, side);
      if (made) return { ...signature, inputs: given, outputs: outputs.map((tensor) => asMade(tensor, made, layout)) };
      if (shown) break;
    }
  }
  return signature;
}

/** An output whose number of channels only a run shows; with no dimension fixed it is taken for a picture anyway. */
function hidesChannels({ shape }: TensorSignature): boolean {
  const fixed = shape.some((dimension) => typeof dimension === 'number');
  return (
    shape.length === 4 &&
    fixed &&
    [shape[1], shape[3]].every((side) => side !== 3 && side !== 1) &&
    typeof shape[1] === 'string'
  );
}

/** A small number beside sides that are open is that of channels, and none of those that are tried. */
const mayBePicture = (tensor: TensorSignature) =>
  ['float32', 'float16', 'uint8'].includes(tensor.type) &&
  (tensor.shape.length === 0 || tensor.shape.length === 4) &&
  !(typeof tensor.shape[2] === 'string' && takesMore(tensor));

/** Undefined where another number is fixed in the place of the channels. */
function withChannels(tensor: TensorSignature, layout: Layout, channels: 3 | 1): TensorSignature | undefined {
  const shape = tensor.shape.length === 0 ? ['', '', '', ''] : tensor.shape;
  const place = placeOf(layout);
  return typeof shape[place] === 'string' ? { ...tensor, shape: shape.with(place, channels) } : undefined;
}

/** Runs the model on zeros. Undefined when that fails. */
async function run(session: ort.InferenceSession, inputs: TensorSignature[], side: number) {
  const feeds: Outputs = {};
  for (const tensor of inputs) {
    const { name, type, shape } = tensor;
    const picture = imageLayout(tensor) ?? imageLayout(tensor, 1);
    if (!isConstantType(type)) return undefined;
    if (picture === undefined || (type !== 'float32' && type !== 'float16' && type !== 'uint8')) {
      feeds[name] = constantTensor(tensor, [0]);
      continue;
    }
    const dims = shape.map((own, place) => (typeof own === 'number' ? own : place === 0 ? 1 : side));
    feeds[name] = createTensor(
      allocate(
        type,
        dims.reduce((product, own) => product * own, 1),
      ),
      dims,
    );
  }
  return runSession(session, feeds, [...session.outputNames]).catch(() => undefined);
}

function asMade(tensor: TensorSignature, made: Outputs, layout: Layout): TensorSignature {
  const dims = made[tensor.name]?.dims ?? [];
  const shape = tensor.shape.length === 0 ? dims.map(() => '') : tensor.shape;
  if (dims.length !== 4 || shape.length !== 4) return { ...tensor, shape };
  const usual = [placeOf(layout), 1, 3].find((place) => dims[place] === 3 || dims[place] === 1) ?? placeOf(layout);
  return typeof shape[usual] === 'string' ? { ...tensor, shape: shape.with(usual, dims[usual] ?? '') } : tensor;
}
