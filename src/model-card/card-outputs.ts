import * as z from 'zod';

/** What a card may say of an output that is no picture: the item's result is then a file of another kind. */

const name = z.string().min(1);
/** Names of the classes in the model's order: as many as the model has classes, or none. */
const labels = z.array(z.string());
/** What a person writes: the names, or the name of a label file that is stored with the model. */
const labelsOrFile = z.union([labels, name], 'expected a list of names or the name of a label file');
const fraction = z.number().min(0).max(1);

/** One JSON line: the best classes of a vector of scores. */
export const classesOutput = z.strictObject({
  kind: z.literal('classes'),
  name,
  /** How many classes are given, the best first. */
  top: z.int().min(1).max(1000),
  /** The model gives logits: turn them into probabilities. */
  softmax: z.boolean(),
  labels,
});

/** One JSON line: boxes around what was found, in pixels of the item. */
export const detectionsOutput = z.strictObject({
  kind: z.literal('detections'),
  /** Scores: `[batch, boxes, classes]`, or `[batch, boxes]` where `classes` names a tensor. */
  name,
  /** `[batch, boxes, 4]`. The same as `name`: each row holds a box and then its scores. */
  boxes: name,
  /** The class of each box, `[batch, boxes]`. The same as `name`: each row holds a box, its score and its class. */
  classes: name.optional(),
  /** The numbers of a box: the sides in this order, or left, top, width, height, or the centre, width, height. */
  format: z.enum(['ltrb', 'tlbr', 'ltwh', 'center']),
  /** `fraction`: 0..1 of the model's input; `pixel`: pixels of it. */
  unit: z.enum(['fraction', 'pixel']),
  /** Of one tensor: `[batch, numbers, boxes]` instead of rows. */
  transposed: z.boolean().optional(),
  /** Of one tensor: the fifth number is how likely there is anything at all, which the other scores are multiplied by. */
  objectness: z.boolean().optional(),
  /** What makes probabilities of the scores. Left out: they are. */
  activation: z.enum(['none', 'sigmoid', 'softmax']).optional(),
  /** Classes that stand for nothing found. */
  background: z.array(z.int().min(0)),
  /** Boxes with a lower score are left out. */
  threshold: fraction,
  /** Of boxes of one class that overlap more than this (intersection over union), only the best stays. */
  overlap: fraction,
  /** How many boxes are given at most, the best first. Left out: 300. */
  top: z.int().min(1).max(10_000).optional(),
  labels,
});

/** A grey PNG of the item's size: the class of each pixel (0..255), or 255 where a single class is found. */
export const maskOutput = z.strictObject({
  kind: z.literal('mask'),
  /** `[batch, height, width]`, or with one channel for each class. */
  name,
  layout: z.enum(['NCHW', 'NHWC']),
  /** `argmax`: the channel with the highest value; `threshold`: one channel, found from `threshold` on; `ids`: the values are classes. */
  method: z.enum(['argmax', 'threshold', 'ids']),
  threshold: z.number(),
  /** As for pictures. */
  fit: z.enum(['crop', 'resize']),
});

/** The tensor itself as a `.npy` file. */
export const tensorOutput = z.strictObject({ kind: z.literal('tensor'), name });

/** With what `kind` alone does not imply left out. */
export const partialOutputs = [
  classesOutput.partial().extend({ kind: z.literal('classes'), labels: labelsOrFile.optional() }),
  detectionsOutput.partial().extend({ kind: z.literal('detections'), labels: labelsOrFile.optional() }),
  maskOutput.partial().extend({ kind: z.literal('mask') }),
  tensorOutput.partial().extend({ kind: z.literal('tensor') }),
] as const;

export type ClassesOutput = z.infer<typeof classesOutput>;
export type DetectionsOutput = z.infer<typeof detectionsOutput>;
export type MaskOutput = z.infer<typeof maskOutput>;
