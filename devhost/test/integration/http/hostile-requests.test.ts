import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HostProcess, startHost } from '../../support/host-process.js';

let host: HostProcess;
beforeAll(async () => {
  host = await startHost({ app: 'durable', env: { FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '1000' } });
});
afterAll(async () => {
  await host.stop();
});

/** Sends these bytes and gives the status of the answer. */
async function statusOf(request: string): Promise<number> {
  const socket = connect(Number(new URL(host.url).port), '127.0.0.1');
  let answer = '';
  socket.on('data', (bytes: Buffer) => (answer += bytes.toString('latin1')));
  socket.write(request, 'latin1');
  await once(socket, 'close');
  return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
}

const INSTANCES = '/runtime/webhooks/durabletask/instances';
const get = (target: string, headers = 'Host: localhost', method = 'GET') =>
  statusOf(`${method} ${target} HTTP/1.1\r\n${headers}\r\nConnection: close\r\n\r\n`);

describe('a request', () => {
  it.each([
    'Host: [',
    'Host: a b',
    'Host: localhost/evil',
    'Host: user@localhost',
    'Host: localhost:99999',
    'Host: %zz',
  ])('with the header "%s" is refused with 400', async (header) => {
    expect(await get('/api/ping', header)).toBe(400);
  });

  it.each([
    '//',
    '//evil/api/ping',
    '///',
    '/%',
    '/api/ping/%ED%A0%80',
    '/api/ping/%',
    '/%00',
    '/..%2f..%2fetc/passwd',
    '/api//ping',
  ])('for the path %s is answered without a fault of the host', async (target) => {
    expect([200, 400, 404]).toContain(await get(target));
  });

  it('for another host in its target is refused', async () => {
    expect(await get('http://example.com/api/ping')).toBe(400);
    expect(await get('http://localhost/api/ping')).toBe(200);
  });

  it.each(['%ED%A0%80', '%', '%E0%A4%A', '%00', '%F0%9F%98%80', 'a'.repeat(300), '%C2%85', '%E2%80%A8'])(
    'about the instance %s is answered without a fault of the host',
    async (id) => {
      for (const target of [`${INSTANCES}/${id}`, `${INSTANCES}/${id}?showHistory=true`])
        expect([400, 404]).toContain(await get(target));
      expect([400, 404]).toContain(await get(`${INSTANCES}/${id}/terminate?reason=%`, 'Host: localhost', 'POST'));
    },
  );

  it('under a name that a page could point at this machine is refused, and so is one of a page elsewhere', async () => {
    expect(await get('/admin/host/status', 'Host: rebound.example.com')).toBe(403);
    expect(await get('/admin/host/status', 'Host: localhost\r\nOrigin: https://example.com')).toBe(403);
    expect(await get('/admin/host/status', 'Host: localhost\r\nSec-Fetch-Site: cross-site')).toBe(403);
  });

  it('with a body that no form of a page could send is required to start an orchestration', async () => {
    const start = async (type?: string) =>
      (
        await fetch(`${host.url}/runtime/webhooks/durabletask/orchestrators/input`, {
          method: 'POST',
          body: new Blob(['"x"']),
          headers: type === undefined ? {} : { 'content-type': type },
        })
      ).status;
    expect(await start('application/json')).toBe(202);
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', undefined])
      expect(await start(type)).toBe(400);
  });

  it('whose body grows beyond the limit, with or without a length, is cut off there', async () => {
    const head = 'POST /api/echoBody HTTP/1.1\r\nHost: localhost\r\n';
    expect(await statusOf(`${head}Content-Length: 1001\r\n\r\n${'x'.repeat(1001)}`)).toBe(413);
    expect(await statusOf(`${head}Transfer-Encoding: chunked\r\n\r\n3e9\r\n${'x'.repeat(1001)}\r\n`)).toBe(413);
  });
});
