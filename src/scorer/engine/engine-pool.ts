import { readdirSync } from 'node:fs';
import os from 'node:os';
import { Engine, type Hearing } from './engine.js';
import type { FrameRequest, LoadRequest, ScoredFrames } from './engine-protocol.js';

export interface Crew {
  /** Sessions that run side by side; undefined: one for each GPU where GPUs run the model, else one. */
  sessions: number | undefined;
  /** GPUs that CUDA can see, from `countGpus`. */
  gpus: number;
}

/** Engines that share the frames of a scorer; each has its own session in its own thread. */
export class EnginePool {
  #busy = 0;
  readonly #newEngine = () =>
    new Engine((isBusy, since) => {
      this.#busy += isBusy ? 1 : -1;
      this.heard(this.#busy / this.size, since);
    });
  /** Its thread loads the inference runtime from the start. */
  readonly #first = this.#newEngine();
  #engines = [this.#first];

  /**
   * @param heard gets the share of the engines that have frames to score whenever it changes, and since when it is so, in milliseconds
   * since the process started: where this thread is busy, that is some time ago.
   */
  constructor(private readonly heard: (busy: number, since: number) => void = () => undefined) {}

  /**
   * The model's bytes move to the engines: the caller's array is empty afterwards. Sessions on GPUs are spread over the GPUs.
   * @returns the execution provider in use, and the number of sessions where there are several.
   * @throws JobError `user`: as `Engine.load`, and when a further session cannot use its device.
   */
  async load(request: Omit<LoadRequest, 'kind' | 'gpu'>, { sessions, gpus }: Crew): Promise<string> {
    const most = sessions ?? gpus;
    // Copied, where there are several, and not sliced: a slice of a Buffer is moved with the Buffer.
    const { model } = request;
    // Several sessions on the CPU share its cores.
    const threads = request.threads ?? (sessions && Math.max(1, Math.floor(os.availableParallelism() / sessions)));
    const device = await this.#first.load({
      ...request,
      threads,
      model: most > 1 ? new Uint8Array(model) : model,
      gpu: 0,
    });
    const count = countSessions(device, { sessions, gpus });
    if (count <= 1) return device;
    const others = Array.from({ length: count - 1 }, this.#newEngine);
    this.#engines.push(...others);
    // All sessions run on what runs the first one.
    const provider = device.startsWith('cuda') ? 'cuda' : 'cpu';
    const loads = others.map((engine, index) =>
      engine.load({
        ...request,
        threads,
        device: provider,
        model: new Uint8Array(model),
        gpu: (index + 1) % Math.max(gpus, 1),
      }),
    );
    await Promise.all(loads);
    return `${device}, ${count} sessions`;
  }

  get size(): number {
    return this.#engines.length;
  }

  /** How often a frame came to an engine that was idle. */
  get starved(): number {
    return this.#engines.reduce((sum, { starved }) => sum + starved, 0);
  }

  /** The engine with the least to do scores the frames; see `Engine.score`. */
  score(frames: FrameRequest[], hearing?: Hearing): Promise<ScoredFrames> {
    const free = this.#engines.reduce((one, other) => (other.waiting < one.waiting ? other : one));
    return free.score(frames, hearing);
  }

  /** Closes all engines; see `Engine.close`. */
  async close(): Promise<void> {
    await Promise.all(this.#engines.map((engine) => engine.close()));
  }
}

/**
 * How many sessions run a model.
 * @param device what runs the first one, as `Engine.load` gives it.
 */
export function countSessions(device: string, { sessions, gpus }: Crew): number {
  // ONNX Runtime has one WebGPU device for the whole process, and a second session on it brings the process down.
  if (device.startsWith('webgpu')) return 1;
  return sessions ?? (device.startsWith('cuda') ? Math.max(gpus, 1) : 1);
}

/**
 * How many GPUs CUDA can use here; it numbers them from 0.
 * @param visible the value of CUDA_VISIBLE_DEVICES: indices or ids; CUDA ignores the first wrong one and all that follow it.
 * @param devices file names in `/dev` (Linux); a container sees only those of its own GPUs.
 */
export function countGpus(visible: string | undefined, devices: string[] = deviceFiles()): number {
  const present = devices.filter((name) => /^nvidia\d+$/.test(name)).length;
  if (visible === undefined) return present;
  const listed = visible.split(',').map((id) => id.trim());
  const wrong = listed.findIndex((id) => !isDevice(id, present));
  return wrong === -1 ? listed.length : wrong;
}

function isDevice(id: string, present: number): boolean {
  return /^\d+$/.test(id) ? Number(id) < present : /^(GPU|MIG)-/.test(id);
}

function deviceFiles(): string[] {
  try {
    return readdirSync('/dev');
  } catch {
    return [];
  }
}
