import { JobError } from '../job/failure.js';
import { chooseInputs } from './choose-inputs.js';
import { completeImage, type ImageDefaults } from './complete-image.js';
import { completeOutput } from './complete-output.js';
import { completeSize } from './complete-size.js';
import { hintedChannels, hintedRange, hintsOf, readYolo } from './hints.js';
import {
  DEFAULTS,
  type ImageInput,
  type ModelCard,
  type PartialCard,
  type PartialInput,
  type PartialSize,
} from './schema.js';
import { describeTensor, type ModelSignature, type TensorSignature, type TrialRun } from './signature.js';

/**
 * Fills in what a card leaves out, from the model's own signature and metadata, and checks the rest against it.
 * A complete card comes back unchanged, so this also checks whether one goes with the model it is used with.
 * @param partial what the `.json` file beside the model holds; `{}` when there is none.
 * @param labelFile the labels in the file that is stored with the model, if there is one.
 * @param runs what runs of the model on pictures of different sizes showed; without any, what only a run shows stays open.
 * @throws JobError `user`: the card contradicts the model, or the model leaves open what the card must say.
 */
export function completeCard(
  partial: PartialCard,
  model: ModelSignature,
  labelFile?: string[],
  runs: TrialRun[] = [],
): ModelCard {
  checkHasBoth(model);
  const chosen = chooseInputs(partial, model);
  const hints = hintsOf(model);
  const usual: ImageDefaults = { channels: hintedChannels(hints) ?? 'RGB', range: hintedRange(hints) ?? [0, 255] };
  const size = sizeOfYolo(partial.input?.size ?? {}, chosen.input, model);
  const input = completeInput({ ...partial.input, size }, chosen.input, usual, null);
  const style = chosen.style && completeInput(partial.style ?? {}, chosen.style, input, DEFAULTS.styleLongestSide);
  const { description = '', constants, optimize } = partial;
  const batch = completeBatch(partial.batch, chosen.input);
  const output = completeOutput(partial.output ?? {}, model, input, labelFile, runs);
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

function checkHasBoth({ inputs, outputs }: ModelSignature): void {
  if (inputs.length === 0)
    throw new JobError('user', 'The model has no input, so it takes no picture: export it with an input.');
  if (outputs.length === 0)
    throw new JobError('user', 'The model has no output, so nothing comes out of it: export it with an output.');
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

/** Ultralytics' models get pictures in their proportions, in the size that they were made for. */
function sizeOfYolo(card: PartialSize, { shape }: TensorSignature, model: ModelSignature): PartialSize {
  const yolo = readYolo(hintsOf(model));
  if (yolo === undefined || yolo.task === 'classify' || card.tiles) return card;
  const open = shape.filter((dimension) => typeof dimension === 'number').length < 3;
  const free = Object.keys(card).every((key) => key === 'keepProportions');
  const fixed = open && free && yolo.size ? yolo.size : card.fixed;
  const whole = open ? fixed === undefined || fixed === null : false;
  return { ...card, ...(fixed && { fixed }), ...(!whole && { keepProportions: card.keepProportions ?? true }) };
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
  if (!input.size.tiles) return;
  const { scale = 1 } = 'scale' in output ? output : {};
  if ('range' in output && output.range === 'auto')
    throw new JobError(
      'user',
      'The model card has "size.tiles" and the "output.range" "auto", which would differ from tile to tile: leave the tiles out, or give the range.',
    );
  if ('fit' in output && output.fit === 'crop' && Number.isInteger(scale)) return;
  throw new JobError(
    'user',
    'The model card has "size.tiles", but only pictures and masks that keep their size, or grow by a whole "output.scale", can be put together from tiles: leave the tiles out.',
  );
}
