import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { publicAddressOf } from '../../../src/internet/addresses.js';
import { createUrls } from '../../../src/internet/fetch-url.js';
import { mediaBlob } from '../../../src/job-store/layout.js';
import { keepFetchedVideo } from '../../../src/job-store/videos/fetched-video.js';
import { hasOpenssl, makeCertificate } from '../../support/identity-storage.js';
import { openAzurite } from '../../support/storage.js';

/** A name that nobody can look up: whoever reaches it was told where it is. */
const HOST = 'videos.invalid';
const MOST_BYTES = 1000;

describe.skipIf(!hasOpenssl)('a file of the internet', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-urls-'));
  const storage = openAzurite(inject('storage'));
  const asked: string[] = [];
  let server: Server;
  let ca = '';
  let base = '';

  beforeAll(async () => {
    const { certificate, key } = makeCertificate(folder, `DNS:${HOST}`);
    ca = readFileSync(certificate, 'utf8');
    server = createServer({ cert: ca, key: readFileSync(key) }, (request, response) => {
      const { url = '' } = request;
      asked.push(url);
      const status = Number(/\d{3}/.exec(url)?.[0] ?? 200);
      response.writeHead(status, {
        location: `https://${HOST}/other`,
        ...(url === '/large' && { 'content-length': 2000 }),
      });
      if (url === '/silent') response.write('x');
      else if (url === '/cut') response.write('x', () => request.socket.destroy());
      else response.end('v'.repeat(url === '/endless' ? 100_000 : MOST_BYTES));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    base = `https://${HOST}:${(server.address() as AddressInfo).port}`;
  });

  afterAll(() => {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });

  const urlsOf = (more: object = {}) =>
    createUrls(
      { hosts: [HOST], mostBytes: MOST_BYTES },
      { addressOf: () => Promise.resolve('127.0.0.1'), silenceMs: 200, ca, ...more },
    );
  async function read(route: string, urls = urlsOf()): Promise<string> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of await urls.fetch(base + route)) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  }

  test('is fetched from the address that was checked, under its own name', async () => {
    expect(await read('/coast.mp4')).toBe('v'.repeat(MOST_BYTES));
  });

  test.each<[string, string, 'user' | 'platform', RegExp]>([
    ['leads to another address', '/302', 'user', /leads to another address, and none is followed/],
    ['is not there', '/404', 'user', /answered 404/],
    ['is not for everybody', '/403', 'user', /answered 403/],
    ['comes later', '/503', 'platform', /answered 503/],
    ['is asked for too often', '/429', 'platform', /answered 429/],
    ['says to be too large', '/large', 'user', /more than 1000 bytes.*MOST_URL_GIB/],
    ['turns out to be too large', '/endless', 'user', /more than 1000 bytes.*MOST_URL_GIB/],
    ['ends too early', '/cut', 'platform', /could not be fetched/],
    ['stops to come', '/silent', 'platform', /nothing came any more/],
  ])('that %s is refused', async (_, route, blame, sentence) => {
    await expect(read(route)).rejects.toMatchObject({
      name: 'JobError',
      blame,
      message: expect.stringMatching(sentence) as string,
    });
  });

  test('is not asked for where its host is not named, or leads into this network, or shows another’s certificate', async () => {
    const before = asked.length;
    for (const hosts of [[], ['example.com'], [`x${HOST}`]])
      await expect(createUrls({ hosts, mostBytes: MOST_BYTES }).fetch(`${base}/a`)).rejects.toMatchObject({
        blame: 'user',
        message: expect.stringMatching(/not from videos\.invalid.*INPUT_URL_HOSTS/) as string,
      });
    for (const address of [
      '127.0.0.1',
      '169.254.169.254',
      '10.0.0.1',
      '::1',
      'fd00::1',
      '::ffff:127.0.0.1',
      '100.64.0.1',
    ]) {
      const addressOf = (host: string) =>
        publicAddressOf('The host', host, () => Promise.resolve(['8.8.8.8', address]));
      await expect(read('/a', urlsOf({ addressOf })), address).rejects.toMatchObject({ blame: 'user' });
    }
    await expect(read('/a', urlsOf({ ca: undefined }))).rejects.toMatchObject({ blame: 'platform' });
    expect(asked.length).toBe(before);
  });

  test('is kept whole or not at all, once', async () => {
    const container = `work-fetched-${randomBytes(4).toString('hex')}`;
    await storage.media.getContainerClient(container).create();
    const place = `${container}/_uploads/a.mp4`;
    const keep = (route: string) => keepFetchedVideo(storage, place, () => urlsOf().fetch(base + route));
    for (const route of ['/cut', '/endless', '/404']) await expect(keep(route)).rejects.toThrow();
    expect(await mediaBlob(storage, place).exists()).toBe(false);
    expect(await keep('/coast.mp4')).toBe(MOST_BYTES);
    const before = asked.length;
    expect(await keep('/404')).toBe(MOST_BYTES);
    expect(asked.length).toBe(before);
  });
});
