import { describe, expect, test } from 'vitest';
import { Refusal } from '../../../src/page/connection.js';
import type { Picked } from '../../../src/page/start/picked.js';
import { BLOCK_BYTES, createUploads, type Put } from '../../../src/page/start/uploads.js';

/** Storage that takes what is sent, and puts blobs together of their blocks. */
function createStorage(fault: (sent: number, url: string) => Refusal | undefined = () => undefined) {
  const blobs = new Map<string, string>();
  const blocks = new Map<string, string>();
  const types = new Map<string, string | undefined>();
  const asked: { names?: string[]; path?: string }[] = [];
  let sent = 0;
  let atOnce = 0;
  let most = 0;
  const put: Put = async (url, body, { headers, onProgress }) => {
    sent += 1;
    atOnce += 1;
    most = Math.max(most, atOnce);
    const refusal = fault(sent, url);
    onProgress(Math.min(1, body.size));
    await new Promise((resolve) => setImmediate(resolve));
    atOnce -= 1;
    if (refusal) throw refusal;
    const text = await body.text();
    const { searchParams, pathname } = new URL(url);
    if (searchParams.get('comp') === 'block') blocks.set(`${pathname} ${searchParams.get('blockid')}`, text);
    else if (searchParams.get('comp') === 'blocklist') {
      const ids = [...text.matchAll(/<Latest>([^<]+)<\/Latest>/g)].map(([, id]) => id);
      blobs.set(pathname, ids.map((id) => blocks.get(`${pathname} ${id}`)).join(''));
      types.set(pathname, headers['x-ms-blob-content-type']);
    } else {
      blobs.set(pathname, text);
      types.set(pathname, headers['content-type']);
    }
    onProgress(body.size);
  };
  const send = <T>(_: string, __: string, body: object = {}) => {
    const { names, path } = body as { names?: string[]; path?: string };
    asked.push({ names, path });
    const urls = names?.map((name) => `https://x/inbox/f/${encodeURIComponent(name)}?sas`);
    return Promise.resolve({
      path: urls ? 'inbox/f/' : 'inbox/f/a.mp4',
      url: 'https://x/inbox/f/a.mp4?sas',
      urls,
    } as T);
  };
  const pauses: number[] = [];
  const pause = (milliseconds: number) => Promise.resolve(void pauses.push(milliseconds));
  return { blobs, types, asked, pauses, most: () => most, uploads: createUploads({ send }, put, pause) };
}

const { signal } = new AbortController();
const lost = new Refusal('Storage cannot be reached.', 0, undefined);
const text =
  Array.from({ length: 64 * 1024 }, (_, index) => `${index}`.padStart(16, '.'))
    .join('')
    .repeat(20) + 'end';
const large = new File([text], 'a.mp4', { type: 'video/mp4' });
const images = (count: number): Picked & { kind: 'images' } => ({
  kind: 'images',
  name: 'Ferien 100%.2026',
  bytes: count * 5,
  leftOut: [],
  images: Array.from({ length: count }, (_, index) => ({
    path: `${index}.png`,
    file: new File([`<${index}>`], 'x.png'),
  })),
});

describe('an upload', () => {
  test('of a large file goes up in blocks, several at once, and is whole', async () => {
    const { blobs, types, uploads, most } = createStorage();
    const told: number[] = [];
    const path = await uploads.uploadFile('video', large, { signal, onProgress: (bytes) => told.push(bytes) });
    expect([path, text.length > 2 * BLOCK_BYTES, most() > 1]).toEqual(['inbox/f/a.mp4', true, true]);
    expect(blobs.get('/inbox/f/a.mp4') === text).toBe(true);
    expect(types.get('/inbox/f/a.mp4')).toBe('video/mp4');
    expect(told.at(-1)).toBe(large.size);
  });

  test('sends a block again that broke off, and no other', async () => {
    const { blobs, uploads, pauses } = createStorage((sent) => (sent === 2 ? lost : undefined));
    await uploads.uploadFile('video', large, { signal, onProgress: () => undefined });
    expect(blobs.get('/inbox/f/a.mp4') === text).toBe(true);
    expect(pauses).toHaveLength(1);
  });

  test('gives up what storage refuses, at once, and what it never takes, after a while', async () => {
    const refused = createStorage(() => new Refusal('Storage refuses it.', 403, undefined));
    await expect(refused.uploads.uploadFile('video', large, { signal, onProgress: () => undefined })).rejects.toThrow(
      'refuses',
    );
    expect(refused.pauses).toEqual([]);
    const away = createStorage(() => lost);
    const small = new File(['x'], 'a.mp4');
    await expect(away.uploads.uploadFile('video', small, { signal, onProgress: () => undefined })).rejects.toThrow(
      'reached',
    );
    expect(away.pauses.length).toBeGreaterThan(3);
  });

  test('of a folder asks for places a thousand at a time, in the same folder, and sends five at once', async () => {
    const { blobs, uploads, asked, most } = createStorage();
    const told: number[] = [];
    const path = await uploads.uploadImages(images(1001), { signal, onProgress: (bytes) => told.push(bytes) });
    expect([path, blobs.size, blobs.get('/inbox/f/1000.png'), most()]).toEqual(['inbox/f/', 1001, '<1000>', 5]);
    expect(asked.map(({ names, path: named }) => [names?.length, named])).toEqual([
      [1000, undefined],
      [1, 'inbox/f/'],
    ]);
    expect(Math.max(...told)).toBe(told.at(-1));
  });

  test('of a folder ends with the first that storage refuses', async () => {
    const { blobs, uploads } = createStorage((_, url) =>
      url.includes('/20.png') ? new Refusal('Storage refuses it.', 403, undefined) : undefined,
    );
    await expect(uploads.uploadImages(images(500), { signal, onProgress: () => undefined })).rejects.toThrow('refuses');
    expect(blobs.size).toBeLessThan(40);
  });

  test('of an empty file is one', async () => {
    const { blobs, uploads } = createStorage();
    await uploads.uploadFile('style', new File([], 'a.mp4'), { signal, onProgress: () => undefined });
    expect(blobs.get('/inbox/f/a.mp4')).toBe('');
  });
});
