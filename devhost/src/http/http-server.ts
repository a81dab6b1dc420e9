import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { firstLineOf, type Log, UserFault } from '../log.js';
import { refusalOf } from './caller-check.js';

/** The Functions host's limit; FUNCTIONS_REQUEST_BODY_SIZE_LIMIT changes it there as here. */
const DEFAULT_BODY_LIMIT = 104_857_600;

export interface Request {
  method: string;
  /** Absolute, with the host name the caller used. */
  url: URL;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface Answer {
  status: number;
  headers?: Record<string, string | string[]>;
  body?: string | Uint8Array;
}

export type Handler = (request: Request) => Promise<Answer>;

export interface RunningServer {
  port: number;
  /** Stops accepting requests; those under way may end. */
  close(): Promise<void>;
}

/** Listens on the port (0 picks a free one). A port in use is the user's to free. */
export async function listen(host: string, port: number, handler: Handler, log: Log): Promise<RunningServer> {
  const server = createServer((incoming, outgoing) => void serve(incoming, outgoing, { handler, host, log }));
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') {
        reject(new UserFault(`Port ${port} is in use: stop the other program, or choose another port with --port.`));
      } else reject(new UserFault(`Cannot listen on ${host}:${port}: ${error.message}`));
    });
    server.listen(port, host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const force = setTimeout(() => server.closeAllConnections(), 2000);
  await closed;
  clearTimeout(force);
}

interface Serving {
  handler: Handler;
  host: string;
  log: Log;
}

async function serve(incoming: IncomingMessage, outgoing: ServerResponse, serving: Serving): Promise<void> {
  const { log } = serving;
  try {
    const answer = await answerTo(incoming, serving);
    outgoing.writeHead(answer.status, answer.headers);
    outgoing.end(incoming.method === 'HEAD' ? undefined : answer.body);
  } catch (error) {
    log.error(`${incoming.method} ${speakable(incoming.url)}: ${firstLineOf(error)}`);
    if (!outgoing.headersSent) outgoing.writeHead(500);
    outgoing.end();
  }
}

/** A request's path without its secrets: keys in the query, and what keeps others from the door of the app's own client. */
function speakable(target = '/'): string {
  return (target.split('?')[0] ?? '').replace(/^(\/runtime\/rpc\/durabletask\/)[^/]{40,}/, '$1…');
}

async function answerTo(incoming: IncomingMessage, { handler, host }: Serving): Promise<Answer> {
  const { headers, method = 'GET' } = incoming;
  const url = urlOf(incoming);
  if (!url) return refuse(400, 'The header "Host" or the path of the request is not valid.');
  const refusal = refusalOf(headers, url, host);
  if (refusal !== undefined) return refuse(403, refusal);
  const body = await readBody(incoming);
  return body ? await handler({ method, url, headers, body }) : refuse(413, 'The body of the request is too large.');
}

/** The rest of the request is not read. */
const refuse = (status: number, error: string): Answer => ({
  status,
  headers: { 'content-type': 'application/json; charset=utf-8', connection: 'close' },
  body: JSON.stringify({ error }),
});

/** Undefined for a request whose host or target is none. A path may begin with two slashes, which a relative URL may not. */
function urlOf({ headers, url: target = '/' }: IncomingMessage): URL | undefined {
  const base = `http://${headers.host ?? 'localhost'}`;
  const text = target.startsWith('/') ? `${base}${target}` : target;
  if (!URL.canParse(base) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const isHost = url.username === '' && url.password === '' && new URL(base).pathname === '/';
  return isHost && url.host === new URL(base).host ? url : undefined;
}

/** The whole body, or undefined when it is longer than allowed; the rest of it is then never read. */
async function readBody(incoming: IncomingMessage): Promise<Buffer | undefined> {
  const limit = Number(process.env['FUNCTIONS_REQUEST_BODY_SIZE_LIMIT'] ?? DEFAULT_BODY_LIMIT);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
