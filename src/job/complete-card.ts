import { chooseInputs, chooseOutput } from './choose-tensors.js';
import { completeSize } from './complete-size.js';
import { JobError } from './failure.js';
import type { ImageInput, ImageOutput, ImageTensor, ModelCard, PartialCard, PartialInput } from './card-schema.js';
import { validateCard } from './card-schema.js';
import type { Layout, ModelSignature, TensorSignature } from './model-signature.js';
import { describeTensor, imageLayout, imageSize } from './model-signature.js';

/** Longest side of a style picture whose card and model set no size: enough for brush strokes, cheap in every frame. */
const STYLE_LONGEST_SIDE = 512;

/** What a picture input has in common with a picture output. */
type ImageDefaults = Pick<ImageTensor, 'channels' | 'range'>;

/**
 * Fills in what a card leaves out, from the model's own signature, and checks the rest against it.
 * A complete card goes through unchanged, so this also checks one against the model it is used with.
 * @param card what the `.json` file beside the model holds; `{}` when there is none.
 * @throws JobError `user`: the card is no card, it contradicts the model, or the model leaves open what the card must say.
 */
export function completeCard(card: unknown, model: ModelSignature): ModelCard {
  const partial = validateCard(card);
  const chosen = chooseInputs(partial, model);
  const input = completeInput(partial.input ?? {}, chosen.input, { channels: 'RGB', range: [0, 255] }, null);
  const style = chosen.style && completeInput(partial.style ?? {}, chosen.style, input, STYLE_LONGEST_SIDE);
  const output = completeOutput(partial, chooseOutput(partial, model), input);
  return { description: partial.description ?? '', input, style: style ?? null, output };
}

function completeInput(
  card: PartialInput,
  tensor: TensorSignature,
  defaults: ImageDefaults,
  longestSide: number | null,
): ImageInput {
  const image = completeImage(card, tensor, defaults, undefined);
  return { ...image, size: completeSize(card.size ?? {}, tensor, image.layout, longestSide) };
}

function completeOutput(partial: PartialCard, tensor: TensorSignature, input: ImageInput): ImageOutput {
  const card = partial.output ?? {};
  const image = completeImage(card, tensor, input, input.layout);
  const { width, height } = imageSize(tensor, image.layout);
  const [inputWidth, inputHeight] = input.size.fixed ?? [];
  const scales = [width, height, inputWidth, inputHeight].every((side) => side !== undefined)
    ? width !== inputWidth || height !== inputHeight
    : false;
  return { ...image, fit: card.fit ?? (scales ? 'resize' : 'crop') };
}

function completeImage(
  card: Partial<ImageTensor>,
  tensor: TensorSignature,
  defaults: ImageDefaults,
  likelyLayout: Layout | undefined,
): ImageTensor {
  const type = elementType(card, tensor);
  const layout = completeLayout(card, tensor, likelyLayout);
  const range = card.range ?? (type === 'uint8' ? [0, 255] : defaults.range);
  if (type === 'uint8' && (range[0] < 0 || range[1] > 255)) {
    throw new JobError(
      'user',
      `The model card gives ${describeTensor(tensor)} the range ${range.join('..')}, but uint8 holds 0..255 only.`,
    );
  }
  return { name: tensor.name, layout, type, channels: card.channels ?? defaults.channels, range };
}

function elementType(card: Partial<ImageTensor>, tensor: TensorSignature): ImageTensor['type'] {
  if (tensor.type !== 'float32' && tensor.type !== 'uint8') {
    throw new JobError(
      'user',
      `The model takes or gives pictures as ${tensor.type} (${describeTensor(tensor)}): export it with float32 or uint8 inputs and outputs.`,
    );
  }
  if (card.type !== undefined && card.type !== tensor.type) {
    throw new JobError(
      'user',
      `The model card says ${card.type}, but the model says ${describeTensor(tensor)}: correct the card's "type" or leave it out.`,
    );
  }
  return tensor.type;
}

function completeLayout(card: Partial<ImageTensor>, tensor: TensorSignature, likely: Layout | undefined): Layout {
  const known = imageLayout(tensor);
  const layout = card.layout ?? known ?? likely;
  if (layout === undefined) {
    throw new JobError(
      'user',
      `The model does not say where ${describeTensor(tensor)} has its colour channels: set "layout" to NCHW or NHWC in the model card.`,
    );
  }
  const { shape } = tensor;
  if (shape.length === 0) return layout;
  const colours = layout === 'NCHW' ? shape[1] : shape[3];
  if (shape.length !== 4 || (typeof colours === 'number' && colours !== 3)) {
    throw new JobError(
      'user',
      `The model's ${describeTensor(tensor)} is not a picture of three colours with the layout ${layout}: correct the model card, or use a model that takes and gives RGB pictures.`,
    );
  }
  if (typeof shape[0] === 'number' && shape[0] !== 1) {
    throw new JobError(
      'user',
      `The model's ${describeTensor(tensor)} wants ${shape[0]} pictures at a time: export it with a batch of 1 or a free batch dimension.`,
    );
  }
  return layout;
}
