/** Where the containers of a job run; each has its folder in src/compute. */
export const COMPUTE_KINDS = ['local', 'aci', 'container-apps'] as const;
export type ComputeKind = (typeof COMPUTE_KINDS)[number];

/** Whether a container gets a GPU; `prefer`: only where the compute has one. */
export const GPU_CHOICES = ['none', 'prefer', 'require'] as const;
export type GpuChoice = (typeof GPU_CHOICES)[number];

/** What a model runs on: an execution provider of ONNX Runtime; `auto`: the best one that the machine has. */
export const DEVICES = ['auto', 'cpu', 'cuda', 'webgpu'] as const;
export type Device = (typeof DEVICES)[number];

/** What memory a job may ask for in a container. */
export const [LEAST_MEMORY_GB, MOST_MEMORY_GB] = [0.5, 240];

/** One way to run the containers of a job. */
export interface ComputeChoice {
  kind: ComputeKind;
  /** One of the regions that the app may use; absent: any of them. Only of `aci`. */
  region?: string | undefined;
  gpu?: GpuChoice | undefined;
  device?: Device | undefined;
  memoryGb?: number | undefined;
}

/** What a fallback says of itself. */
export type FallbackChoice = Partial<ComputeChoice>;

/** The compute of a job, and what it turns to where that has no room. */
export interface ComputeList extends ComputeChoice {
  fallback?: FallbackChoice[] | undefined;
  /** How long a batch waits for room on one of them before it turns to the next. */
  fallbackAfterSeconds?: number | undefined;
}

const FALLBACK_AFTER_SECONDS = 300;

export function fillFallback(list: ComputeList): ComputeList {
  const { fallback = [], fallbackAfterSeconds = FALLBACK_AFTER_SECONDS, ...first } = list;
  return fallback.length === 0 ? first : { ...first, fallback, fallbackAfterSeconds };
}

/** Each of them is waited for: with more, a batch would be at the end of its patience before it has tried all. */
export const MOST_FALLBACKS = 4;

const needsGpu = (device: Device | undefined) => device === 'cuda' || device === 'webgpu';

/**
 * The computes of a job in the order in which it tries them. A fallback is like the first but for what it says itself and the region, where none
 * means any; device and GPU go together.
 */
export function choicesOf({ fallback = [], ...list }: ComputeList): ComputeChoice[] {
  const { kind, region, gpu, device, memoryGb } = list;
  const others = fallback.map((own) => {
    const asFirst = own.gpu === undefined && own.device === undefined;
    return matchDevice<ComputeChoice>({
      kind: own.kind ?? kind,
      region: own.region,
      gpu: asFirst ? gpu : own.gpu,
      device: asFirst ? device : own.device,
      memoryGb: own.memoryGb ?? memoryGb,
    });
  });
  return [{ kind, region, gpu, device, memoryGb }, ...others];
}

/** A compute in words, e.g. `aci in westeurope`. */
export const nameOfChoice = ({ kind, region }: Pick<ComputeChoice, 'kind' | 'region'>): string =>
  region === undefined ? kind : `${kind} in ${region}`;

/** What is wrong with a job's list of computes: where, below `compute`, and what, as the end of a sentence; undefined when nothing is. */
export function listProblem(list: ComputeList): { path: (string | number)[]; message: string } | undefined {
  const { fallback, fallbackAfterSeconds } = list;
  if (fallbackAfterSeconds !== undefined && (fallback ?? []).length === 0)
    return { path: ['fallbackAfterSeconds'], message: 'is for a "compute.fallback"; leave it out' };
  const choices = choicesOf(list);
  for (const [index, choice] of choices.entries()) {
    const path = index === 0 ? [] : ['fallback', index - 1];
    const wrong = computeProblem(choice);
    if (wrong !== undefined) return { path, message: wrong };
    const same = choices.slice(0, index).findIndex((earlier) => covers(earlier, choice));
    if (same === -1) continue;
    const where = same === 0 ? 'compute' : `compute.fallback.${same - 1}`;
    return { path, message: `asks for nothing that "${where}" does not try already; leave it out` };
  }
  return undefined;
}

/** Whether a compute that has no room leaves none for the other either: the same one, or one of its regions. */
const covers = (earlier: ComputeChoice, later: ComputeChoice) =>
  earlier.kind === later.kind &&
  (earlier.region === undefined || earlier.region === later.region) &&
  (earlier.gpu ?? 'none') === (later.gpu ?? 'none') &&
  earlier.device === later.device &&
  earlier.memoryGb === later.memoryGb;

/** What is wrong with the choice of one compute; undefined when nothing is. */
function computeProblem({ kind, region, gpu, device }: ComputeChoice): string | undefined {
  if (region !== undefined && kind !== 'aci')
    return `has a "region", which is for "aci"; leave it out for "${kind}", which is where it is`;
  if ((gpu === 'require' || gpu === 'prefer') && device === 'cpu')
    return `has a "gpu" of "${gpu}" and a "device" of "cpu"; leave one of them out`;
  if (gpu === 'none' && needsGpu(device) && kind !== 'local')
    return `has a "gpu" of "none" and a "device" of "${device}"; leave one of them out`;
  return undefined;
}

/**
 * Requires a GPU for a device that needs one, except on `local`, where the machine has one or not, so that a GPU which is required there is
 * used by asking for CUDA. Elsewhere the compute tells the container that it has a GPU.
 */
export function matchDevice<T extends ComputeChoice>(compute: T): T {
  const { kind, gpu, device } = compute;
  if (kind === 'local' && gpu === 'require' && (device === undefined || device === 'auto'))
    return { ...compute, device: 'cuda' };
  if (needsGpu(device) && kind !== 'local') return { ...compute, gpu: 'require' };
  return compute;
}
