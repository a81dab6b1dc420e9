import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type ort from 'onnxruntime-node';
import * as z from 'zod';
import type { Device } from '../../../job/compute-choice.js';
import { JobError, messageOf } from '../../../job/failure.js';
import type { ModelHints, ModelSignature } from '../../../model-card/signature.js';
import { describeEnd, isFromOutside, PERHAPS_MEMORY, startChild } from '../../../processes/child-process.js';
import type { Trial, TrialRequest } from './trial.js';

/**
 * Reads a model's signature and hints from a file and, when asked, tries the model. `name` is what sentences call the model; `device` is
 * tried, by default the CPU. A request that has a picture may still come, and with it the file; the process starts meanwhile. Throws
 * JobError `user` where the model is to blame and `platform` where the process was killed, and what the request is rejected with.
 */
export type ModelInspector = (
  file: string,
  name: string,
  device?: Device,
  request?: TrialRequest | Promise<TrialRequest>,
) => Promise<ModelSignature & { trial?: Trial }>;

const ENTRY = fileURLToPath(new URL('../../bundle/inspect-main.js', import.meta.url));
/** What a model may take. */
export interface InspectionLimits {
  /** Until it has been read. */
  seconds: number;
  /** A trial that takes longer is left: what it has shown so far counts. */
  trialSeconds: number;
}

const LIMITS: InspectionLimits = { seconds: 120, trialSeconds: 20 };

const tensor = z.object({ name: z.string(), type: z.string(), shape: z.array(z.union([z.number(), z.string()])) });
const texts = z.record(z.string(), z.string());
const hints = z.object({
  metadata: texts,
  texts: z.array(z.string()),
  makers: texts,
  random: z.string().optional(),
  labels: z.record(z.string(), z.array(z.string())),
}) satisfies z.ZodType<ModelHints>;
const answerSchema = z.union([
  z.object({ inputs: z.array(tensor), outputs: z.array(tensor), hints }) satisfies z.ZodType<ModelSignature>,
  z.object({ error: z.string() }),
]);
const trialSchema = z.object({
  runs: z.array(
    z.object({
      input: z.object({ width: z.number(), height: z.number() }),
      outputs: z.record(z.string(), z.array(z.number())),
    }),
  ),
  failure: z.string().nullable().optional(),
  cpuSeconds: z.number().optional(),
  done: z.boolean(),
}) satisfies z.ZodType<Trial>;

/** Loads what reads a model, which takes longer than reading a small one. */
export const loadReader = () =>
  Promise.all([
    import('../devices.js'),
    import('../session.js'),
    import('./find-channels.js'),
    import('../../onnx/model-hints.js'),
    import('../../onnx/zip-maps.js'),
  ]);

/**
 * Loads the model into this very process; a malformed one may bring the process down.
 * @param use gets the loaded model before it is released.
 * @throws JobError `user`: what is wrong with the file and what to do.
 */
export async function inspectModel(
  file: string,
  name: string,
  device: Device = 'cpu',
  use?: (session: ort.InferenceSession, signature: ModelSignature) => Promise<void>,
): Promise<ModelSignature> {
  const [{ loadOnDevice }, { signatureOf }, { findChannels }, { readHints }, { withoutZipMaps }] = await loadReader();
  const subject = `The model "${name}"`;
  let bytes: Buffer<ArrayBuffer>;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw new JobError('user', `${subject} cannot be read: ${messageOf(cause)}`, { cause });
  }
  const { session } = await loadOnDevice(withoutZipMaps(bytes), subject, device);
  const signature = { ...(await findChannels(session, signatureOf(session))), hints: readHints(bytes) };
  await use?.(session, signature);
  await session.release();
  return signature;
}

/**
 * Loads the model in a process of its own, so that a file that crashes the runtime costs an error and no more.
 * @param environment of that process; it needs none of the app's secrets.
 */
export function createModelInspector(
  environment: NodeJS.ProcessEnv = {},
  entry: string = ENTRY,
  { seconds, trialSeconds }: InspectionLimits = LIMITS,
): ModelInspector {
  return async (file, name, device = 'cpu', request) => {
    const mode = request instanceof Promise ? ['try-soon'] : request ? ['try'] : [];
    const args = [entry, file, name, device, ...mode];
    const child = startChild(process.execPath, args, { env: environment });
    let limit: NodeJS.Timeout | undefined;
    let isTooLong = false;
    const end = () => {
      isTooLong = true;
      child.kill();
    };
    const ask = async () => {
      try {
        const asked = await request;
        limit = setTimeout(end, seconds * 1000);
        child.stdin.end(asked && JSON.stringify(asked));
      } catch (error) {
        child.kill();
        throw error;
      }
    };
    const asking = ask();
    asking.catch(() => undefined);
    let trying: NodeJS.Timeout | undefined;
    const lines: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line);
      trying ??= setTimeout(child.kill, trialSeconds * 1000);
    }
    const ended = await child.ended;
    await asking;
    clearTimeout(limit);
    clearTimeout(trying);
    if (ended.notStarted) {
      const { message } = ended.notStarted;
      throw new JobError('platform', `The model inspector could not be started: ${message}`, {
        cause: ended.notStarted,
      });
    }
    const answer = parseLine(answerSchema, lines[0]);
    if (answer === undefined) {
      const subject = `The model "${name}"`;
      if (isTooLong)
        throw new JobError('user', `${subject} cannot be loaded within ${seconds} s; export it smaller or simpler.`);
      if (isFromOutside(ended.signal))
        throw new JobError(
          'platform',
          `${subject} could not be looked into: the process that loads it was ${describeEnd(ended)}, ${PERHAPS_MEMORY}; try again when other programs need less.`,
        );
      throw new JobError(
        'user',
        `${subject} crashes ONNX Runtime (${describeEnd(ended)}): export or download it again.`,
      );
    }
    if ('error' in answer) throw new JobError('user', answer.error);
    const trial = lines
      .slice(1)
      .flatMap((line) => parseLine(trialSchema, line) ?? [])
      .at(-1);
    return { ...answer, ...(trial && { trial }) };
  };
}

function parseLine<T>(schema: z.ZodType<T>, line = ''): T | undefined {
  try {
    return schema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
