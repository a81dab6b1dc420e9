import { z } from 'zod';
import { JobError } from '../../job/failure.js';

const isLocal = (url: string) => ['127.0.0.1', '[::1]', 'localhost'].includes(new URL(url).hostname);

/** Address of Azure Resource Manager. */
export const armEndpoint = z
  .url('must be a URL')
  .refine((url) => url.startsWith('https://') || isLocal(url), 'must begin with https:// unless it is on this machine')
  .default('https://management.azure.com');

export const image = z.string().regex(/^[^\s]+$/, 'must name an image as in example.azurecr.io/scorer:1.0');
export const groupName = z.string().regex(/^[-\w.()]{1,90}$/, 'must be the name of a resource group');
export const resourceId = z
  .string()
  .startsWith('/subscriptions/', 'must be a resource id that starts with /subscriptions/');

/** Only the settings that are set to something. */
export const withoutEmpty = (environment: NodeJS.ProcessEnv) =>
  Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));

/** @throws JobError `user` that names the setting which is missing or wrong. */
export function parseSettings<T>(schema: z.ZodType<T>, set: NodeJS.ProcessEnv): T {
  const result = schema.safeParse(set);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const name = String(issue?.path[0]);
  const problem = set[name] === undefined ? 'is missing' : (issue?.message ?? 'is wrong');
  throw new JobError('user', `The setting ${name} ${problem}.`, { cause: result.error });
}
