import * as z from 'zod';
import { classesOutput, detectionsOutput, maskOutput, partialOutputs, tensorOutput } from './card-outputs.js';
import { JobError } from '../job/failure.js';

/** A model card says how pictures become a model's tensors and back. `docs/model-card.md` explains every property. */

const side = z.int().min(1).max(16384);
const layout = z.enum(['NCHW', 'NHWC']);
const elementType = z.enum(['float32', 'float16', 'uint8']);
const channels = z.enum(['RGB', 'BGR', 'grey', 'Y']);
const fit = z.enum(['crop', 'resize']);
/** One value for all channels, or one for each in the tensor's order. */
const perChannel = z.array(z.number()).min(1).max(3);
/** Numbers, the last ones repeated until the tensor is full. */
const constant = z.array(z.number()).min(1);

const batch = z.int().min(1).max(64);

/** The tensor values that stand for black and for full white. */
const range = z.tuple([z.number(), z.number()]).refine(([low, high]) => low < high, 'the range must rise');

const tiles = z.strictObject({
  /** `[width, height]` of a tile; for a model of one size, that size. */
  size: z.tuple([side, side]),
  /** Pixels that neighbours have in common at least: at most half a tile. */
  overlap: z.int().min(0).max(8192),
});

const sizeRule = z.strictObject({
  /** `[width, height]` every picture is resized to, or cut into tiles of; null: any size. */
  fixed: z.tuple([side, side]).nullable(),
  /** Larger pictures are scaled down until their longest side has this many pixels. */
  longestSide: side.nullable(),
  /** Pictures are padded with their edge pixels until both sides are multiples of this. */
  multipleOf: side,
  /** Pictures are padded with their edge pixels until both sides have at least this many pixels. */
  minimum: side,
  /** Pictures are scaled into `fixed` and padded with their edge pixels instead of being stretched to it. Left out: false. */
  keepProportions: z.boolean().optional(),
  /** Larger pictures are scored in tiles that are blended where they overlap. Null or left out: whole. */
  tiles: tiles.nullable().optional(),
});

const imageTensor = z.strictObject({
  name: z.string().min(1),
  layout,
  type: elementType,
  /** `grey` and `Y` are one channel of brightness; an output of `Y` takes its colours from the frame. */
  channels,
  range,
  /** Taken from the values in `range`, then they are divided by `std`; an output is treated the other way round. */
  mean: perChannel.optional(),
  std: z.array(z.number().positive('must be above 0')).min(1).max(3).optional(),
});
const imageInput = imageTensor.extend({ size: sizeRule });
const imageOutput = imageTensor.extend({
  kind: z.literal('image').optional(),
  /** `crop`: the model keeps its input's size, perhaps rounded up; `resize`: any size, scaled back to the frame's. */
  fit,
  /** The result is so many times as wide and high as the frame. Left out: 1. */
  scale: z.int().min(1).max(16).optional(),
});

/** Complete: what a task carries and the scorer works by. */
export const modelCardSchema = z.strictObject({
  description: z.string(),
  input: imageInput,
  /** Null: the model has no style input. */
  style: imageInput.nullable(),
  /** Values of the inputs that take no picture, by name. */
  constants: z.record(z.string(), constant).optional(),
  /** Frames that are scored at a time. Left out: 1. */
  batch: batch.optional(),
  output: z.union([imageOutput, classesOutput, detectionsOutput, maskOutput, tensorOutput]),
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
  constants: z.record(z.string(), constant).optional(),
  batch: batch.optional(),
  output: z
    .discriminatedUnion('kind', [
      imageOutput.partial().extend({ kind: z.literal('image').optional() }),
      ...partialOutputs,
    ])
    .optional(),
});

export type ModelCard = z.infer<typeof modelCardSchema>;
export type PartialCard = z.infer<typeof partialCardSchema>;
export type SizeRule = z.infer<typeof sizeRule>;
export type PartialSize = z.infer<typeof partialSize>;
export type ImageTensor = z.infer<typeof imageTensor>;
export type ImageInput = z.infer<typeof imageInput>;
export type ImageOutput = z.infer<typeof imageOutput>;
export type PartialInput = z.infer<typeof partialInput>;
export type ElementType = z.infer<typeof elementType>;

/**
 * The card that the text of a `.json` file beside a model holds.
 * @throws JobError `user`: no JSON, or a property that is unknown (by name) or has a wrong value.
 */
export function parseCard(text: string): PartialCard {
  let json: unknown;
  try {
    json = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw new JobError('user', 'The model card is not valid JSON: correct it or leave it out.', { cause });
  }
  return validateCard(json);
}

/** @throws JobError `user`: a property is unknown (by name) or has a wrong value. */
export function validateCard(card: unknown): PartialCard {
  const parsed = partialCardSchema.safeParse(card);
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
  return at === '' ? 'must be a JSON object' : `has a wrong "${at}" (${issue.message})`;
}
