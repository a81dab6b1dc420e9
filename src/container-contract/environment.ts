import * as z from 'zod';
import { type Device, DEVICES } from '../job/compute-choice.js';
import { parseTraceParent } from '../job/trace.js';
import { type Environment, readSettings } from '../settings.js';
import { unseal } from './sealing.js';

const CODECS = ['auto', 'sharp', 'jimp'] as const;

/** Where the work is and how to do it. The URLs hold secrets (SAS): never log one. */
export interface ScorerSettings {
  taskBlob: string;
  /** Container of the job in the internal account: task, progress, result, log. */
  jobContainerUrl: string;
  /** Container of the job in the media account: outputs of the items, and their inputs unless there is another for them. */
  workContainerUrl: string;
  /** Container of the items' inputs where it is not the work container. */
  inputContainerUrl: string | undefined;
  modelUrl: string;
  styleUrl: string | undefined;
  /** Threads of one inference; undefined: one for each core. */
  threads: number | undefined;
  /** Sessions that share the frames; undefined: one for each GPU, one on the CPU. */
  sessions: number | undefined;
  /** The GPUs that CUDA is to use, as CUDA reads it. */
  visibleGpus: string | undefined;
  codec: (typeof CODECS)[number];
  /** What the compute says this place is for; a job may ask for another one. */
  device: Device;
  /** 32 hexadecimal digits; undefined where nobody has told the scorer of a trace. */
  traceId: string | undefined;
}

const url = z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' });

const count = (most: number) => {
  const error = `must be a whole number from 1 to ${most}`;
  return z.coerce.number({ error }).int(error).min(1, error).max(most, error);
};

/** How a scorer works, for whoever knows better than its defaults; settings of the app, too. */
const tuning = z.object({
  SCORER_THREADS: count(256).optional(),
  SCORER_SESSIONS: count(64).optional(),
  SCORER_CODEC: z.enum(CODECS, `must be one of ${CODECS.join(', ')}`).default('auto'),
});

const schema = tuning.extend({
  TASK_BLOB: z.string(),
  JOB_CONTAINER_URL: url,
  WORK_CONTAINER_URL: url,
  INPUT_CONTAINER_URL: url.optional(),
  MODEL_URL: url,
  STYLE_URL: url.optional(),
  TRACEPARENT: z.string().optional(),
  SCORER_DEVICE: z.enum(DEVICES, `must be one of ${DEVICES.join(', ')}`).default('auto'),
});

const notForTheApp = z.undefined('is not for the app; name the device of a job in its "compute.device"').optional();

/**
 * What the settings of the app say of all its scorers, as each of them gets it in its environment.
 * @throws JobError `user` that names the setting.
 */
export function readTuning(environment: Environment): Record<string, string> {
  readSettings(tuning.extend({ SCORER_DEVICE: notForTheApp }), environment);
  return Object.fromEntries(
    Object.keys(tuning.shape).flatMap((name) => {
      const value = environment[name];
      return value === undefined || value === '' ? [] : [[name, value]];
    }),
  );
}

/**
 * Where a container run finds its work: what `readEnvironment` reads back.
 * Every value is a secret, since the URLs hold signatures.
 */
export function writeEnvironment(
  places: Pick<
    ScorerSettings,
    'taskBlob' | 'jobContainerUrl' | 'workContainerUrl' | 'inputContainerUrl' | 'modelUrl' | 'styleUrl'
  > & { traceParent: string },
): Record<string, string> {
  const { styleUrl, inputContainerUrl } = places;
  return {
    TASK_BLOB: places.taskBlob,
    JOB_CONTAINER_URL: places.jobContainerUrl,
    WORK_CONTAINER_URL: places.workContainerUrl,
    MODEL_URL: places.modelUrl,
    TRACEPARENT: places.traceParent,
    ...(styleUrl !== undefined && { STYLE_URL: styleUrl }),
    ...(inputContainerUrl !== undefined && { INPUT_CONTAINER_URL: inputContainerUrl }),
  };
}

/** What a compute tells the scorer of the place it runs in. */
export function describePlace({ threads, gpu = false }: { threads: number; gpu?: boolean }): Record<string, string> {
  return { SCORER_THREADS: String(Math.max(1, Math.floor(threads))), ...(gpu && { SCORER_DEVICE: 'cuda' }) };
}

/**
 * The scorer's settings from its environment; variables that are set to nothing count as not set.
 * @throws JobError `user`: names the variable that is missing or wrong, never its value; `platform` as `unseal`.
 */
export function readEnvironment(environment: Environment): ScorerSettings {
  const data = readSettings(schema, unseal(environment), "scorer's environment variable");
  return {
    taskBlob: data.TASK_BLOB,
    jobContainerUrl: data.JOB_CONTAINER_URL,
    workContainerUrl: data.WORK_CONTAINER_URL,
    inputContainerUrl: data.INPUT_CONTAINER_URL,
    modelUrl: data.MODEL_URL,
    styleUrl: data.STYLE_URL,
    threads: data.SCORER_THREADS,
    sessions: data.SCORER_SESSIONS,
    visibleGpus: environment['CUDA_VISIBLE_DEVICES'],
    codec: data.SCORER_CODEC,
    device: data.SCORER_DEVICE,
    traceId: parseTraceParent(data.TRACEPARENT)?.traceId,
  };
}
