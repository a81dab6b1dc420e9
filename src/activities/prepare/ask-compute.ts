import { type ComputeChoice, choicesOf, nameOfChoice } from '../../job/compute-choice.js';
import { JobError, messageOf } from '../../job/failure.js';
import type { JobSpec } from '../../job/spec.js';
import type { ResolvedCompute, ResolvedJob } from '../../job-store/resolved-job.js';
import type { Preflight } from '../../compute/provider.js';
import type { Ports } from '../ports.js';

/** What all computes of a job together say of it. */
export interface JobPreflight extends Pick<Preflight, 'maxParallel' | 'warnings' | 'provisionSeconds'> {
  /** For its record. */
  found: Pick<ResolvedJob, 'gpu' | 'memory' | 'size' | 'computes'>;
}

/**
 * Asks each compute of a job. One that is set up and never has room for it is left out, with a warning, while another one has.
 * @throws JobError when any cannot be used, or none has room.
 */
export async function askCompute({ compute }: Ports, spec: JobSpec): Promise<JobPreflight> {
  const { maxParallel } = spec.batch;
  const choices = choicesOf(spec.compute);
  const ask = ({ kind, region, gpu, memoryGb }: ComputeChoice) =>
    compute[kind].preflight({ maxParallel, region, gpu, memoryGb });
  const [first = spec.compute, ...fallbacks] = choices;
  if (fallbacks.length === 0) {
    const { gpu, memory, size, ...told } = await ask(first);
    return { ...told, found: { gpu, memory, size } };
  }
  const asked = await Promise.all(choices.map((choice, index) => askOne(choice, index, ask)));
  const usable = asked.flatMap((each) => (each instanceof JobError ? [] : [each]));
  const refusals = asked.flatMap((each) => (each instanceof JobError ? [each] : []));
  const [best] = usable;
  if (!best) throw new JobError('user', refusals.map(messageOf).join(' '));
  const left = refusals.map((refusal) => `${messageOf(refusal).replace(/\.$/, '')}; the job does without it.`);
  return {
    maxParallel: Math.max(...usable.map(({ preflight }) => preflight.maxParallel)),
    warnings: [...left, ...usable.flatMap(({ preflight }) => preflight.warnings)],
    provisionSeconds: Math.max(...usable.map(({ preflight }) => preflight.provisionSeconds ?? 0)),
    found: {
      gpu: best.resolved.gpu,
      memory: best.resolved.memory,
      size: best.resolved.size,
      computes: usable.map(({ resolved }) => resolved),
    },
  };
}

/** Names the compute in all that it says. @returns its refusal when it never has room. */
async function askOne(
  choice: ComputeChoice,
  index: number,
  ask: (choice: ComputeChoice) => Promise<Preflight>,
): Promise<{ resolved: ResolvedCompute; preflight: Preflight } | JobError> {
  const name = `${index === 0 ? 'compute' : `compute.fallback.${index - 1}`} (${nameOfChoice(choice)})`;
  const { kind, region, device } = choice;
  try {
    const preflight = await ask(choice);
    const warnings = preflight.warnings.map((warning) => `${name}: ${warning}`);
    const { gpu, memory, size } = preflight;
    return { resolved: { kind, region, device, gpu, memory, size }, preflight: { ...preflight, warnings } };
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    const { blame, message, retryAfterSeconds, noRoom } = error;
    const named = new JobError(blame, `${name}: ${message}`, { cause: error, retryAfterSeconds, noRoom });
    if (blame === 'user' && noRoom) return named;
    throw named;
  }
}

/** The longest times of a job, as the compute needs them. */
export const patient = ({ timeouts }: JobSpec, { provisionSeconds = 0 }: Pick<Preflight, 'provisionSeconds'>) => ({
  ...timeouts,
  provisionSeconds: Math.max(timeouts.provisionSeconds, provisionSeconds),
});
