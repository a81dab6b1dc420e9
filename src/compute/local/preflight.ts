import { counted } from '../../job/failure.js';
import type { Preflight, PreflightRequest } from '../provider.js';

const NO_GPU_TO_PREFER =
  'The compute "local" hands out no GPU, so a "compute.gpu" of "prefer" has no effect: containers run on the device that "compute.device" names, by default the best one of this machine.';

const NO_MEMORY_TO_GIVE =
  'The compute "local" sets no limit to the memory of a container, so "compute.memoryGb" has no effect: all share this machine\'s.';

/**
 * One container for each core at most. A GPU that a job requires needs no check here: the job then runs with CUDA, and
 * loading its model on that device, which comes before the first launch, fails without one.
 * @param cores of this machine.
 */
export function preflightLocal({ maxParallel, gpu, memoryGb }: PreflightRequest, cores: number): Preflight {
  const allowed = Math.min(maxParallel ?? cores, cores);
  const warnings = gpu === 'prefer' ? [NO_GPU_TO_PREFER] : [];
  if (memoryGb !== undefined) warnings.push(NO_MEMORY_TO_GIVE);
  if (maxParallel !== undefined && allowed < maxParallel)
    warnings.push(
      `This machine has ${counted(cores, 'core')}, so ${allowed} instead of ${maxParallel} containers run at once.`,
    );
  return { maxParallel: allowed, warnings, size: { cpus: Math.max(1, Math.floor(cores / allowed)) } };
}
