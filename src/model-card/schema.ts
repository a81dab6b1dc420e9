import * as z from 'zod';
import { JobError } from '../job/failure.js';

/** A model card says how pictures become a model's tensors and back. `docs/model-card.md` explains every property. */

const tensorName = z.string().min(1);
const side = z.int().min(1).max(16384);
const layout = z.enum(['NCHW', 'NHWC']);
const fit = z.enum(['crop', 'resize']);
const fraction = z.number().min(0).max(1);

// Inputs

/** The tensor values that stand for black and for full white. */
const range = z.tuple([z.number(), z.number()]).refine(([low, high]) => low < high, 'the range must rise');

const imageTensor = z.strictObject({
  name: tensorName,
  layout,
  type: z.enum(['float32', 'float16', 'uint8']),
  /** `grey` and `Y` are one channel of brightness; an output of `Y` takes its colours from the frame. */
  channels: z.enum(['RGB', 'BGR', 'grey', 'Y']),
  range,
  /**
   * One value for all channels, or one for each in the tensor's order. The values in `range` become
   * `(value - mean) / std`; for an output it is undone.
   */
  mean: z.array(z.number()).min(1).max(3).optional(),
  std: z.array(z.number().positive('must be above 0')).min(1).max(3).optional(),
});

const tiles = z.strictObject({
  /** `[width, height]` of a tile; for a model with a fixed size, that size. */
  size: z.tuple([side, side]),
  /** Pixels that neighbours share at least: at most half a tile. */
  overlap: z.int().min(0).max(8192),
});

const sizeRule = z.strictObject({
  /** `[width, height]` that every picture is resized to, or cut into tiles of; null: any size. */
  fixed: z.tuple([side, side]).nullable(),
  /** Larger pictures are scaled down until their longest side has this many pixels. */
  longestSide: side.nullable(),
  /** Pictures are padded with their edge pixels until both sides are multiples of this. */
  multipleOf: side,
  /** Pictures are padded with their edge pixels until both sides have at least this many pixels. */
  minimum: side,
  /** Pictures are scaled into `fixed` and padded with their edge pixels instead of being stretched to it. Default: false. */
  keepProportions: z.boolean().optional(),
  /** Larger pictures are scored in tiles that are blended where they overlap. Null or absent: whole. */
  tiles: tiles.nullable().optional(),
});

const imageInput = imageTensor.extend({ size: sizeRule });

/** Values of the inputs that take no picture, by name: the last value is repeated until the tensor is full. */
const constants = z.record(z.string(), z.array(z.number()).min(1));

/** Frames that are scored at a time. Default: 1. */
const batch = z.int().min(1).max(64);
/** `auto`: where a faster form of the network is known and gives the same results, it runs instead; `off`: never. Default: `auto`. */
const optimize = z.enum(['auto', 'off']);

// Outputs: a picture, or a file of another kind for each item

const imageOutput = imageTensor.extend({
  kind: z.literal('image').optional(),
  /** `auto`: from the lowest to the highest value of each picture. */
  range: z.union([range, z.literal('auto')]),
  /**
   * `crop`: what the model makes is `scale` times its input, perhaps rounded up, and is taken as it is; `resize`: any size, scaled to the
   * result's.
   */
  fit,
  /** How many times wider and higher than the frame the result is, rounded down. Default: 1. */
  scale: z
    .number()
    .min(1 / 16)
    .max(16)
    .optional(),
  /** `[width, height]` of the result, whatever the frame's; in place of `scale`. */
  size: z.tuple([side, side]).optional(),
});

const completeImageOutput = imageOutput.extend({
  /** Nobody says which values stand for black and white: the job stops when the first pictures show that they are others. */
  assumed: z.boolean().optional(),
});

/** Names of the classes in the model's order: as many as the model has classes, or none. */
const labels = z.array(z.string());
/** What a person writes: the names, or the name of a label file that is stored with the model. */
const labelsOrFile = z.union([labels, z.string().min(1)], 'expected a list of names or the name of a label file');

/** One JSON line: the best classes of a vector of scores. */
const classesOutput = z.strictObject({
  kind: z.literal('classes'),
  name: tensorName,
  /** How many classes the line lists, the best first. */
  top: z.int().min(1).max(1000),
  /** The model gives logits: turn them into probabilities. */
  softmax: z.boolean(),
  labels,
});

const place = z.int().min(0).max(1000);

/** One JSON line: boxes around what was found, in pixels of the item. */
const detectionsOutput = z.strictObject({
  kind: z.literal('detections'),
  /** Scores: `[batch, boxes, classes]`, or `[batch, boxes]` where `classes` names a tensor. */
  name: tensorName,
  /** `[batch, boxes, 4]`. The same as `name`: each row holds a box and then its scores. */
  boxes: tensorName,
  /** The class of each box, `[batch, boxes]`. The same as `name`: each row holds a box, its score and its class. */
  classes: tensorName.optional(),
  /** How many of the boxes count; the others only fill the tensors up. */
  count: tensorName.optional(),
  /** How many scores each row of a single tensor has, one for each class; what follows them is left out. */
  classCount: z.int().min(1).max(100_000).optional(),
  /** Places in a row, from 0: of the first of the four numbers of a box, of the (first) score, and of the class. */
  columns: z.strictObject({ box: place.optional(), score: place.optional(), class: place.optional() }).optional(),
  /** The numbers of a box: the sides in this order, or left, top, width, height, or the centre, width, height. */
  format: z.enum(['ltrb', 'tlbr', 'ltwh', 'center']),
  /** `fraction`: 0..1 of the model's input; `pixel`: pixels of it. */
  unit: z.enum(['fraction', 'pixel']),
  /** Boxes and scores are `[batch, numbers, boxes]`. Left out: decided by the shape and the number of classes. */
  transposed: z.boolean().optional(),
  /** The fifth number of a row is the probability that the box holds anything; the scores are multiplied by it. Left out: likewise. */
  objectness: z.boolean().optional(),
  /** Turns the scores into probabilities. Default: `none`. */
  activation: z.enum(['none', 'sigmoid', 'softmax']).optional(),
  /** Classes that stand for nothing found. */
  background: z.array(z.int().min(0)),
  /** Boxes with a lower score are left out. */
  threshold: fraction,
  /** When boxes of one class overlap more than this (intersection over union), only the best one stays. */
  overlap: fraction,
  /** How many boxes the line lists at most, the best first. Default: 300. */
  top: z.int().min(1).max(10_000).optional(),
  labels,
});

/** A grey PNG with the item's size: the class of each pixel (0..255), or 255 wherever the only class is found. */
const maskOutput = z.strictObject({
  kind: z.literal('mask'),
  /** `[batch, height, width]`, or with one channel for each class. */
  name: tensorName,
  layout,
  /** `argmax`: the channel with the highest value; `threshold`: one channel, found from `threshold` on; `ids`: the values are classes. */
  method: z.enum(['argmax', 'threshold', 'ids']),
  threshold: z.number(),
  /** As for pictures. */
  fit,
});

/** The tensor itself as a `.npy` file. */
const tensorOutput = z.strictObject({ kind: z.literal('tensor'), name: tensorName });

// Cards

/** Complete: what a task carries and the scorer works by. */
export const modelCardSchema = z.strictObject({
  description: z.string(),
  input: imageInput,
  /** Null: the model has no style input. */
  style: imageInput.nullable(),
  constants: constants.optional(),
  batch: batch.optional(),
  optimize: optimize.optional(),
  output: z.union([completeImageOutput, classesOutput, detectionsOutput, maskOutput, tensorOutput]),
});

const partialSize = sizeRule.partial().extend({ tiles: tiles.partial().nullable().optional() });
const partialInput = imageInput.partial().extend({ size: partialSize.optional() });

/** What a person writes beside the model: everything may be left out. */
export const partialCardSchema = z.strictObject({
  /** Where an editor finds the schema of cards. */
  $schema: z.string().optional(),
  description: z.string().optional(),
  input: partialInput.optional(),
  style: partialInput.nullable().optional(),
  constants: constants.optional(),
  batch: batch.optional(),
  optimize: optimize.optional(),
  output: z
    .discriminatedUnion('kind', [
      imageOutput.partial().extend({ kind: z.literal('image').optional() }),
      classesOutput.partial().extend({ kind: z.literal('classes'), labels: labelsOrFile.optional() }),
      detectionsOutput.partial().extend({ kind: z.literal('detections'), labels: labelsOrFile.optional() }),
      maskOutput.partial().extend({ kind: z.literal('mask') }),
      tensorOutput.partial().extend({ kind: z.literal('tensor') }),
    ])
    .optional(),
});

export type ModelCard = z.infer<typeof modelCardSchema>;

/** Whether the model makes a picture of each item, not predictions. */
export const givesPictures = ({ output }: ModelCard): boolean => output.kind === undefined || output.kind === 'image';
export type PartialCard = z.infer<typeof partialCardSchema>;
export type PartialOutput = NonNullable<PartialCard['output']>;
export type SizeRule = z.infer<typeof sizeRule>;
export type PartialSize = z.infer<typeof partialSize>;
export type ImageTensor = z.infer<typeof imageTensor>;
export type ImageInput = z.infer<typeof imageInput>;
export type PartialInput = z.infer<typeof partialInput>;
export type ElementType = ImageTensor['type'];
export type ImageOutput = z.infer<typeof completeImageOutput>;
export type ClassesOutput = z.infer<typeof classesOutput>;
export type DetectionsOutput = z.infer<typeof detectionsOutput>;
export type MaskOutput = z.infer<typeof maskOutput>;

/** What a card means when it and the model leave a number out. */
export const DEFAULTS = {
  /** Classes that an item's line lists. */
  classes: 5,
  /** Boxes that an item's line lists at most. */
  boxes: 300,
  /** Score of a box, or value of a pixel in a mask, from which on it counts. */
  threshold: 0.5,
  /** Intersection over union of two boxes above which they stand for the same thing. */
  overlap: 0.45,
  /** Longest side of a style picture in pixels: enough for brush strokes, cheap in every frame. */
  styleLongestSide: 512,
  /** Pixels that tiles share: enough for networks that look 16 pixels around at full size, as most that paint do. */
  tileOverlap: 64,
} as const;

/**
 * The card in the text of a `.json` file beside a model: the one place where a person's card is checked.
 * @throws JobError `user`: the text is not JSON, or a property is unknown or has a wrong value; the sentence names it.
 */
export function parseCard(text: string): PartialCard {
  let json: unknown;
  try {
    json = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw new JobError('user', 'The model card is not valid JSON: correct it or leave it out.', { cause });
  }
  const parsed = partialCardSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new JobError(
    'user',
    `The model card ${describeIssue(parsed.error)}; docs/model-card.md lists what it may say.`,
  );
}

function describeIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'is not valid';
  const at = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    return `has an unknown property "${issue.keys[0] ?? ''}"${at === '' ? '' : ` in "${at}"`}`;
  }
  return at === '' ? 'must be a JSON object' : `has a wrong "${at}"${describeValue(issue)}`;
}

/** What is wrong with a value, in brackets, as far as its schema tells. */
function describeValue(issue: z.core.$ZodIssue): string {
  if (issue.message === 'Invalid input') return '';
  const choices = issue.code === 'invalid_value' ? issue.values : 'options' in issue ? issue.options : undefined;
  const named = choices?.filter((choice) => choice !== undefined).map(String);
  return named === undefined ? ` (${issue.message})` : ` (it is one of ${named.join(', ')})`;
}
