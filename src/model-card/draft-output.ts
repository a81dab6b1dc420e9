import type { PartialCard } from './card-schema.js';
import type { ModelHints } from './draft-card.js';
import { askLabels, draftDetections, findDetections } from './draft-detections.js';
import { countClasses } from './labels.js';
import type { Layout, ModelSignature, TensorSignature } from './model-signature.js';
import { describeTensor, imageLayout, imageSize } from './model-signature.js';

type PartialOutput = NonNullable<PartialCard['output']>;

/** The input that the frame goes into. */
interface FrameInput {
  /** It has one channel. */
  single: boolean;
  frame: TensorSignature;
  layout: Layout;
}

/** What the model's output most likely is: a picture, detections, a mask, scores of classes, or else the tensor as it is. */
export function draftOutput(
  model: ModelSignature,
  input: FrameInput,
  hints: ModelHints,
  questions: string[],
): PartialOutput {
  const { outputs } = model;
  const picture =
    outputs.find((tensor) => imageLayout(tensor, input.single ? 1 : 3) !== undefined) ??
    outputs.find(({ shape }) => shape.length === 0 || (shape.length === 4 && shape.every(isFree)));
  if (picture) return askWhich(outputs, [picture], questions, draftPicture(picture, input, questions));
  const found = findDetections(outputs);
  if (found) return askWhich(outputs, Object.values(found), questions, draftDetections(found, input.frame, questions));
  const mask = outputs.find((tensor) => isMask(tensor, input));
  if (mask) return askWhich(outputs, [mask], questions, draftMask(mask, input, questions));
  const scores = outputs.find(isScores);
  if (scores) return askWhich(outputs, [scores], questions, draftClasses(scores, hints, questions));
  const [tensor] = outputs;
  questions.push('What the output is ("output.kind"): the draft stores the tensor as it is.');
  return askWhich(outputs, tensor ? [tensor] : [], questions, { kind: 'tensor', name: tensor?.name });
}

const isFree = (dimension: number | string) => typeof dimension === 'string';

function askWhich(
  outputs: TensorSignature[],
  used: TensorSignature[],
  questions: string[],
  draft: PartialOutput,
): PartialOutput {
  const others = outputs.filter((tensor) => !used.includes(tensor));
  if (others.length > 0)
    questions.push(
      `Whether the right output is read ("output.name"): the model also gives ${others.map(describeTensor).join(' and ')}.`,
    );
  return draft;
}

function draftPicture(
  tensor: TensorSignature,
  { frame, layout, single }: FrameInput,
  questions: string[],
): PartialOutput {
  if (single)
    questions.push(
      'Whether the picture that comes out is grey or takes its colours from the frame ("input.channels": "grey" or "Y"): the draft says grey.',
    );
  const from = imageSize(frame, layout);
  const to = imageSize(tensor, imageLayout(tensor, single ? 1 : 3) ?? layout);
  const across = (to.width ?? 0) / (from.width ?? 0);
  const scales =
    Number.isInteger(across) && across > 1 && across <= 16 && across === (to.height ?? 0) / (from.height ?? 0);
  return { kind: 'image', name: tensor.name, ...(scales && { scale: across }) };
}

/** A channel for each class, or the classes themselves: as large as the frame, or of free size. */
function isMask({ shape, type }: TensorSignature, { frame, layout }: FrameInput): boolean {
  const { width, height } = imageSize(frame, layout);
  const sides = shape.length === 4 ? (layout === 'NCHW' ? shape.slice(2) : shape.slice(1, 3)) : shape.slice(1);
  const fits = (side: number | string | undefined, of: number | undefined) =>
    side === of || (typeof side === 'string' && of === undefined);
  const whole = type === 'int64' || type === 'int32' || shape.length === 4;
  return whole && sides.length === 2 && fits(sides[0], height) && fits(sides[1], width);
}

function draftMask({ name, shape, type }: TensorSignature, { layout }: FrameInput, questions: string[]): PartialOutput {
  if (type !== 'float32' && type !== 'float16') return { kind: 'mask', name };
  if (shape.length === 4 && shape[layout === 'NCHW' ? 1 : 3] !== 1) return { kind: 'mask', name, method: 'argmax' };
  questions.push('From which value on a pixel belongs to the mask ("output.threshold"): the draft says 0.5.');
  return { kind: 'mask', name, method: 'threshold', threshold: 0.5 };
}

/** One number for each class: `[batch, classes]` or `[batch, classes, 1, 1]`. */
function isScores({ shape }: TensorSignature): boolean {
  return shape.length > 1 && shape.slice(1).filter((dimension) => dimension !== 1).length === 1;
}

function draftClasses(tensor: TensorSignature, { makers }: ModelHints, questions: string[]): PartialOutput {
  const known = ['Softmax', 'Sigmoid'].includes(makers[tensor.name] ?? '');
  if (!known)
    questions.push('Whether the scores are logits ("output.softmax"): the draft makes probabilities of them.');
  questions.push(askLabels(countClasses(tensor)));
  return { kind: 'classes', name: tensor.name, top: 5, softmax: !known, labels: [] };
}
