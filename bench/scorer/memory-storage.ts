import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

const ACCOUNT = 'memory';

interface Blob {
  bytes: Buffer;
  etag: string;
  headers: Record<string, string>;
}

export interface MemoryStorage {
  connectionString: string;
  close(): void;
}

/**
 * Blob storage that keeps everything in memory and checks no signature: what a scorer asks of it, and no more. Azurite, which writes to
 * disk and does everything in one thread, is slower than a network on a GPU.
 */
export async function startMemoryStorage(): Promise<MemoryStorage> {
  const blobs = new Map<string, Blob>();
  const server = createServer((request, response) => {
    answer(blobs, request, response).catch((error: unknown) =>
      response.destroy(error instanceof Error ? error : undefined),
    );
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const key = Buffer.from(ACCOUNT).toString('base64');
  return {
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${key};BlobEndpoint=http://127.0.0.1:${port}/${ACCOUNT};`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(blobs: Map<string, Blob>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://memory');
  const name = decodeURIComponent(pathname).slice(ACCOUNT.length + 2);
  const body = await buffer(request);
  const comp = searchParams.get('comp');
  const fail = (status: number, code: string) => response.writeHead(status, { 'x-ms-error-code': code }).end();
  if (searchParams.get('restype') === 'container') {
    if (comp !== 'list') return void response.writeHead(201).end();
    const prefix = `${name}/${searchParams.get('prefix') ?? ''}`;
    const found = [...blobs]
      .filter(([each]) => each.startsWith(prefix))
      .map(([each, blob]) => entry(each.slice(name.length + 1), blob));
    const list = `<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>${found.join('')}</Blobs><NextMarker /></EnumerationResults>`;
    return void response.writeHead(200, { 'content-type': 'application/xml' }).end(list);
  }
  const blob = blobs.get(name);
  if (request.method === 'PUT') {
    const { 'if-none-match': none, 'if-match': match } = request.headers;
    if (comp !== 'appendblock' && none === '*' && blob) return void fail(409, 'BlobAlreadyExists');
    if (match !== undefined && match !== blob?.etag) return void fail(412, 'ConditionNotMet');
    const stored =
      comp === 'appendblock' && blob ? { ...blob, bytes: Buffer.concat([blob.bytes, body]) } : newBlob(body, request);
    stored.etag = `"${createHash('sha1').update(String(performance.now())).digest('hex').slice(0, 16)}"`;
    blobs.set(name, stored);
    return void response.writeHead(201, { etag: stored.etag, 'last-modified': new Date().toUTCString() }).end();
  }
  if (blob === undefined) return void fail(404, 'BlobNotFound');
  const { bytes, etag, headers } = blob;
  const common = { ...headers, etag, 'last-modified': new Date().toUTCString(), 'accept-ranges': 'bytes' };
  if (request.method === 'HEAD')
    return void response.writeHead(200, { ...common, 'content-length': bytes.length }).end();
  const [, from, to] = /bytes=(\d+)-(\d*)/.exec(String(request.headers['x-ms-range'] ?? '')) ?? [];
  if (from === undefined) return void response.writeHead(200, { ...common, 'content-length': bytes.length }).end(bytes);
  const part = bytes.subarray(Number(from), to ? Number(to) + 1 : undefined);
  const range = `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}`;
  response.writeHead(206, { ...common, 'content-length': part.length, 'content-range': range }).end(part);
}

function newBlob(bytes: Buffer, { headers }: IncomingMessage): Blob {
  const kept = Object.entries(headers).filter(([key]) => key.startsWith('x-ms-meta-') || key === 'x-ms-blob-type');
  const type = String(headers['x-ms-blob-content-type'] ?? 'application/octet-stream');
  return {
    bytes,
    etag: '',
    headers: { ...Object.fromEntries(kept.map(([key, value]) => [key, String(value)])), 'content-type': type },
  };
}

const entry = (name: string, { etag, bytes }: Blob) =>
  `<Blob><Name>${name}</Name><Properties><Last-Modified>${new Date().toUTCString()}</Last-Modified><Etag>${etag}</Etag><Content-Length>${bytes.length}</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>`;
