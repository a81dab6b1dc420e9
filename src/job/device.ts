/** Where containers can run; each has its folder in src/compute. */
export const COMPUTE_KINDS = ['local', 'aci', 'container-apps'] as const;
export type ComputeKind = (typeof COMPUTE_KINDS)[number];

/** What a model runs on: an execution provider of ONNX Runtime, or the best one there is. */
export const DEVICES = ['auto', 'cpu', 'cuda', 'webgpu'] as const;
export type Device = (typeof DEVICES)[number];

interface Compute {
  kind: ComputeKind;
  gpu?: 'none' | 'prefer' | 'require';
  device?: Device;
}

const needsGpu = (device: Device | undefined) => device === 'cuda' || device === 'webgpu';

/** What is wrong with the choice of GPU and device; undefined when nothing is. */
export function deviceProblem({ kind, gpu, device }: Compute): string | undefined {
  if (gpu === 'require' && device === 'cpu')
    return 'has a "gpu" of "require" and a "device" of "cpu"; leave one of them out';
  if (gpu === 'none' && needsGpu(device) && kind !== 'local')
    return `has a "gpu" of "none" and a "device" of "${device}"; leave one of them out`;
  return undefined;
}

/** A GPU that is required is used, and a device that needs a GPU requires one where the compute gives them out. */
export function matchDevice<T extends Compute>(compute: T): T {
  const { kind, gpu, device } = compute;
  if (gpu === 'require' && (device === undefined || device === 'auto')) return { ...compute, device: 'cuda' };
  if (needsGpu(device) && kind !== 'local') return { ...compute, gpu: 'require' };
  return compute;
}
