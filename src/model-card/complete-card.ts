import { JobError } from '../job/failure.js';
import { chooseInputs } from './choose-inputs.js';
import { completeImage, type ImageDefaults } from './complete-image.js';
import { completeOutput } from './complete-output.js';
import { completeSize } from './complete-size.js';
import { DEFAULTS, type ImageInput, type ModelCard, type PartialCard, type PartialInput } from './schema.js';
import { describeTensor, type ModelSignature, type TensorSignature } from './signature.js';

/**
 * Fills in what a card leaves out, from the model's own signature, and checks the rest against it.
 * A complete card comes back unchanged, so this also checks whether one goes with the model it is used with.
 * @param partial what the `.json` file beside the model holds; `{}` when there is none.
 * @param labelFile the labels in the file that is stored with the model, if there is one.
 * @throws JobError `user`: the card contradicts the model, or the model leaves open what the card must say.
 */
export function completeCard(partial: PartialCard, model: ModelSignature, labelFile?: string[]): ModelCard {
  const chosen = chooseInputs(partial, model);
  const input = completeInput(partial.input ?? {}, chosen.input, { channels: 'RGB', range: [0, 255] }, null);
  const style = chosen.style && completeInput(partial.style ?? {}, chosen.style, input, DEFAULTS.styleLongestSide);
  const { description = '', constants, optimize } = partial;
  const batch = completeBatch(partial.batch, chosen.input);
  const output = completeOutput(partial.output ?? {}, model, input, labelFile);
  checkTiles(input, style, output);
  return {
    description,
    input,
    style: style ?? null,
    ...(constants && { constants }),
    ...(batch !== undefined && { batch }),
    ...(optimize && { optimize }),
    output,
  };
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

/** @throws JobError `user`: the card asks for another number of frames at a time than the model takes. */
function completeBatch(batch: number | undefined, tensor: TensorSignature): number | undefined {
  const [own] = tensor.shape;
  if (typeof own !== 'number' || tensor.shape.length !== 4) return batch;
  if (batch !== undefined && batch !== own)
    throw new JobError(
      'user',
      `The model card says a "batch" of ${batch}, but the model says ${describeTensor(tensor)}: leave "batch" out.`,
    );
  return own === 1 ? undefined : own;
}

/** @throws JobError `user`: the card asks for tiles of something that cannot be put together again. */
function checkTiles(input: ImageInput, style: ImageInput | undefined, output: ModelCard['output']): void {
  if (style?.size.tiles)
    throw new JobError('user', 'The model card cuts the style picture into tiles: only "input" can have "size.tiles".');
  if (!input.size.tiles || ('fit' in output && output.fit === 'crop')) return;
  throw new JobError(
    'user',
    'The model card has "size.tiles", but only pictures and masks that keep their size, or grow by "output.scale", can be put together from tiles: leave the tiles out.',
  );
}
