import os from 'node:os';
import ort from 'onnxruntime-node';
import { type ModelSignature, NO_TENSOR, type TensorSignature } from '../../model-card/signature.js';
import { JobError, messageOf } from '../../job/failure.js';
import { externalFiles } from '../onnx/external-data.js';
import type { Outputs } from '../outputs/read-output.js';

export interface Place {
  /** Threads of one inference on the CPU; undefined: one for each core. */
  threads?: number;
  /** Number of the GPU, from 0; only CUDA uses it. Left out: 0. */
  gpu?: number;
}

/**
 * Loads a model for one execution provider.
 * @param only fails when the provider lacks operators of the model; otherwise the CPU runs those.
 * @throws JobError `user`: what is wrong with the file and what to do.
 */
export async function loadSession(
  model: Uint8Array,
  subject: string,
  { threads, gpu = 0 }: Place,
  provider: 'cpu' | 'cuda' | 'webgpu' = 'cpu',
  only = false,
): Promise<ort.InferenceSession> {
  refuseNonModel(model, subject);
  try {
    return await ort.InferenceSession.create(model, {
      executionProviders: [provider === 'cuda' ? { name: provider, deviceId: gpu } : provider],
      intraOpNumThreads: threads ?? os.availableParallelism(),
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      // Planning the memory of a run ahead takes 2 % more CPU time than reusing the memory of earlier runs.
      enableMemPattern: false,
      // Threads that spin take the cores from codecs and storage; without them a frame takes a sixth less CPU time.
      extra: { session: { intra_op: { allow_spinning: '0' }, ...(only && { disable_cpu_ep_fallback: '1' }) } },
      // Failures are thrown; warnings about unusual models are noise.
      logSeverityLevel: 4,
    });
  } catch (cause) {
    throw loadFailure(cause, subject);
  }
}

/** @throws JobError `item`: the model cannot be run on these inputs; `user`: not on this device; `attempt`: the GPU is of no more use. */
export async function runSession(
  session: ort.InferenceSession,
  feeds: Outputs,
  /** Names of the outputs wanted, or the tensors that take them. */
  fetches: string[] | Outputs,
): Promise<Outputs> {
  let given: ort.InferenceSession.OnnxValueMapType;
  try {
    given = Array.isArray(fetches) ? await session.run(feeds, fetches) : await session.run(feeds, fetches);
  } catch (cause) {
    throw runFailure(messageOf(cause), cause);
  }
  const outputs: Outputs = {};
  for (const [name, value] of Object.entries(given)) if ('dims' in value) outputs[name] = value;
  return outputs;
}

export function signatureOf(session: ort.InferenceSession): ModelSignature {
  return { inputs: session.inputMetadata.map(tensorOf), outputs: session.outputMetadata.map(tensorOf) };
}

function tensorOf(metadata: ort.InferenceSession.ValueMetadata): TensorSignature {
  if (!metadata.isTensor) return { name: metadata.name, type: NO_TENSOR, shape: [] };
  return { name: metadata.name, type: metadata.type, shape: [...metadata.shape] };
}

/**
 * Refuses files that are certainly no ONNX model, and models that would have the runtime read files of this machine, before the runtime
 * sees them.
 * @param subject what sentences call the model, e.g. `The model "candy"`.
 * @throws JobError `user`.
 */
function refuseNonModel(bytes: Uint8Array, subject: string): void {
  if (bytes.byteLength === 0) throw new JobError('user', `${subject} is an empty file: export or download it again.`);
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 256))
    .toString('latin1')
    .trimStart();
  if (/^(?:\xEF\xBB\xBF)?\s*<(?:!doctype|html|\?xml|head|!--)/i.test(start)) {
    throw new JobError(
      'user',
      `${subject} is a web page and no ONNX model: download the file itself, not the page that shows it.`,
    );
  }
  if (start.startsWith('version https://git-lfs')) {
    throw new JobError(
      'user',
      `${subject} is a Git LFS pointer and not the model itself: fetch it with "git lfs pull".`,
    );
  }
  const [file, ...more] = externalFiles(bytes);
  if (file !== undefined) {
    const files = `"${file.slice(0, 100)}"${more.length > 0 ? ` and ${more.length} more` : ''}`;
    throw new JobError(
      'user',
      `${subject} keeps its weights in other files (${files}): join them with "models join" and upload that one, or name the model to the command "score", which does so itself.`,
    );
  }
}

/** The `user` failure for what ONNX Runtime said when it could not load a model. */
function loadFailure(cause: unknown, subject: string): JobError {
  return new JobError('user', `${subject} ${explain(messageOf(cause))}`, { cause });
}

function explain(message: string): string {
  if (/protobuf parsing failed|does not have a graph/i.test(message)) {
    return 'is cut off or no ONNX model: export or download it again.';
  }
  if (/Missing opset in the model|No Op registered for \S+ with domain_version of 0\b/i.test(message)) {
    return "says no version of ONNX's operators (opset): export it again, and name the opset to the exporter.";
  }
  const unfit = /Could not find an implementation for ([\w.]+)/.exec(message)?.[1];
  if (unfit !== undefined) {
    return `uses the operator ${unfit} in a version or with a type that ONNX Runtime does not have: export it with another opset, or without that operator.`;
  }
  const unknown =
    /No Op registered for (\S+)/.exec(message) ?? /(\S+)\(-?\d+\) is not a registered function\/op/.exec(message);
  if (unknown?.[1] !== undefined) {
    return `uses the operator ${unknown[1]}, which ONNX Runtime does not have: export it without that operator.`;
  }
  if (/unsupported model IR version|opset \d+ is under development|official support for domain/i.test(message)) {
    return 'is newer than this ONNX Runtime: export it with an older opset.';
  }
  if (/ShapeInferenceError|TypeInferenceError|Type Error|Invalid model|This is an invalid model/i.test(message)) {
    const operator = /Op(?:type)? \((\w+)\)/.exec(message)?.[1];
    return `is not consistent${operator === undefined ? '' : ` in its operator ${operator}`}: export it again, perhaps with another opset.`;
  }
  return `cannot be loaded by ONNX Runtime: ${shorten(message)}`;
}

/** Numbers of `cudaError_t` after which CUDA refuses all further work of a process, and what WebGPU calls the same. */
const BROKEN_GPU = /CUDA failure (?:4|46|214|220|700|702|709|710|71[4-9]|999):|device (?:is |was )?lost\b/i;

/** Whose failure it is when a run failed, from what ONNX Runtime says of it. */
export function runFailure(message: string, cause?: unknown): JobError {
  if (/cuDNN (?:is not available|is unavailable|library was not found)/i.test(message))
    return new JobError(
      'user',
      'The device cuda cannot run the model without cuDNN: install cuDNN 9 for the CUDA that is installed, or ask for another device.',
      { cause },
    );
  if (BROKEN_GPU.test(message)) return new JobError('attempt', `The GPU failed: ${shorten(message)}.`, { cause });
  return new JobError('item', `the model failed: ${explainRun(message)}`, { cause });
}

/** What a user can do about a run that failed, from what ONNX Runtime says of it. */
export function explainRun(message: string): string {
  // `raw_hash_map` is what ONNX Runtime 1.30 says with WebGPU of a picture of 66 million pixels.
  if (/failed to allocate|bad_alloc|out of memory|insufficient memory|ALLOC_FAILED|raw_hash_map/i.test(message))
    return 'it needs more memory than there is: score smaller pictures ("input.size.longestSide" in the model card) or tiles ("input.size.tiles")';
  const other = /invalid dimensions for input[\s\S]*?index: (\d+) Got: (\d+) Expected: (\d+)/i.exec(message);
  if (other)
    return `it takes ${other[3]} where it got ${other[2]} (in dimension ${other[1]}): correct "input.size" in the model card`;
  if (/input channels c is not equal|kernel channels|channel/i.test(message))
    return 'it takes another number of channels: correct "channels" or "layout" of the input in the model card';
  const sizes =
    /mismatched dimensions|dimensions must match|broadcast|cannot be reshaped|invalid input shape|pad reflect|reflect|negative dim|shape mismatch|incompatible dimensions|dimension/i;
  if (sizes.test(message))
    return 'it does not take pictures of this size: say in the model card which it takes, with "input.size.multipleOf" (32 suits most), "minimum" or "fixed"';
  const operator = /while running (\w+) node/i.exec(message)?.[1];
  return `${operator === undefined ? '' : `in its operator ${operator}: `}${shorten(message)}`;
}

/** The message of ONNX Runtime without paths of the model and of its own source code, which tell a user nothing. */
export function shorten(message: string): string {
  // A call of CUDA's own, which is followed by the name of the machine and the place in the source code.
  const [, call] = /\b((?:CUDA|CUDNN|CUBLAS|CURAND|CUFFT)\w* failure -?\d+: .*?)\s*; GPU=/.exec(message) ?? [];
  if (call !== undefined) return call;
  const plain = message
    .replace(/^Load model from .*? failed:/, '')
    .replace(/^.*Status Message: /, '')
    .replace(/(?:\/onnxruntime_src\/)?\S+\.(?:cc|h|cpp|hpp|cu):\d+ (?:.*?\) |\S+ )?/g, '')
    .replace(/^.* was false\. /, '')
    .trim();
  return plain.length > 300 ? `${plain.slice(0, 300)}…` : plain;
}
