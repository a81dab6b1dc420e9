import type { z } from 'zod';
import { JobError } from './job/failure.js';

/** Names and texts of settings, as the process's environment has them. */
export type Environment = Record<string, string | undefined>;

/** Whether a setting has a value: one that is set to nothing counts as not set. */
export const isSet = (environment: Environment, name: string): boolean =>
  environment[name] !== undefined && environment[name] !== '';

/**
 * Reads the settings that a schema names; one that is set to nothing counts as not set.
 * @param schema an object whose keys are the names of the settings, and whose messages follow them: `must be 1, 2 or 3`.
 * @param what the word for a setting in that sentence.
 * @throws JobError `user`: one sentence that names the setting which is missing or wrong, never its value.
 */
export function readSettings<T>(schema: z.ZodType<T>, environment: Environment, what = 'setting'): T {
  const set = Object.fromEntries(Object.entries(environment).filter(([name]) => isSet(environment, name)));
  const { success, data, error } = schema.safeParse(set);
  if (success) return data;
  const issue = error.issues[0];
  const name = issue?.path.join('.') ?? '';
  const isMissing = !isSet(environment, name) && issue?.code !== 'custom';
  const problem = isMissing ? 'is missing' : (issue?.message ?? 'is wrong');
  throw new JobError('user', `The ${what} ${name} ${problem}.`, { cause: error });
}
