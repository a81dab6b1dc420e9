import { createHmac } from 'node:crypto';
import https from 'node:https';
import { pinnedTo, publicAddressOf } from '../internet/addresses.js';
import { JobError, messageOf } from '../job/failure.js';

/** A notice on its way to a webhook. */
export interface Delivery {
  url: string;
  /** The same whenever it is sent again. */
  id: string;
  secret: string;
  /** JSON. */
  body: string;
}

/**
 * The signature of a webhook, in the header `x-signature`.
 * @param timestamp seconds since the epoch, also in `x-timestamp`: its reader refuses old ones.
 */
export const signatureOf = (secret: string, timestamp: number, body: string): string =>
  `sha256=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;

/** @param now milliseconds since the epoch. */
export function headersOf({ id, secret, body }: Omit<Delivery, 'url'>, now: number): Record<string, string> {
  const timestamp = Math.floor(now / 1000);
  return {
    'content-type': 'application/cloudevents+json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    'user-agent': 'durable-batch-scoring',
    'x-notice-id': id,
    'x-timestamp': String(timestamp),
    'x-signature': signatureOf(secret, timestamp, body),
  };
}

const PATIENCE_MS = 10_000;

/**
 * Sends webhooks. The address is checked and then connected to, so that nothing can change in between; redirects are not followed.
 * @param addressOf finds and checks the address of a host.
 */
export function createWebhooks({
  addressOf = (host: string) => publicAddressOf("The webhook's host", host),
  now = Date.now,
  ca,
}: {
  addressOf?: (host: string) => Promise<string>;
  now?: () => number;
  /** Certificates to trust in place of the usual ones. */
  ca?: string | undefined;
} = {}) {
  /** @throws JobError `user` for what sending again does not change, `platform` for what may pass. */
  return async (delivery: Delivery): Promise<void> => {
    const { host, hostname } = new URL(delivery.url);
    const address = await addressOf(hostname);
    const status = await post(delivery, { address, headers: headersOf(delivery, now()), ca }).catch(
      (cause: unknown) => {
        throw new JobError('platform', `The webhook at ${host} does not answer (${messageOf(cause)}).`, { cause });
      },
    );
    if (status >= 200 && status < 300) return;
    const passes = status === 408 || status === 425 || status === 429 || status >= 500;
    throw new JobError(passes ? 'platform' : 'user', `The webhook at ${host} answered ${status}.`);
  };
}

interface Sending {
  address: string;
  headers: Record<string, string>;
  ca: string | undefined;
}

/** @returns the status of the answer, whose body nobody reads. */
function post({ url, body }: Delivery, { address, headers, ca }: Sending): Promise<number> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const options = { method: 'POST', headers, lookup: pinnedTo(address), signal, agent: false as const, ca };
    const request = https.request(url, options, (response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
    request.on('error', reject);
    request.end(body);
  });
}
