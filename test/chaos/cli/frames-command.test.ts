import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { saveFrames } from '../../../src/cli/jobs/frames.js';
import { writePack } from '../../../src/container-contract/pack.js';
import { readPpm } from '../../../src/scorer/pictures/files/ppm.js';
import { createSharpCodec } from '../../../src/scorer/pictures/sharp-codec.js';
import { runCli } from '../../support/cli.js';
import { makeClip } from '../../support/clip.js';
import { useOwnStack } from '../../support/stack.js';
import { storedItems } from '../../support/stored-items.js';

// Jobs of other files would be started later.
const stack = useOwnStack({});
const FRAMES = 12;
const FEW = 3;
const names = (ending: string, count = FRAMES) =>
  Array.from({ length: count }, (_, k) => `${String(k).padStart(7, '0')}.${ending}`);
const folder = (name: string) => path.join(stack.folder, name);
const workOf = (id: string) => stack.storage.getContainerClient(`work-${id}`);
const shown = (out: string) => readdirSync(out).filter((name) => !name.startsWith('.'));
const save = (
  job: string,
  out: string,
  options: { source?: boolean; overwrite?: boolean; format?: 'ppm' | 'jpg' } = {},
) =>
  saveFrames({
    job,
    out,
    source: false,
    overwrite: false,
    url: stack.url,
    data: '',
    signal: new AbortController().signal,
    env: {},
    stream: process.stderr,
    note: () => undefined,
    quiet: true,
    ...options,
  });

const jobs = { packed: '', single: '', thrown: '', failed: '', images: '' };

beforeAll(async () => {
  const clip = makeClip(folder('clip.mp4'), { size: '64x48', seconds: 1 });
  const shortClip = makeClip(folder('short.mp4'), { size: '64x48', seconds: 0.25 });
  const picture = folder('a.png');
  const codec = createSharpCodec();
  writeFileSync(picture, await codec.encode({ width: 8, height: 8, data: new Uint8Array(192) }, 'png'));
  writeFileSync(folder('none.mp4'), 'no video');
  const [video, short, broken, { path: images, urls }] = await Promise.all([
    stack.client.upload('video', clip),
    stack.client.upload('video', shortClip),
    stack.client.upload('video', folder('none.mp4')),
    stack.client.placeImages('pictures', ['a.png'], undefined),
  ]);
  await stack.client.put(urls[0] ?? '', picture);
  const start = (input: object, more: object) => stack.client.start({ input, model: 'starry-night', ...more });
  jobs.packed = await start({ video }, { output: { keepFrames: true }, batch: { pack: 5, maxParallel: 1 } });
  jobs.single = await start({ video: short }, { output: { keepFrames: true, frameFormat: 'png' }, batch: { pack: 1 } });
  jobs.thrown = await start({ video: short }, {});
  jobs.failed = await start({ video: broken }, {});
  jobs.images = await start({ images }, {});
  await Promise.all(Object.values(jobs).map((id) => stack.ended(id)));
});

test('scored frames become PNG files under the names of their items, with the same pixels', async () => {
  const out = folder('scored');
  const { stdout, stderr, code } = await runCli(['frames', jobs.packed, '--out', out, '--url', stack.url]);
  expect({ code, stderr }).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/^job: \S+\nunpack: \d+\/12 frames/) as string,
  });
  expect(stdout).toBe(`12 frames of job ${jobs.packed} are in ${out}.\n`);
  expect(shown(out)).toEqual(names('png'));
  const stored = await storedItems(workOf(jobs.packed), 'scored/');
  const codec = createSharpCodec();
  for (const [index, name] of names('png').entries()) {
    const { data } = await codec.decode(readFileSync(path.join(out, name)));
    expect(Buffer.compare(data, readPpm(stored.get(index) ?? Buffer.alloc(0)).data), name).toBe(0);
  }
});

test('the job that was started last is meant by "latest", and its frames are those of its id', async () => {
  const short = makeClip(folder('newest.mp4'), { size: '64x48', seconds: 0.25 });
  const video = await stack.client.upload('video', short);
  const newest = await stack.client.start({ input: { video }, model: 'starry-night', output: { keepFrames: true } });
  await stack.ended(newest);
  const out = folder('latest');
  expect(await save('latest', out)).toMatchObject({ saved: FEW, status: { id: newest } });
  expect(await save(newest, out)).toMatchObject({ saved: 0, there: FEW });
});

test('frames as they came are saved as they are stored where their format is asked for', async () => {
  const out = folder('nested/source');
  await save(jobs.packed, out, { source: true, format: 'ppm' });
  const stored = await storedItems(workOf(jobs.packed), 'frames/');
  expect(shown(out)).toEqual(names('ppm'));
  for (const [index, name] of names('ppm').entries())
    expect(readFileSync(path.join(out, name)).equals(stored.get(index) ?? Buffer.alloc(0)), name).toBe(true);
});

test('frames that a job stores one by one are saved as well', async () => {
  const [scored, source] = [folder('one-by-one'), folder('one-by-one-source')];
  expect(await save(jobs.single, scored)).toMatchObject({ saved: FEW, there: 0, missing: [] });
  await save(jobs.single, source, { source: true, format: 'jpg' });
  const stored = await storedItems(workOf(jobs.single), 'scored/');
  expect(readFileSync(path.join(scored, '0000001.png')).equals(stored.get(1) ?? Buffer.alloc(0))).toBe(true);
  expect(shown(source)).toEqual(names('jpg', FEW));
});

test('a command that was killed is taken up where it was: whole files stay, the rest is saved, and nothing else is left', async () => {
  const out = folder('resumed');
  await save(jobs.packed, out);
  const kept = path.join(out, '0000001.png');
  const before = statSync(kept).mtimeMs;
  rmSync(path.join(out, '0000003.png'));
  writeFileSync(path.join(out, '0000011.png'), '');
  writeFileSync(path.join(out, '.part-999999999-1'), 'half');
  expect(await save(jobs.packed, out)).toMatchObject({ saved: 2, there: FRAMES - 2, missing: [] });
  expect(shown(out)).toEqual(names('png'));
  expect(readdirSync(out).filter((name) => name.startsWith('.part'))).toEqual([]);
  expect(statSync(kept).mtimeMs).toBe(before);
  expect(statSync(path.join(out, '0000011.png')).size).toBeGreaterThan(0);
});

test.each<[string, () => Promise<unknown> | undefined]>([
  ['of another job', () => save(jobs.single, folder('taken-of another job'))],
  ['before they were scored', () => save(jobs.packed, folder('taken-before they were scored'), { source: true })],
  [
    'of somebody else',
    () => {
      mkdirSync(folder('taken-of somebody else'));
      writeFileSync(path.join(folder('taken-of somebody else'), '0000002.png'), 'mine');
      return undefined;
    },
  ],
])('frames %s are not replaced, unless that is asked for', async (whose, make) => {
  const out = folder(`taken-${whose}`);
  await make();
  const before = readFileSync(path.join(out, '0000002.png'));
  await expect(save(jobs.packed, out)).rejects.toMatchObject({
    blame: 'user',
    message: expect.stringMatching(/add --overwrite/) as string,
  });
  expect(readFileSync(path.join(out, '0000002.png')).equals(before)).toBe(true);
  expect(await save(jobs.packed, out, { overwrite: true })).toMatchObject({ saved: FRAMES, there: 0 });
  expect(await save(jobs.packed, out)).toMatchObject({ saved: 0, there: FRAMES });
  // A shorter job leaves none of a longer one among its own.
  await save(jobs.single, out, { overwrite: true });
  expect(shown(out)).toEqual(names('png', FEW));
});

test.each<[string, () => string, RegExp]>([
  ['a job that is not there', () => 'none-abcd2345', /^There is no job "none-abcd2345"\.$/],
  ['what is no id', () => '../jobs', /^There is no job "\.\.\/jobs"; an id looks like /],
  ['a job of images', () => jobs.images, /^Job "a?\S+" scores images and has no frames; what it made of them is /],
  ['a job that kept none', () => jobs.thrown, /^Job "\S+" did not keep its frames; .*"keepFrames"/],
  ['a job that had none', () => jobs.failed, /^Job "\S+" ended before it had frames: /],
])('%s has no frames, which is said before anything is made', async (_what, job, says) => {
  const out = folder('refused');
  await expect(save(job(), out)).rejects.toMatchObject({
    blame: 'user',
    message: expect.stringMatching(says) as string,
  });
  expect(() => statSync(out)).toThrow('ENOENT');
});

test('where the frames cannot go, the command says so', async () => {
  await expect(save(jobs.packed, folder('clip.mp4'))).rejects.toThrow(/clip\.mp4 is a file; name a folder with --out/);
  await expect(save(jobs.packed, folder('clip.mp4/frames'))).rejects.toThrow(/frames cannot be written \(ENOTDIR/);
});

test('frames that failed are named, and a pack that is damaged does not keep the others from being saved', async () => {
  const work = workOf(jobs.packed);
  const stored = await storedItems(work, 'scored/');
  const pack: Uint8Array[] = [];
  const members = [5, 6, 8, 9].map((k) => ({ name: `000000${k}.ppm`, bytes: stored.get(k) ?? Buffer.alloc(0) }));
  for await (const chunk of writePack(members)) pack.push(chunk);
  await work
    .getBlockBlobClient('scored/0000005-0000009.zip')
    .uploadData(Buffer.concat(pack), { metadata: { absent: '2' } });
  const out = folder('failed');
  const first = await runCli(['frames', jobs.packed, '--out', out, '--url', stack.url]);
  expect(first.code).toBe(0);
  expect(first.stdout).toContain('Without a scored frame: 0000007.\n');
  expect(shown(out)).toEqual(names('png').filter((name) => name !== '0000007.png'));

  await work.getBlockBlobClient('scored/0000000-0000004.zip').uploadData(Buffer.from('no pack'));
  await expect(save(jobs.packed, folder('damaged'))).rejects.toMatchObject({
    message: expect.stringMatching(/^scored\/0000000-0000004\.zip cannot be read: it is cut off; .*6 frames/) as string,
  });
  expect(shown(folder('damaged'))).toHaveLength(6);
});

test('GET /api/jobs/{id}/frames lists what is stored with URLs that can be read', async () => {
  const ask = async (query = '') => (await fetch(`${stack.url}/api/jobs/${jobs.single}/frames${query}`)).json();
  const { parts, next } = (await ask()) as { parts: Record<string, unknown>[]; next: null };
  expect(next).toBeNull();
  expect(parts).toHaveLength(FEW);
  expect(parts[1]).toMatchObject({ name: 'scored/0000001.png', first: 1, last: 1, absent: [] });
  expect(await ask('?source=yes')).toEqual({ error: '"source" must be true or false.' });
});

test('a job that is over and has no scored frame in storage has nothing to save', async () => {
  const work = workOf(jobs.single);
  for await (const { name } of work.listBlobsFlat({ prefix: 'scored/' })) await work.deleteBlob(name);
  await expect(save(jobs.single, folder('nothing'))).rejects.toMatchObject({
    blame: 'user',
    message: expect.stringMatching(/^Job "\S+" has no scored frames; it ended as done\.$/) as string,
  });
  expect(() => statSync(folder('nothing'))).toThrow('ENOENT');
});

test('where not one frame can be read, no folder is left', async () => {
  const work = workOf(jobs.packed);
  for await (const { name } of work.listBlobsFlat({ prefix: 'scored/' }))
    await work.getBlockBlobClient(name).uploadData(Buffer.from('no frame'));
  const out = folder('unread/deeper');
  await expect(save(jobs.packed, out)).rejects.toThrow(/cannot be read/);
  expect(() => statSync(folder('unread'))).toThrow('ENOENT');
});
