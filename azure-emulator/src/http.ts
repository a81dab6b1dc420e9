import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import createRouter from 'find-my-way';
import type { FaultyRequest } from './faults.js';

export interface Request {
  method: string;
  url: URL;
  body: unknown;
}

/** What goes back to the caller. A body of `undefined` means none. */
export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
}

/** Azure's one shape of errors (CloudError of the API description). */
export function refuse(status: number, code: string, message: string, headers?: Record<string, string>): Answer {
  const body = { error: { code, message } };
  return headers ? { status, headers, body } : { status, body };
}

/** What a request asks for: the fault that could spoil it, and the work. */
export interface Route {
  fault: FaultyRequest;
  /** What it is about, for faults that only strike one thing. */
  subject?: string;
  run: () => Answer | Promise<Answer>;
}

/** Parameters of a path, `path` being the whole of it. */
export type Parameters = Record<string, string> & { path: string };

/** By method and path, as in `GET /jobs/:name`; undefined where the path turns out to be none of the service's. */
export type Routes = Record<string, (at: Parameters, request: Request) => Route | undefined>;

const METHODS = ['GET', 'PUT', 'POST', 'DELETE'] as const;

/** Finds what a request asks for; as in Azure, upper and lower case are the same in a path. */
export function routerOf(routes: Routes): (request: Request) => Route | undefined {
  const router = createRouter({ caseSensitive: false, maxParamLength: 1000 });
  for (const key of Object.keys(routes)) {
    const [method, path = ''] = key.split(' ');
    for (const known of METHODS) if (known === method) router.on(known, path, () => undefined, key);
  }
  return (request) => {
    const method = METHODS.find((known) => known === request.method);
    const found = method ? router.find(method, request.url.pathname) : null;
    const path = decodeURIComponent(request.url.pathname);
    return found ? routes[String(found.store)]?.({ ...found.params, path }, request) : undefined;
  };
}

export async function readRequest(incoming: IncomingMessage): Promise<Request> {
  const url = new URL(incoming.url ?? '/', `http://${incoming.headers.host ?? '127.0.0.1'}`);
  const content = await text(incoming);
  return { method: incoming.method ?? 'GET', url, body: content === '' ? undefined : (JSON.parse(content) as unknown) };
}

export function send(outgoing: ServerResponse, { status, headers, body }: Answer): void {
  const type = body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' };
  outgoing.writeHead(status, { ...type, ...headers });
  outgoing.end(body === undefined ? undefined : JSON.stringify(body));
}
