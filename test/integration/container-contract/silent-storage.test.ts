import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import http, { type ClientRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BlobClient } from '@azure/storage-blob';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { giveUpWhenSilent, readWhole, STORAGE_OPTIONS } from '../../../src/container-contract/storage-access.js';

const BYTES = 'ten bytes.';
const SILENT_MS = 100;
/** What storage says before it falls silent, by the number of the request; then it answers. */
let says: string[] = [];
let url = '';

const server = http.createServer((_, response) => {
  const part = says.shift();
  if (part === undefined) return response.writeHead(200, { etag: '"1"', 'content-length': BYTES.length }).end(BYTES);
  if (part !== '') response.writeHead(200, { etag: '"1"', 'content-length': BYTES.length }).write(part);
  return response;
});

function watch(message: unknown): void {
  const { request } = message as { request: ClientRequest };
  if (url.includes(request.host) && request.path.startsWith('/silent/')) giveUpWhenSilent(request, SILENT_MS);
}

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/silent/blob`;
  diagnostics.subscribe('http.client.request.start', watch);
});
afterAll(() => {
  diagnostics.unsubscribe('http.client.request.start', watch);
  server.closeAllConnections();
  server.close();
});

test.each([
  ['before its answer', ['', '']],
  ['in the middle of its answer', ['ten ', '']],
])('a blob is read whole although storage falls silent %s', async (_, silent) => {
  says = silent;
  const bytes = await readWhole(new BlobClient(url, undefined, STORAGE_OPTIONS));
  expect(bytes.toString()).toBe(BYTES);
  expect(says).toEqual([]);
});
