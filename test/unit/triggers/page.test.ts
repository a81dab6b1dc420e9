import { HttpRequest, InvocationContext } from '@azure/functions';
import { afterAll, describe, expect, test } from 'vitest';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { createPage } from '../../../src/triggers/page.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-page-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const HTML = '<!doctype html><title>Batch scoring</title>';
const SCRIPT = 'console.log("page")';
mkdirSync(path.join(folder, 'built'));
for (const [name, text] of [
  ['index.html', HTML],
  ['app.QWERTY12.js', SCRIPT],
] as const) {
  const file = path.join(folder, 'built', name);
  writeFileSync(file, text);
  writeFileSync(`${file}.br`, brotliCompressSync(text));
  writeFileSync(`${file}.gz`, gzipSync(text));
}
writeFileSync(path.join(folder, 'secret.txt'), 'not for the page');

const warnings: unknown[] = [];
const context = new InvocationContext({ logHandler: (_, ...said) => warnings.push(...said) });
const shown: string[] = [];
const page = createPage({
  folder: path.join(folder, 'built'),
  storageOrigins: ['https://media.blob.core.windows.net', 'https://internal.blob.core.windows.net'],
  letIn: (origin) => {
    shown.push(origin);
    return Promise.resolve();
  },
});

async function get(file: string | undefined, headers: Record<string, string> = {}) {
  const url = `https://app.example/api/${file ?? ''}`;
  const params: Record<string, string> = file === undefined ? {} : { file };
  const answer = await page(new HttpRequest({ method: 'GET', url, headers, params }), context);
  const { status = 200, headers: given, body, jsonBody } = answer;
  const bytes = body instanceof Uint8Array ? Buffer.from(body) : undefined;
  return { status, headers: new Headers(given), bytes, jsonBody: jsonBody as unknown };
}

describe('the page', () => {
  test.each([undefined, ''])(
    'is at the root of the routes (%s), and asks to be looked at anew each time',
    async (file) => {
      const { status, headers, bytes } = await get(file);
      expect(status).toBe(200);
      expect(bytes?.toString()).toBe(HTML);
      expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(headers.get('cache-control')).toBe('no-cache');
    },
  );

  test('is not sent again to who has it', async () => {
    const etag = (await get('')).headers.get('etag') ?? '';
    expect(etag).toMatch(/^W\/"/);
    for (const known of [etag, etag.replace('W/', ''), `"other", ${etag}`, '*']) {
      const { status, headers, bytes } = await get('', { 'if-none-match': known });
      expect([known, status, bytes]).toEqual([known, 304, undefined]);
      expect(headers.get('etag')).toBe(etag);
    }
    expect((await get('', { 'if-none-match': '"other"' })).status).toBe(200);
  });

  test('has files for good, whose names change with their content', async () => {
    const { headers, bytes } = await get('app.QWERTY12.js');
    expect(bytes?.toString()).toBe(SCRIPT);
    expect(headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  });

  test.each([
    ['gzip, deflate, br, zstd', 'br', brotliCompressSync(SCRIPT)],
    ['gzip', 'gzip', gzipSync(SCRIPT)],
    ['br;q=0, gzip;q=0.5', 'gzip', gzipSync(SCRIPT)],
    ['BR', 'br', brotliCompressSync(SCRIPT)],
    ['identity', null, Buffer.from(SCRIPT)],
    ['*;q=0', null, Buffer.from(SCRIPT)],
    ['brotli', null, Buffer.from(SCRIPT)],
  ])('to who accepts "%s" comes as %s', async (accepted, encoding, sent) => {
    const { headers, bytes } = await get('app.QWERTY12.js', { 'accept-encoding': accepted });
    expect(headers.get('content-encoding')).toBe(encoding);
    expect(headers.get('vary')).toBe('accept-encoding');
    expect(bytes).toEqual(sent);
  });

  test('lets the browser load nothing but itself and what is in storage, and tells nobody where it came from', async () => {
    const { headers } = await get('');
    const policy = headers.get('content-security-policy') ?? '';
    const origins = 'https://media.blob.core.windows.net https://internal.blob.core.windows.net';
    expect(policy.split('; ').toSorted()).toEqual([
      "base-uri 'none'",
      `connect-src 'self' ${origins}`,
      "default-src 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      `img-src 'self' blob: data: ${origins}`,
      `media-src 'self' blob: ${origins}`,
      "script-src 'self'",
      "style-src 'self'",
    ]);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('cross-origin-opener-policy')).toBe('same-origin');
    expect(headers.get('permissions-policy')).toContain('camera=()');
  });

  test('gets access to storage for where it is shown, and is shown although that fails', async () => {
    shown.length = 0;
    await get('');
    await get('app.QWERTY12.js');
    expect(shown).toEqual(['https://app.example']);
    const closed = createPage({
      folder: path.join(folder, 'built'),
      storageOrigins: [],
      letIn: () => Promise.reject(new Error('no')),
    });
    const request = new HttpRequest({ method: 'GET', url: 'https://app.example/api/', params: {} });
    expect((await closed(request, context)).status).toBe(200);
    expect(warnings).toEqual(['no']);
  });

  test.each(['nothing', 'index.html.br', '../secret.txt', '..%2fsecret.txt', 'jobs/abc/nothing', 'constructor', '<b>'])(
    'has no "%s"',
    async (name) => {
      const { status, jsonBody } = await get(name);
      expect(status).toBe(404);
      expect((jsonBody as { error: string }).error).toContain('There is nothing at');
    },
  );

  test('leads from its address without a slash to the one with it', async () => {
    const request = new HttpRequest({ method: 'GET', url: 'https://app.example/api', params: {} });
    const { status, headers } = await page(request, context);
    expect([status, headers]).toEqual([308, { location: '/api/' }]);
  });

  test('says so when it was not built', async () => {
    const none = createPage({ folder: path.join(folder, 'none'), storageOrigins: [], letIn: () => Promise.resolve() });
    const request = new HttpRequest({ method: 'GET', url: 'https://app.example/api/', params: {} });
    expect(await none(request, context)).toMatchObject({ status: 404, jsonBody: { error: /npm run build/ } });
  });
});
