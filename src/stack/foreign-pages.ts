import { EventEmitter } from 'node:events';
import { type IncomingMessage, Server, ServerResponse } from 'node:http';

const FORBIDDEN = 403;

/** Names that a page on the internet cannot point at another address. */
const isLoopback = (name: string) =>
  name === 'localhost' || name.endsWith('.localhost') || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name);

const nameIn = (url: string) => (URL.canParse(url) ? new URL(url).hostname : '');

/**
 * Whether a page from elsewhere may have sent a request. Everybody knows the key of Azurite: such a page can sign requests to this machine,
 * and to a name of its own that it points at this machine (DNS rebinding), which Azurite would take for the account of that name. A browser
 * names the page in `Origin` wherever something is changed, and in `Host` what the page asked for. Pages of this machine may upload.
 */
export function isFromElsewhere({ headers: { host = '', origin } }: Pick<IncomingMessage, 'headers'>): boolean {
  return !isLoopback(nameIn(`http://${host}`)) || (origin !== undefined && !isLoopback(nameIn(origin)));
}

/** From now on, no server of this process hands on what a page from elsewhere may have sent. */
export function refuseForeignPages(): void {
  Object.assign(Server.prototype, {
    emit(this: Server, event: string, ...rest: unknown[]): boolean {
      const [request, response] = rest as [IncomingMessage, unknown];
      if (event !== 'request' || !(response instanceof ServerResponse) || !isFromElsewhere(request))
        return EventEmitter.prototype.emit.call(this, event, ...rest);
      response.writeHead(FORBIDDEN, { 'content-type': 'text/plain', connection: 'close' });
      response.end('This storage answers programs and pages of this machine alone.');
      return true;
    },
  });
}
