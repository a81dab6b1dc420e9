import diagnostics from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';

/** Storage itself ends whatever takes longer than half a minute. */
const SILENT_MS = 40_000;

/**
 * From now on no request to storage waits for good where the other side is gone without a word: neither Node nor the SDK gives one up, and
 * the SDK repeats what fails so.
 */
export function giveUpSilentRequests(): void {
  diagnostics.subscribe('http.client.request.start', (message) => {
    const { request } = message as { request: ClientRequest };
    request.setTimeout(SILENT_MS, () => {
      const sentence = `${request.host} said nothing for ${SILENT_MS / 1000} seconds, so the request was given up.`;
      request.destroy(Object.assign(new Error(sentence), { code: 'ETIMEDOUT' }));
    });
  });
}
