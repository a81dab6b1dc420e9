import * as z from 'zod';

/** What a card may say of an output that is no picture: the item's result is then a file of another kind. */

const name = z.string().min(1);
/** Names of the classes in the model's order: as many as the model has classes, or none. */
const labels = z.array(z.string());
/** What a person writes: the names, or the name of a label file that is stored with the model. */
const labelsOrFile = z.union([labels, name]);
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
  /** Scores, `[batch, boxes, classes]`. */
  name,
  /** Corners left, top, right, bottom of each box, `[batch, boxes, 4]`. */
  boxes: name,
  /** `fraction`: 0..1 of the model's input; `pixel`: pixels of it. */
  unit: z.enum(['fraction', 'pixel']),
  /** Classes that stand for nothing found. */
  background: z.array(z.int().min(0)),
  /** Boxes with a lower score are left out. */
  threshold: fraction,
  /** Of boxes of one class that overlap more than this (intersection over union), only the best stays. */
  overlap: fraction,
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
