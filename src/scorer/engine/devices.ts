import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import ort from 'onnxruntime-node';
import type { Device } from '../../job/compute-choice.js';
import { JobError, messageOf } from '../../job/failure.js';
import { loadSession, type Place, shorten } from './session.js';

/** Which ONNX Runtime's CUDA library loads when it first needs it. */
const CUDNN = 'libcudnn.so.9';

type Accelerator = Exclude<Device, 'auto' | 'cpu'>;

export interface DeviceSession {
  session: ort.InferenceSession;
  /** What runs the model, e.g. `cpu`, `cuda`, or `webgpu and cpu` where the device does not have all operators. */
  device: string;
}

/**
 * Loads a model for the device that the job asks for. `auto` is CUDA where it can be used, else the CPU; WebGPU runs only on
 * request, because nothing tells whether its driver is software, slower than the CPU.
 * @param loadOnCpu makes the session where no accelerator runs the model.
 * @throws JobError `user`: the model cannot be loaded, or the device cannot be used, with the reason.
 */
export async function loadOnDevice(
  model: Uint8Array,
  subject: string,
  device: Device,
  place: Place = {},
  loadOnCpu = () => loadSession(model, subject, place),
): Promise<DeviceSession> {
  const cpu = async () => ({ session: await loadOnCpu(), device: 'cpu' });
  if (device === 'cpu') return cpu();
  if (device === 'auto') return missingParts('cuda') === undefined ? tryCuda(model, subject, cpu, place) : cpu();
  const missing = missingParts(device);
  if (missing !== undefined) throw unavailable(device, missing);
  try {
    return await accelerate(model, subject, device, place);
  } catch (cause) {
    // When the CPU refuses the model too, the model is at fault, and this throws its error.
    await (await cpu()).session.release();
    throw unavailable(device, reasonOf(cause), cause);
  }
}

async function tryCuda(
  model: Uint8Array,
  subject: string,
  cpu: () => Promise<DeviceSession>,
  place: Place,
): Promise<DeviceSession> {
  const onCpu = async (reason: string) => {
    const { session, device } = await cpu();
    return { session, device: `${device} (no cuda: ${reason})` };
  };
  const missing = missingCudnn();
  if (missing !== undefined) return onCpu(missing);
  try {
    return await accelerate(model, subject, 'cuda', place);
  } catch (cause) {
    return onCpu(reasonOf(cause));
  }
}

/** Runs all operators on the device; where it does not have them all, the CPU runs the others. */
async function accelerate(
  model: Uint8Array,
  subject: string,
  device: Accelerator,
  place: Place,
): Promise<DeviceSession> {
  try {
    return { session: await loadSession(model, subject, place, device, true), device };
  } catch (error) {
    if (!/fallback to CPU|CPU EP/i.test(causeOf(error))) throw error;
    return { session: await loadSession(model, subject, place, device), device: `${device} and cpu` };
  }
}

/** Why a device certainly cannot be used here; undefined when one has to try. */
function missingParts(device: Accelerator): string | undefined {
  if (!ort.listSupportedBackends().some(({ name }) => name === device))
    return 'this build of ONNX Runtime has no such execution provider';
  if (device !== 'cuda') return undefined;
  const library = cudaProvider();
  if (existsSync(library)) return undefined;
  return `${path.basename(library)} is not installed beside ONNX Runtime; it comes with "ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js"`;
}

/** ONNX Runtime's library for CUDA, which its npm package does not contain. */
function cudaProvider(): string {
  const { platform, arch } = process;
  const folder = path.dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  return path.join(folder, `bin/napi-v6/${platform}/${arch}/libonnxruntime_providers_cuda.so`);
}

function unavailable(device: Accelerator, reason: string, cause?: unknown): JobError {
  return new JobError('user', `The device ${device} was asked for and cannot be used: ${reason}.`, { cause });
}

function causeOf(error: unknown): string {
  return messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error);
}

function reasonOf(error: unknown): string {
  const said = causeOf(error);
  if (!/failed to load shared library/i.test(said)) return shorten(said).replace(/[\s.]+$/, '');
  // ONNX Runtime says no more of its CUDA library; the system's loader says what is wrong with it.
  try {
    process.dlopen({ exports: {} }, cudaProvider());
  } catch (cause) {
    return explainLoader(messageOf(cause));
  }
  return said;
}

/** Why there is no cuDNN, without which a model with convolutions loads and then fails with every picture; undefined when there is. */
function missingCudnn(): string | undefined {
  try {
    process.dlopen({ exports: {} }, CUDNN);
  } catch (error) {
    // A library that does load is no module of Node's, which is an error, too.
    const message = messageOf(error);
    if (message.startsWith(`${CUDNN}: cannot open`)) return explainLoader(message);
  }
  return undefined;
}

/** What is missing when the system's loader (dlopen of Linux) does not load ONNX Runtime's CUDA library. */
export function explainLoader(message: string): string {
  const [, library] = /\b(lib[\w.+-]+): cannot open shared object file/.exec(message) ?? [];
  if (library === undefined) return message;
  if (library.startsWith('libcuda.so')) return `there is no NVIDIA driver here (${library})`;
  const cuda = /\.so\.(\d+)$/.exec(library)?.[1];
  const needed = /cudart|cublas/.test(library) && cuda !== undefined ? `, which belongs to CUDA ${cuda}` : '';
  return `ONNX Runtime's CUDA library needs ${library}${needed}, and it is not installed here`;
}
