import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { BlobServiceClient } from '@azure/storage-blob';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { watchRefusals } from '../../../src/storage/refusals.js';

/** What the storage answers. */
let answer: { status: number; code?: string } = { status: 201 };
const server = http.createServer((request, response) => {
  const { status, code } = request.method === 'HEAD' ? { status: 200 } : answer;
  request
    .resume()
    .on('end', () => response.writeHead(status, code === undefined ? {} : { 'x-ms-error-code': code }).end());
});
beforeAll(() => once(server.listen(0, '127.0.0.1'), 'listening'));
afterAll(() => new Promise((resolve) => server.close(resolve)));

test('whether storage can be written, and why not, is seen from the answers to any of its writers', async () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/account`;
  const service = new BlobServiceClient(url, undefined, { retryOptions: { maxTries: 1 } });
  const refusal = watchRefusals({ media: service, internal: service });
  const blob = service.getContainerClient('c').getBlockBlobClient('b');
  const write = () => blob.upload('x', 1).catch(() => undefined);
  expect(refusal()).toBeUndefined();
  answer = { status: 503, code: 'DiskFull' };
  await write();
  expect(refusal()).toMatch(/disk of the local storage is full.*--frame-format png/);
  await blob.exists();
  expect(refusal()).toMatch(/disk/);
  answer = { status: 500, code: 'InternalError' };
  await write();
  expect(refusal()).toMatch(/cannot be written.*HTTP 500 InternalError/);
  answer = { status: 409, code: 'BlobAlreadyExists' };
  await write();
  expect(refusal()).toBeUndefined();
});
