import { draftOutput } from './draft-output.js';
import { hintedChannels, hintedRange, readYolo } from './hints.js';
import type { PartialCard, PartialInput } from './schema.js';
import {
  describeTensor,
  imageLayout,
  imageSize,
  type ImageSize,
  type ModelHints,
  type ModelSignature,
  type TensorSignature,
} from './signature.js';

export interface CardDraft {
  card: PartialCard;
  /** One sentence for each thing that the model does not say and the draft guesses. */
  questions: string[];
}

/**
 * A first card for a model with everything that the model shows, and the questions that its user has to answer.
 * `completeCard` may still refuse the draft, and then says why the model cannot be used.
 */
export function draftCard(model: ModelSignature, hints: ModelHints): CardDraft {
  const questions: string[] = [];
  const { frame, style, others } = divideInputs(model, questions);
  if (frame === undefined) return { card: {}, questions };
  const input = draftInput(frame, hints, questions);
  const single = input.channels === 'grey';
  const card: PartialCard = {
    description: hints.metadata['title'] ?? '',
    input,
    ...(style && { style: { name: style.name } }),
    ...(others.length > 0 && { constants: Object.fromEntries(others.map(({ name }) => [name, [0]])) }),
    output: draftOutput(model, { single, frame, layout: input.layout ?? 'NCHW' }, hints, questions),
  };
  return { card, questions };
}

function divideInputs({ inputs }: ModelSignature, questions: string[]) {
  const coloured = inputs.filter((tensor) => imageLayout(tensor) !== undefined);
  const pictures = coloured.length > 0 ? coloured : inputs.filter((tensor) => imageLayout(tensor, 1) !== undefined);
  const style = pictures.length > 1 ? pictures.find(({ name }) => /style/i.test(name)) : undefined;
  const frame = pictures.find((tensor) => tensor !== style);
  const others = inputs.filter((tensor) => tensor !== frame && tensor !== style);
  if (frame !== undefined && others.length > 0) {
    const names = others.map(({ name }) => `"${name}"`).join(' and ');
    questions.push(
      `What ${names} ${others.length > 1 ? 'take' : 'takes'} ("constants"; name an input for the style picture as "style.name" instead): the draft gives zeros; the frame goes to "${frame.name}".${others.some((tensor) => imageLayout(tensor) !== undefined) ? ' Models that take two frames of a video at once do not run yet.' : ''}`,
    );
  }
  return { frame, style, others };
}

function draftInput(tensor: TensorSignature, hints: ModelHints, questions: string[]): PartialInput {
  const single = imageLayout(tensor) === undefined;
  const layout = imageLayout(tensor, single ? 1 : 3);
  const yolo = readYolo(hints);
  const own = imageSize(tensor, layout ?? 'NCHW');
  const made = own.width === undefined && own.height === undefined ? yolo?.size : undefined;
  const fixed = made ?? draftSize(own, questions);
  return {
    name: tensor.name,
    ...(layout && { layout }),
    channels: single ? 'grey' : draftChannels(hints, questions),
    range: draftRange(tensor, hints, questions),
    size: { fixed, ...(yolo && yolo.task !== 'classify' && fixed && { keepProportions: true }) },
  };
}

function draftSize({ width, height }: ImageSize, questions: string[]): [number, number] | null {
  const side = width ?? height;
  if (width !== undefined && height !== undefined) return [width, height];
  if (side === undefined) {
    questions.push(
      'Which sizes the model takes ("input.size", and "style.size" for a style picture): the draft says any; "multipleOf" and "minimum" pad frames for a model that does not take every size.',
    );
    return null;
  }
  const [known, open] = width === undefined ? ['high', 'wide'] : ['wide', 'high'];
  questions.push(
    `How ${open} a frame is scaled ("input.size.fixed": [width, height]), when the model wants it ${side} pixels ${known}: the draft says ${side}.`,
  );
  return [side, side];
}

function draftChannels(hints: ModelHints, questions: string[]): 'RGB' | 'BGR' {
  const known = hintedChannels(hints);
  if (known === undefined)
    questions.push('Whether red or blue comes first ("input.channels": "RGB" or "BGR"): the draft says RGB.');
  return known ?? 'RGB';
}

function draftRange(tensor: TensorSignature, hints: ModelHints, questions: string[]): [number, number] {
  const known = hintedRange(hints);
  if (known !== undefined || tensor.type === 'uint8') return known ?? [0, 255];
  questions.push(
    `Which values stand for black and white in ${describeTensor(tensor)} ("input.range"; "output.range" if a picture comes out with others), and which numbers are then subtracted and divided by ("input.mean", "input.std"): the draft says 0 to 255, without subtracting or dividing.`,
  );
  return [0, 255];
}
