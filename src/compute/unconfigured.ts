import { JobError } from '../job/failure.js';
import type { ComputeProvider } from './provider.js';

/** Stands for a compute that this app has no settings for: it refuses jobs with the sentence that names them. */
export function createUnconfigured(sentence: string): ComputeProvider {
  const refuse = () => Promise.reject(new JobError('user', sentence));
  return {
    poll: { minSeconds: 1, maxSeconds: 1 },
    preflight: refuse,
    launch: refuse,
    observe: refuse,
    logs: refuse,
    remove: refuse,
    list: () => Promise.resolve([]),
  };
}
