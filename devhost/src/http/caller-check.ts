import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

/** Names that a page on the internet cannot point at another address. */
const isLoopback = (name: string) =>
  name === 'localhost' || name.endsWith('.localhost') || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name);

const isAddress = (name: string) => isIP(name) !== 0 || (name.startsWith('[') && isIP(name.slice(1, -1)) === 6);

/**
 * Why a request is refused, in one sentence; undefined when it may pass. The host asks for no keys, so that every page which a browser on
 * this machine shows could send it orders: by a request to its address, or under a name of its own that it points at this machine (DNS
 * rebinding). Browsers tell both apart by `Origin`, `Sec-Fetch-Site` and `Host`; other programs send no `Origin`.
 * @param host the value of the header `Host`, its name in lower case.
 * @param listening the address or name that the host was told to listen on. Beyond loopback, callers may use any address, which no page
 * can take over, and that name.
 */
export function refusalOf(headers: IncomingHttpHeaders, host: URL, listening: string): string | undefined {
  const { hostname } = host;
  const isOpen = !isLoopback(listening) && listening !== '::1';
  const mayBeCalled = isLoopback(hostname) || (isOpen && (isAddress(hostname) || hostname === listening.toLowerCase()));
  if (!mayBeCalled)
    return `This host answers requests to localhost, not to "${hostname}"; use http://localhost, or start it with --host.`;
  const { origin, 'sec-fetch-site': site } = headers;
  const isForeign = origin !== undefined && origin !== host.origin;
  if (isForeign || site === 'cross-site' || site === 'same-site')
    return 'This host takes no requests from pages of other origins; send them from a program, or from a page of the app itself.';
  return undefined;
}
