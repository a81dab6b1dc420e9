import { z } from 'zod';

/** A number of the settings; `error` speaks for what is no number, too small or too large. */
export function number(fallback: number, least: number, most: number) {
  const error = `must be a number from ${least} to ${most}`;
  return z.coerce.number({ error }).min(least, error).max(most, error).default(fallback);
}

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

/** Seconds after which the app gives up a request to Azure Resource Manager. */
export const requestSeconds = number(60, 1, 600);

/** Seconds between two looks at a container, at least. */
export const pollSeconds = number(5, 0.1, 60);
/** The longest pause between two looks at a container, in seconds. */
const LONGEST_POLL = 60;

export const pollBounds = (settings: { pollSeconds: number }) => ({
  minSeconds: settings.pollSeconds,
  maxSeconds: LONGEST_POLL,
});
