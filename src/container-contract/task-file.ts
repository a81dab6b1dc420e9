import * as z from 'zod';
import { DEVICES } from '../job/device.js';
import { JobError } from '../job/failure.js';
import { modelCardSchema } from '../model-card/schema.js';
import type { ScoreTask } from './task.js';

const name = z.string().min(1);

const taskSchema = z.object({
  jobId: name,
  batch: z.int().min(0),
  attempt: z.int().min(1),
  items: z.array(z.object({ name, input: name, output: name })),
  card: modelCardSchema,
  device: z.enum(DEVICES).optional(),
  progressBlob: name,
  resultBlob: name,
  logBlob: name,
}) satisfies z.ZodType<ScoreTask>;

/** @throws JobError `user`: the bytes are no task; names the first property that is wrong. */
export function parseTask(bytes: Uint8Array): ScoreTask {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new JobError('user', 'The task blob is not valid JSON.', { cause });
  }
  const parsed = taskSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new JobError(
    'user',
    `The task blob is not valid: ${issue?.path.join('.') ?? ''} (${issue?.message ?? 'unknown'}).`,
  );
}
