import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import type { Device } from '../../job/compute-choice.js';
import { JobError, messageOf } from '../../job/failure.js';
import type { ModelHints, ModelSignature } from '../../model-card/signature.js';
import { describeEnd, runChild } from '../../processes/child-process.js';

/**
 * Reads a model's signature and hints from a file. `name` is what sentences call the model; `device` is tried, by default the CPU.
 * Throws JobError `user`.
 */
export type ModelInspector = (file: string, name: string, device?: Device) => Promise<ModelSignature>;

const ENTRY = fileURLToPath(new URL('./inspect-main.js', import.meta.url));
const TIME_LIMIT_SECONDS = 120;

const tensor = z.object({ name: z.string(), type: z.string(), shape: z.array(z.union([z.number(), z.string()])) });
const texts = z.record(z.string(), z.string());
const hints = z.object({ metadata: texts, texts: z.array(z.string()), makers: texts }) satisfies z.ZodType<ModelHints>;
const answerSchema = z.union([
  z.object({ inputs: z.array(tensor), outputs: z.array(tensor), hints }) satisfies z.ZodType<ModelSignature>,
  z.object({ error: z.string() }),
]);

/**
 * Loads the model into this very process; a malformed one may bring the process down.
 * @throws JobError `user`: what is wrong with the file and what to do.
 */
export async function inspectModel(file: string, name: string, device: Device = 'cpu'): Promise<ModelSignature> {
  const [{ loadOnDevice }, { signatureOf }, { readHints }] = await Promise.all([
    import('./devices.js'),
    import('./session.js'),
    import('../onnx/model-hints.js'),
  ]);
  const subject = `The model "${name}"`;
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw new JobError('user', `${subject} cannot be read: ${messageOf(cause)}`, { cause });
  }
  const { session } = await loadOnDevice(bytes, subject, device);
  const signature = signatureOf(session);
  await session.release();
  return { ...signature, hints: readHints(bytes) };
}

/**
 * Loads the model in a process of its own, so that a file that crashes the runtime costs an error and no more.
 * @param environment of that process; it needs none of the app's secrets.
 */
export function createModelInspector(environment: NodeJS.ProcessEnv = {}, entry: string = ENTRY): ModelInspector {
  return async (file, name, device = 'cpu') => {
    const args = [entry, file, name, device];
    const ended = await runChild(process.execPath, args, { env: environment, timeLimit: TIME_LIMIT_SECONDS });
    if (ended.notStarted) {
      const { message } = ended.notStarted;
      throw new JobError('platform', `The model inspector could not be started: ${message}`, {
        cause: ended.notStarted,
      });
    }
    const answer = parseAnswer(ended.stdout.toString());
    if (answer === undefined) {
      throw new JobError(
        'user',
        `The model "${name}" crashes ONNX Runtime (${describeEnd(ended)}): export or download it again.`,
      );
    }
    if ('error' in answer) throw new JobError('user', answer.error);
    return answer;
  };
}

function parseAnswer(text: string): z.infer<typeof answerSchema> | undefined {
  try {
    return answerSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
