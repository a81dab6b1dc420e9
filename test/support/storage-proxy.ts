import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { pick, randomOf } from './chaos/faults.js';

/**
 * What can happen to a request to storage and its answer:
 *
 * - `cut-before`: the connection breaks before storage gets the request; `cut-request`: while it sends its body.
 * - `cut-after`: storage does what was asked, and the connection breaks before the answer.
 * - `cut-body`: the connection breaks in the middle of the answer; `short-body`: the answer ends there as if it were whole.
 * - `busy`: storage refuses with 500, 503 or 429; `failed-after`: it does what was asked, and answers 500 all the same.
 * - `twice`: storage gets the request twice, and the second answer counts.
 * - `late`: the answer comes up to `latestMs` later.
 */
export const STORAGE_FAULTS = [
  'cut-before',
  'cut-request',
  'cut-after',
  'cut-body',
  'short-body',
  'busy',
  'failed-after',
  'twice',
  'late',
] as const;

/** `silent`, which is left out of the others: storage gets nothing, and no answer ever comes. */
export type StorageFault = (typeof STORAGE_FAULTS)[number] | 'silent';

export interface StorageProxy {
  /** Like the storage's own, with the proxy's ports. */
  connectionString: string;
  /** Which share of the requests goes wrong, from 0 to 1; 0 at first. */
  rate: number;
  /** Of which faults, all of the list at first. */
  faults: readonly StorageFault[];
  latestMs: number;
  /** How many requests passed, and how often each fault struck. */
  requests: number;
  struck: Partial<Record<StorageFault, number>>;
  /** Is told of each request: `METHOD /path?query`. */
  tell?: (request: string) => void;
  /** The next request to which `of` matches (`METHOD /path?query`) goes wrong so, whatever the rate. */
  strike: (fault: StorageFault, of: RegExp, times?: number) => void;
  stop: () => Promise<void>;
}

interface Answer {
  status: number;
  headers: string[];
  body: Buffer;
}

const REFUSALS = [
  [500, 'InternalError'],
  [500, 'OperationTimedOut'],
  [503, 'ServerBusy'],
  [429, 'TooManyRequests'],
] as const;

/**
 * Stands between an Azurite and all who use it: their blob, queue and table requests go wrong now and then.
 * @param seed decides about the faults; requests that come side by side may change places.
 */
export async function startStorageProxy(connectionString: string, seed = 1): Promise<StorageProxy> {
  const random = randomOf(`storage ${seed}`);
  const asked: { fault: StorageFault; of: RegExp; times: number }[] = [];
  const servers: http.Server[] = [];
  const agent = new http.Agent({ keepAlive: true });

  const proxy: StorageProxy = {
    connectionString,
    rate: 0,
    faults: STORAGE_FAULTS,
    latestMs: 2000,
    requests: 0,
    struck: {},
    strike: (fault, of, times = 1) => void asked.push({ fault, of, times }),
    stop: async () => {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
      agent.destroy();
    },
  };

  const faultFor = (request: http.IncomingMessage): StorageFault | undefined => {
    proxy.requests += 1;
    proxy.tell?.(`${request.method} ${request.url}`);
    const wanted = asked.find(({ of, times }) => times > 0 && of.test(`${request.method} ${request.url}`));
    if (wanted) wanted.times -= 1;
    const fault = wanted?.fault ?? (random() < proxy.rate ? pick(random, proxy.faults) : undefined);
    if (fault) proxy.struck[fault] = (proxy.struck[fault] ?? 0) + 1;
    return fault;
  };

  const forward = async (request: http.IncomingMessage, body: Buffer, port: string): Promise<Answer> => {
    const { method, url: path, rawHeaders } = request;
    const headers = without(rawHeaders, ['connection', 'transfer-encoding', 'expect', 'content-length']);
    const sent = http.request({ host: '127.0.0.1', port, method, path, agent });
    for (let index = 0; index < headers.length; index += 2)
      sent.setHeader(headers[index] ?? '', headers[index + 1] ?? '');
    if (body.length > 0 || method !== 'GET') sent.setHeader('content-length', body.length);
    sent.end(body);
    const [answer] = (await once(sent, 'response')) as [http.IncomingMessage];
    return { status: answer.statusCode ?? 500, headers: answer.rawHeaders, body: await bytesOf(answer) };
  };

  const serve = async (request: http.IncomingMessage, response: http.ServerResponse, port: string): Promise<void> => {
    const fault = faultFor(request);
    const cut = () => void request.socket.destroy();
    if (fault === 'cut-before') return cut();
    if (fault === 'cut-request' && request.headers['content-length'] !== '0') {
      await Promise.race([once(request, 'data'), once(request, 'end')]);
      return cut();
    }
    const body = await bytesOf(request);
    if (fault === 'silent') return;
    if (fault === 'busy') {
      const [status, code] = pick(random, REFUSALS);
      return send(response, { status, headers: ['x-ms-error-code', code], body: Buffer.from('') });
    }
    let answer = await forward(request, body, port);
    if (fault === 'twice') answer = await forward(request, body, port);
    if (fault === 'cut-after') return cut();
    if (fault === 'failed-after')
      return send(response, { status: 500, headers: ['x-ms-error-code', 'OperationTimedOut'], body: Buffer.from('') });
    if (fault === 'late') await pause(random() * proxy.latestMs);
    const half = answer.body.subarray(0, answer.body.length / 2);
    if (fault === 'short-body' && half.length > 0)
      return send(response, { ...answer, headers: without(answer.headers, ['content-length']), body: half });
    if (fault !== 'cut-body' || half.length === 0) return send(response, answer);
    response.writeHead(answer.status, withLength(answer));
    response.write(half, cut);
  };

  for (const service of ['Blob', 'Queue', 'Table']) {
    const endpoint = new RegExp(`${service}Endpoint=http://127\\.0\\.0\\.1:(\\d+)`).exec(connectionString);
    const port = endpoint?.[1];
    if (port === undefined) continue;
    // A client that went away, or a storage that did, ends the connection.
    const server = http.createServer((request, response) => {
      serve(request, response, port).catch(() => request.socket.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
    const own = `${service}Endpoint=http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    proxy.connectionString = proxy.connectionString.replace(endpoint?.[0] ?? '', own);
  }
  return proxy;
}

async function bytesOf(message: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function send(response: http.ServerResponse, answer: Answer): void {
  response.writeHead(
    answer.status,
    answer.headers.includes('content-length')
      ? withLength(answer)
      : without(answer.headers, ['connection', 'transfer-encoding']),
  );
  response.end(answer.body);
}

/** The answer's headers; one without a body keeps the length that it tells of (HEAD). */
function withLength({ headers, body }: Answer): string[] {
  const kept = without(headers, ['connection', 'transfer-encoding']);
  const tells = kept.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'content-length');
  return tells || body.length === 0 ? kept : [...kept, 'content-length', String(body.length)];
}

function without(headers: string[], names: string[]): string[] {
  return headers.filter((_, index) => !names.includes((headers[index - (index % 2)] ?? '').toLowerCase()));
}
