import { describe, expect, it } from 'vitest';
import type { IsNamed } from '../../../src/container-contract/pack.js';
import { memberName } from '../../../src/container-contract/places.js';
import { JobError } from '../../../src/job/failure.js';
import { readInputs } from '../../../src/scorer/run/inputs.js';

const { signal } = new AbortController();
const frames = (...indices: number[]) => indices.map((index) => ({ name: String(index), index }));

/** Of the video. */
const LENGTH = 14;

/** Packs of four frames, whose bytes are their numbers. */
function storage(change: (blob: string) => { fail?: Error; renamed?: [from: number, to: number] } = () => ({})) {
  const opened: string[] = [];
  const read = (name: string) => Promise.resolve(new Uint8Array(Buffer.from(name)));
  async function* readPack(blob: string, isNamed: IsNamed, skip: number) {
    opened.push(skip === 0 ? blob : `${blob} from ${skip}`);
    const { fail, renamed: [from, to] = [] } = change(blob);
    const first = Number(/\d+/.exec(blob)?.[0]);
    for (let index = first + skip; index < Math.min(first + 4, LENGTH); index += 1) {
      if (fail && index === first + 2) throw fail;
      const name = memberName(index === from ? (to ?? index) : index, 'png');
      if (!isNamed(name, index - first)) throw new JobError('item', 'it is damaged');
      yield await Promise.resolve({ name, bytes: new Uint8Array([index]) });
    }
  }
  return { opened, blobs: { readInput: read, readFrame: read, readPack } };
}

async function take(inputs: ReturnType<typeof readInputs>): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const { item, file } of inputs) {
    const bytes = await file().then(
      (read) => Buffer.from(read).toString(),
      (error: unknown) =>
        error instanceof JobError ? `${error.lostFrame ? 'lost' : error.blame}: ${error.message}` : String(error),
    );
    found.push([item.name, bytes.length === 1 ? String(bytes.charCodeAt(0)) : bytes]);
  }
  return found;
}

const places = { pack: 4, frames: 'png', stop: signal, abandon: signal } as const;

describe('the inputs of a task', () => {
  it('are pictures of a user, whatever the packs of the outputs', async () => {
    const { blobs, opened } = storage();
    const items = frames(0, 1).map((item) => ({ ...item, input: `folder/${item.name}.jpg` }));
    expect(await take(readInputs(items, { ...places, blobs }))).toEqual([
      ['0', 'folder/0.jpg'],
      ['1', 'folder/1.jpg'],
    ]);
    expect(opened).toEqual([]);
  });

  it('are read in the version that was listed', async () => {
    const asked: (string | undefined)[] = [];
    const { blobs } = storage();
    const readInput = (_: string, __: AbortSignal, etag?: string) => {
      asked.push(etag);
      return Promise.resolve(new Uint8Array(1));
    };
    const items = frames(0, 1).map((item, k) => ({ ...item, input: 'a.jpg', ...(k === 0 && { etag: '0x8D' }) }));
    await take(readInputs(items, { ...places, blobs: { ...blobs, readInput } }));
    expect(asked).toEqual(['0x8D', undefined]);
  });

  it('are frames that are files of their own', async () => {
    const { blobs } = storage();
    expect(await take(readInputs(frames(7), { ...places, pack: 1, blobs }))).toEqual([['7', 'frames/0000007.png']]);
  });

  it('are lost where such a file is gone or cut off', async () => {
    const whole = Buffer.from('P6\n1 1\n255\nabc');
    const { blobs } = storage();
    const readFrame = (name: string) =>
      name.includes('0000009')
        ? Promise.reject(new JobError('item', `${name} does not exist`))
        : Promise.resolve(new Uint8Array(name.includes('0000008') ? whole.subarray(0, -1) : whole));
    const inputs = readInputs(frames(7, 8, 9), { ...places, pack: 1, frames: 'ppm', blobs: { ...blobs, readFrame } });
    expect(await take(inputs)).toEqual([
      ['7', whole.toString()],
      ['8', 'lost: frames/0000008.ppm cannot be read: it is cut off'],
      ['9', 'lost: frames/0000009.ppm does not exist'],
    ]);
  });

  it('of a user are not lost where a file is gone: that is what the user has done', async () => {
    const { blobs } = storage();
    const readInput = () => Promise.reject(new JobError('item', 'it does not exist'));
    const items = frames(0).map((item) => ({ ...item, input: 'a.jpg' }));
    expect(await take(readInputs(items, { ...places, blobs: { ...blobs, readInput } }))).toEqual([
      ['0', 'item: it does not exist'],
    ]);
  });

  it('are frames of packs, each of which is opened once, without those that nobody asked for', async () => {
    const { blobs, opened } = storage();
    expect(await take(readInputs(frames(1, 3, 4, 5, 6, 7, 12), { ...places, blobs }))).toEqual(
      [1, 3, 4, 5, 6, 7, 12].map((index) => [String(index), String(index)]),
    );
    expect(opened).toEqual(['frames/0000000.zip', 'frames/0000004.zip', 'frames/0000012.zip']);
  });

  it('are what a pack holds from its middle on, where its first half was scored before', async () => {
    const { blobs, opened } = storage();
    expect(await take(readInputs(frames(2, 3, 7, 9, 10, 11), { ...places, blobs }))).toEqual(
      [2, 3, 7, 9, 10, 11].map((index) => [String(index), String(index)]),
    );
    expect(opened).toEqual(['frames/0000000.zip from 2', 'frames/0000004.zip from 3', 'frames/0000008.zip']);
  });

  it('are lost where their pack does not hold them', async () => {
    const { blobs } = storage();
    expect(await take(readInputs(frames(12, LENGTH), { ...places, blobs }))).toEqual([
      ['12', '12'],
      [String(LENGTH), 'lost: it is not in frames/0000012.zip'],
    ]);
  });

  it('are lost rather than have the pixels of another frame, where a name in their pack was changed', async () => {
    const { blobs } = storage(() => ({ renamed: [1, 3] }));
    expect(await take(readInputs(frames(0, 1, 3), { ...places, blobs }))).toEqual([
      ['0', '0'],
      ['1', 'lost: it is damaged'],
      ['3', 'lost: it is damaged'],
    ]);
  });

  it('are lost from where their pack is damaged, and those of the next pack are not', async () => {
    const fail = new JobError('item', 'it is cut off');
    const { blobs } = storage((blob) => (blob.includes('0000000') ? { fail } : {}));
    expect(await take(readInputs(frames(0, 1, 2, 3, 4), { ...places, blobs }))).toEqual([
      ['0', '0'],
      ['1', '1'],
      ['2', 'lost: it is cut off'],
      ['3', 'lost: it is cut off'],
      ['4', '4'],
    ]);
  });

  it('end with the failure of storage, after the frames that had arrived', async () => {
    const { blobs } = storage(() => ({ fail: new JobError('platform', 'storage is away') }));
    const inputs = readInputs(frames(0, 1, 2, 3), { ...places, blobs });
    expect([(await inputs.next()).value?.item.index, (await inputs.next()).value?.item.index]).toEqual([0, 1]);
    await expect(inputs.next()).rejects.toThrow('storage is away');
  });
});
