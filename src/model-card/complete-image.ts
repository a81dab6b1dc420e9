import { JobError } from '../job/failure.js';
import type { ElementType, ImageTensor } from './schema.js';
import { describeTensor, imageLayout, isTensor, type Layout, type TensorSignature } from './signature.js';

/** What the picture tensors of a model usually have in common. */
export type ImageDefaults = Pick<ImageTensor, 'channels' | 'range' | 'mean' | 'std'>;

/** How many channels a picture tensor has. */
export function colours({ channels }: Pick<ImageTensor, 'channels'>): 1 | 3 {
  return channels === 'grey' || channels === 'Y' ? 1 : 3;
}

/**
 * How pictures become an input tensor, or an output tensor becomes pictures: what the card says, completed from the tensor.
 * @param defaults used for what the card leaves out, where it fits the tensor.
 * @param likely the layout to assume when the tensor does not show it.
 * @throws JobError `user`: the card contradicts the model or leaves too much open.
 */
export function completeImage(
  card: Partial<ImageTensor>,
  tensor: TensorSignature,
  defaults: ImageDefaults,
  likely: Layout | undefined,
): ImageTensor {
  const type = elementType(card, tensor);
  const channels = card.channels ?? defaultChannels(tensor, defaults.channels);
  const layout = completeLayout(card, tensor, colours({ channels }), likely);
  const range = card.range ?? (type === 'uint8' ? [0, 255] : defaults.range);
  if (type === 'uint8' && (range[0] < 0 || range[1] > 255)) {
    throw new JobError(
      'user',
      `The model card gives ${describeTensor(tensor)} the range ${range.join('..')}, but uint8 holds only 0..255: correct "range".`,
    );
  }
  checkPerChannel(card, tensor, colours({ channels }));
  const mean = card.mean ?? (type === 'uint8' ? undefined : defaults.mean);
  const std = card.std ?? (type === 'uint8' ? undefined : defaults.std);
  return { name: tensor.name, layout, type, channels, range, ...(mean && { mean }), ...(std && { std }) };
}

/** @throws JobError `user`: the card gives neither one number for all channels nor one for each. */
function checkPerChannel(card: Partial<ImageTensor>, tensor: TensorSignature, channels: 1 | 3): void {
  for (const name of ['mean', 'std'] as const) {
    const count = card[name]?.length ?? 1;
    if (count === 1 || count === channels) continue;
    throw new JobError(
      'user',
      `The model card gives ${describeTensor(tensor)} ${count} numbers as "${name}": give one for all channels${channels === 3 ? ', or three' : ''}.`,
    );
  }
}

/** A single channel is grey unless the model's other pictures are `Y`. */
function defaultChannels(tensor: TensorSignature, usual: ImageTensor['channels']): ImageTensor['channels'] {
  const single = imageLayout(tensor) === undefined && imageLayout(tensor, 1) !== undefined;
  if (single) return usual === 'Y' ? 'Y' : 'grey';
  return imageLayout(tensor) !== undefined && colours({ channels: usual }) === 1 ? 'RGB' : usual;
}

function elementType(card: Partial<ImageTensor>, tensor: TensorSignature): ElementType {
  const { type } = tensor;
  if (type !== 'float32' && type !== 'float16' && type !== 'uint8') {
    throw new JobError(
      'user',
      isTensor(tensor)
        ? `The model takes or gives pictures as ${type} (${describeTensor(tensor)}): export it with float32, float16 or uint8 inputs and outputs.`
        : `The model's ${describeTensor(tensor)} is no picture: name another one in the model card.`,
    );
  }
  if (card.type !== undefined && card.type !== type) {
    throw new JobError(
      'user',
      `The model card says ${card.type}, but the model says ${describeTensor(tensor)}: correct the card's "type" or leave it out.`,
    );
  }
  return type;
}

function completeLayout(
  card: Partial<ImageTensor>,
  tensor: TensorSignature,
  channels: 1 | 3,
  likely: Layout | undefined,
): Layout {
  const shown = imageLayout(tensor, channels);
  const layout = card.layout ?? shown ?? imageLayout(tensor, channels === 3 ? 1 : 3) ?? likely;
  if (layout === undefined) {
    throw new JobError(
      'user',
      `The model does not say where ${describeTensor(tensor)} has its colour channels: set "layout" to NCHW or NHWC in the model card.`,
    );
  }
  const { shape } = tensor;
  if (shape.length === 0) return layout;
  const found = layout === 'NCHW' ? shape[1] : shape[3];
  const fits = shape.length === 4 && (shown === undefined || shown === layout);
  if (fits && (typeof found !== 'number' || found === channels)) return layout;
  const wanted = channels === 3 ? 'a picture of three colours' : 'a picture of one channel';
  throw new JobError(
    'user',
    `The model's ${describeTensor(tensor)} is not ${wanted} with the layout ${layout}: correct the model card, say with "output.kind" what the output is, or use an image model.`,
  );
}
