import diagnostics from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { DISK_FULL } from '../job/failure.js';
import type { Storage } from './storage.js';

/**
 * Watches the requests that write to storage, and says in one sentence why they are refused at the moment; undefined while they are not.
 * The SDK repeats such requests for a while before their sender hears of it.
 */
export function watchRefusals({ media, internal }: Pick<Storage, 'media' | 'internal'>): () => string | undefined {
  const hosts = new Set([media.url, internal.url].map((url) => new URL(url).host));
  let refusal: string | undefined;
  diagnostics.subscribe('http.client.response.finish', (message) => {
    const { request, response } = message as { request: ClientRequest; response: IncomingMessage };
    if (request.method === 'GET' || request.method === 'HEAD' || !hosts.has(String(request.getHeader('host')))) return;
    const { statusCode = 0, headers } = response;
    const code = headers['x-ms-error-code'];
    refusal = statusCode < 500 ? undefined : sentence(statusCode, typeof code === 'string' ? code : undefined);
  });
  return () => refusal;
}

function sentence(status: number, code: string | undefined): string {
  if (code === DISK_FULL)
    return 'The disk of the local storage is full: free some space, and the job goes on. With "output.frameFormat": "png" (--frame-format png) the frames of a video take about half as much.';
  return `Storage cannot be written now (HTTP ${status}${code === undefined ? '' : ` ${code}`}); the job goes on when it can.`;
}
