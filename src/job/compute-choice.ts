/** Where the containers of a job run; each has its folder in src/compute. */
export const COMPUTE_KINDS = ['local', 'aci', 'container-apps'] as const;
export type ComputeKind = (typeof COMPUTE_KINDS)[number];

/** Whether a container gets a GPU; `prefer`: only where the compute has one. */
export const GPU_CHOICES = ['none', 'prefer', 'require'] as const;
export type GpuChoice = (typeof GPU_CHOICES)[number];

/** What a model runs on: an execution provider of ONNX Runtime; `auto`: the best one that the machine has. */
export const DEVICES = ['auto', 'cpu', 'cuda', 'webgpu'] as const;
export type Device = (typeof DEVICES)[number];

interface ComputeChoice {
  kind: ComputeKind;
  gpu?: GpuChoice;
  device?: Device;
}

const needsGpu = (device: Device | undefined) => device === 'cuda' || device === 'webgpu';

/** What is wrong with the choice of GPU and device; undefined when nothing is. */
export function computeProblem({ kind, gpu, device }: ComputeChoice): string | undefined {
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
