import os from 'node:os';
import ort from 'onnxruntime-node';
import type { ModelSignature, TensorSignature } from '../../model-card/signature.js';
import { loadFailure, refuseNonModel } from './model-file.js';
import { widenConvolutions } from '../onnx/wide-convolutions.js';

export interface Place {
  /** Of one inference on the CPU; undefined: one for each core. */
  threads?: number;
  /** Which of the GPUs, from 0; of no meaning but for CUDA. */
  gpu?: number;
}

/**
 * Loads a model for one execution provider.
 * @param only fail when the provider does not have all operators of the model; else the CPU runs the others.
 * @throws JobError `user`: what is wrong with the file and what to do.
 */
export async function loadSession(
  model: Uint8Array,
  subject: string,
  { threads, gpu }: Place,
  provider: 'cpu' | 'cuda' | 'webgpu' = 'cpu',
  only = false,
): Promise<ort.InferenceSession> {
  refuseNonModel(model, subject);
  try {
    return await ort.InferenceSession.create(provider === 'cpu' ? widenConvolutions(model) : model, {
      executionProviders: [provider === 'cuda' ? { name: provider, deviceId: gpu } : provider],
      intraOpNumThreads: threads ?? os.availableParallelism(),
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      // Planning the memory of a run ahead takes 2 % more CPU time than reusing what runs before gave back.
      enableMemPattern: false,
      // Spinning threads take the cores from codecs and storage: a sixth less CPU time per frame without.
      extra: { session: { intra_op: { allow_spinning: '0' }, ...(only && { disable_cpu_ep_fallback: '1' }) } },
      // What fails is thrown; the warnings about unusual models are noise.
      logSeverityLevel: 4,
    });
  } catch (cause) {
    throw loadFailure(cause, subject);
  }
}

export function signatureOf(session: ort.InferenceSession): ModelSignature {
  return { inputs: session.inputMetadata.map(tensorOf), outputs: session.outputMetadata.map(tensorOf) };
}

function tensorOf(metadata: ort.InferenceSession.ValueMetadata): TensorSignature {
  if (!metadata.isTensor) return { name: metadata.name, type: 'no tensor', shape: [] };
  return { name: metadata.name, type: metadata.type, shape: [...metadata.shape] };
}
