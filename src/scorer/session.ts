import os from 'node:os';
import ort from 'onnxruntime-node';
import { JobError, messageOf } from '../job/failure.js';
import type { ModelSignature, TensorSignature } from '../job/model-signature.js';
import type { Device } from './engine-protocol.js';
import { loadFailure, refuseNonModel } from './model-file.js';

/**
 * Loads a model for one device. A GPU that is asked for and not there is an error, never a silent return to the CPU.
 * @param threads of one inference; undefined: one for each core.
 * @throws JobError `user`: what is wrong with the file and what to do.
 */
export async function loadSession(
  model: Uint8Array,
  subject: string,
  threads?: number,
  device: Device = 'cpu',
): Promise<ort.InferenceSession> {
  refuseNonModel(model, subject);
  try {
    return await ort.InferenceSession.create(model, {
      executionProviders: [device],
      intraOpNumThreads: threads ?? os.availableParallelism(),
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      // Spinning threads take the cores from codecs and storage: a sixth less CPU time per frame without.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
      // What fails is thrown; the warnings about unusual models are noise.
      logSeverityLevel: 4,
    });
  } catch (cause) {
    throw noDevice(cause, device) ?? loadFailure(cause, subject);
  }
}

function noDevice(cause: unknown, device: Device): JobError | undefined {
  const message = messageOf(cause);
  if (device === 'cpu' || !/cuda|backend not found|providers_/i.test(message)) return undefined;
  const sentence = `The scorer was told to use a GPU and there is none that it can use (${message.slice(0, 200)}); use an image with CUDA on a machine with a GPU.`;
  return new JobError('user', sentence, { cause });
}

export function signatureOf(session: ort.InferenceSession): ModelSignature {
  return { inputs: session.inputMetadata.map(tensorOf), outputs: session.outputMetadata.map(tensorOf) };
}

function tensorOf(metadata: ort.InferenceSession.ValueMetadata): TensorSignature {
  if (!metadata.isTensor) return { name: metadata.name, type: 'no tensor', shape: [] };
  return { name: metadata.name, type: metadata.type, shape: [...metadata.shape] };
}
