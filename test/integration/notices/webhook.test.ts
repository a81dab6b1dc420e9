import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWebhooks, signatureOf } from '../../../src/notices/webhook.js';
import { hasOpenssl, makeCertificate } from '../../support/identity-storage.js';

/** A name that nobody can look up: whoever reaches it was told where it is. */
const HOST = 'hooks.invalid';
const BODY = '{"t":"東"}';

interface Received {
  url: string;
  headers: NodeJS.Dict<string | string[]>;
  body: string;
}

describe.skipIf(!hasOpenssl)('a webhook', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-webhook-'));
  const received: Received[] = [];
  let server: Server;
  let ca = '';
  let port = 0;

  beforeAll(async () => {
    const { certificate, key } = makeCertificate(folder, `DNS:${HOST}`);
    ca = readFileSync(certificate, 'utf8');
    server = createServer({ cert: ca, key: readFileSync(key) }, (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { url = '', headers } = request;
        received.push({ url, headers, body: Buffer.concat(chunks).toString() });
        const status = Number(/\d{3}/.exec(url)?.[0] ?? 200);
        if (status === 999) request.socket.destroy();
        else response.writeHead(status, { location: '/moved' }).end('x'.repeat(100_000));
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });

  afterAll(() => {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });

  const send = (route: string) =>
    createWebhooks({ addressOf: () => Promise.resolve('127.0.0.1'), now: () => 1_790_000_000_000, ca })({
      url: `https://${HOST}:${port}/${route}`,
      id: 'notice-1',
      secret: 's3cret',
      body: BODY,
    });

  test('is sent to the address that was checked, whole and signed', async () => {
    await send('hook?a=1');
    expect(received.at(-1)).toMatchObject({
      url: '/hook?a=1',
      body: BODY,
      headers: {
        host: `${HOST}:${port}`,
        'x-notice-id': 'notice-1',
        'x-timestamp': '1790000000',
        'x-signature': signatureOf('s3cret', 1_790_000_000, BODY),
      },
    });
    expect(JSON.stringify(received)).not.toContain('s3cret');
  });

  test.each([
    [302, 'user'],
    [307, 'user'],
    [404, 'user'],
    [410, 'user'],
    [408, 'platform'],
    [429, 'platform'],
    [500, 'platform'],
    [503, 'platform'],
  ])('that answers %d fails by the fault of the %s, and follows nothing', async (status, blame) => {
    await expect(send(`answers/${status}`)).rejects.toMatchObject({
      blame,
      message: `The webhook at ${HOST}:${port} answered ${status}.`,
    });
    expect(received.some(({ url }) => url === '/moved')).toBe(false);
  });

  test('that breaks off may work later', async () => {
    await expect(send('breaks/999')).rejects.toMatchObject({ blame: 'platform' });
  });

  test('whose server shows another certificate is not told', async () => {
    const before = received.length;
    const untrusting = createWebhooks({ addressOf: () => Promise.resolve('127.0.0.1') });
    const delivery = { url: `https://${HOST}:${port}/hook`, id: 'n', secret: 's', body: BODY };
    await expect(untrusting(delivery)).rejects.toMatchObject({ blame: 'platform' });
    expect(received).toHaveLength(before);
  });

  test('to this machine or a private network is not sent', async () => {
    for (const host of ['localhost', '127.0.0.1', '[::1]', '169.254.169.254', '10.0.0.1', '2130706433'])
      await expect(
        createWebhooks()({ url: `https://${host}:${port}/hook`, id: 'n', secret: 's', body: BODY }),
        host,
      ).rejects.toThrow(/not public/);
  });
});
