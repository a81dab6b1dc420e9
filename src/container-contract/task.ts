import * as z from 'zod';
import { DEVICES } from '../job/compute-choice.js';
import { JobError } from '../job/failure.js';
import { FRAME_FORMATS } from '../job/items/formats.js';
import type { ModelCard } from '../model-card/schema.js';
import { SCORED_FORMATS } from './places.js';

const name = z.string().min(1);

/** Goes up when a scorer of an earlier version would misread a task. */
export const CONTRACT = 2;

const taskSchema = z.object({
  contract: z.literal(CONTRACT),
  jobId: name,
  batch: z.int().min(0),
  /** 1 for the first container run of the batch. */
  attempt: z.int().min(1),
  items: z.array(
    z.object({
      /** Unique within the job: `0000042`, or an image's name below the job's prefix. */
      name,
      /** Its number in the job, from 0: it tells where the item lies, see `places.ts`. */
      index: z.int().min(0),
      /** Blob name in the container for inputs, of a picture that a user has brought; a frame has none. */
      input: name.optional(),
      /** The version of that blob which was listed, without quotes; any, when left out. */
      etag: name.optional(),
    }),
  ),
  /** Items of a pack; with 1, each frame and output is a file of its own. */
  pack: z.int().min(1),
  /** What was scored for about so long is stored, although its pack is not complete; left out: only whole packs are. */
  packSeconds: z.number().positive().optional(),
  /** How frames are stored. */
  frames: z.enum(FRAME_FORMATS),
  output: z.object({
    ending: z.enum(SCORED_FORMATS),
    /** Of what the model says of an item; the output then shows the item with that drawn into it. */
    prediction: z.enum(SCORED_FORMATS).optional(),
  }),
  /** Indices of items that an earlier container may have died of: they come first, one by one, each announced in the progress. */
  alone: z.array(z.int().min(0)).optional(),
  /** How long the model may take for an item, in seconds; left out: as long as it wants. */
  itemSeconds: z.number().positive().optional(),
  /** Items of the batch whose output was there when the task was written. */
  before: z.int().min(0).optional(),
  /** The attempt of the same batch that this one helps: it takes over what that one has not taken up. */
  helps: z.int().min(1).optional(),
  /** Progress of that attempt: there it is told that somebody waits to help. */
  helpedBlob: name.optional(),
  /** Where it is written who scores which items, in the job container, once somebody helps; left out: this container scores all. */
  shareBlob: name.optional(),
  /** Complete: `prepareJob` has validated it and filled in every default from the model, so it is trusted here. */
  card: z.custom<ModelCard>((card) => typeof card === 'object' && card !== null, 'is missing'),
  /** SHA-256 of the files that the job was started with, in hexadecimal digits; left out: apps of earlier versions do not tell. */
  sums: z.object({ model: name, style: name.optional() }).optional(),
  /** Left out: `auto`. */
  device: z.enum(DEVICES).optional(),
  /** Names of the blobs in the job container that the scorer writes. */
  progressBlob: name,
  resultBlob: name,
  logBlob: name,
  /** Where it adds a line for each item that it has handled; apps of earlier versions name none. */
  timingsBlob: name.optional(),
});

/** What one container run has to do: the task blob. */
export type ScoreTask = z.output<typeof taskSchema>;

/** One image to score. */
export type TaskItem = ScoreTask['items'][number];

/**
 * Reads a task as the scorer gets it; the image may be of another version than the app that wrote it.
 * @throws JobError `user`: the bytes are no task; names the first property that is wrong.
 */
export function parseTask(bytes: Uint8Array): ScoreTask {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new JobError('user', 'The task blob is not valid JSON.', { cause });
  }
  if (contractOf(json) !== CONTRACT)
    throw new JobError(
      'user',
      'The scorer and the app are of different versions: run the scorer image that was made with the app.',
    );
  const parsed = taskSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new JobError(
    'user',
    `The task blob is not valid: ${issue?.path.join('.') ?? ''} (${issue?.message ?? 'unknown'}).`,
  );
}

const contractOf = (json: unknown): unknown =>
  typeof json === 'object' && json !== null && 'contract' in json ? json.contract : undefined;
