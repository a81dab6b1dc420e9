import * as z from 'zod';
import { JobError } from '../job/failure.js';
import type { Device } from './engine-protocol.js';
import { unseal } from './sealed.js';

/** Where the work is and how to do it. The URLs hold secrets (SAS): never log one. */
export interface ScorerSettings {
  taskBlob: string;
  /** Container of the job in the internal account: task, progress, result, log. */
  jobContainerUrl: string;
  /** Container of the job in the media account: inputs and outputs of the items. */
  workContainerUrl: string;
  modelUrl: string;
  styleUrl: string | undefined;
  /** Threads of one inference; undefined: one for each core. */
  threads: number | undefined;
  codec: 'auto' | 'sharp' | 'jimp';
  device: Device;
}

const url = z.url({ protocol: /^https?$/, error: 'is no http(s) URL' });

const schema = z.object({
  TASK_BLOB: z.string('is not set').min(1, 'is empty'),
  JOB_CONTAINER_URL: url,
  WORK_CONTAINER_URL: url,
  MODEL_URL: url,
  STYLE_URL: url.optional(),
  SCORER_THREADS: z.coerce.number('is no number').int('is no whole number').min(1).max(256).optional(),
  SCORER_DEVICE: z.enum(['cpu', 'cuda'], 'is none of cpu, cuda').default('cpu'),
  SCORER_CODEC: z.enum(['auto', 'sharp', 'jimp'], 'is none of auto, sharp, jimp').default('auto'),
});

/**
 * The scorer's settings from its environment; variables that are set to nothing count as not set.
 * @throws JobError `user`: names the variable that is missing or wrong, never its value; `platform` as `unseal`.
 */
export function readEnvironment(environment: Record<string, string | undefined>): ScorerSettings {
  const set = Object.fromEntries(Object.entries(unseal(environment)).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(set);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new JobError(
      'user',
      `The scorer's environment variable ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is wrong'}.`,
    );
  }
  const { data } = parsed;
  return {
    taskBlob: data.TASK_BLOB,
    jobContainerUrl: data.JOB_CONTAINER_URL,
    workContainerUrl: data.WORK_CONTAINER_URL,
    modelUrl: data.MODEL_URL,
    styleUrl: data.STYLE_URL,
    threads: data.SCORER_THREADS,
    codec: data.SCORER_CODEC,
    device: data.SCORER_DEVICE,
  };
}
