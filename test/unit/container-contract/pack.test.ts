import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type Member,
  packBytes,
  readIndex,
  readMember,
  type ReadRange,
  readPack,
  writePack,
} from '../../../src/container-contract/pack.js';

const member = (name: string, content: string | Uint8Array = name): Member => ({ name, bytes: Buffer.from(content) });

async function pack(...members: Member[]): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of writePack(members)) parts.push(part);
  return Buffer.concat(parts);
}

async function* chunksOf(bytes: Uint8Array, size = 7): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function unpack(bytes: Uint8Array, { size = 7, whole = bytes.length } = {}): Promise<Member[]> {
  const members: Member[] = [];
  for await (const each of readPack(chunksOf(bytes, size), whole)) members.push(each);
  return members;
}

/** Reads from a stored pack, and counts how often. */
function stored(bytes: Uint8Array) {
  const reads: number[] = [];
  const read: ReadRange = async (from, count) => {
    reads.push(count);
    return bytes.subarray(from, from + count);
  };
  return { read, reads };
}

async function unpackByIndex(bytes: Uint8Array): Promise<Member[]> {
  const { read } = stored(bytes);
  const members: Member[] = [];
  for (const entry of await readIndex(read, bytes.length))
    members.push({ name: entry.name, bytes: await readMember(read, entry) });
  return members;
}

const shown = (members: Member[]) => members.map(({ name, bytes }) => [name, Buffer.from(bytes).toString('latin1')]);
/** What is said of a pack that cannot be read: a clause, and not what Node says of a buffer. */
const REFUSAL = /^it (?:is|has) /;
/** Both ways of reading. */
const WAYS = [
  ['as it arrives', unpack],
  ['by its index', unpackByIndex],
] as const;

describe.each(WAYS)('A pack that is read %s', (_, read) => {
  it.each<[string, Member[]]>([
    ['no members', []],
    ['one member', [member('0000000.png')]],
    ['a member without bytes', [member('0000000.png', ''), member('0000001.png'), member('0000002.json', '')]],
    ['members that look like parts of a pack', [member('a.zip', 'PK\x03\x04PK\x01\x02PK\x05\x06'), member('b', 'PK')]],
    ['many members', Array.from({ length: 700 }, (_each, k) => member(`${k}.npy`, String(k)))],
  ])('gives back %s', async (_case, members) => {
    expect(shown(await read(await pack(...members)))).toEqual(shown(members));
  });

  it.each([
    ['folders', 'nested/deeper/a.jpg'],
    ['spaces and signs', ' a b+c&d=e?f#g%20~!@$^(){}[];,\'"`<>|*:.jpeg'],
    ['other scripts', 'Дорога/道路/طريق/𝒜🎨é.png'],
    ['both forms of an accent', 'e\u0301/\u00e9.png'],
    ['dots', '..a/...b/.c/d...'],
    ['a thousand characters', `${'ö'.repeat(1000)}.png`],
    ['the most bytes', 'a'.repeat(65_535)],
    ['what objects have already', '__proto__'],
  ])('keeps names with %s', async (_case, name) => {
    expect(shown(await read(await pack(member(name, 'x'), member(`${name.slice(1)}/`.slice(0, -1)))))[0]).toEqual([
      name,
      'x',
    ]);
  });

  it('is refused wherever it is cut', async () => {
    const whole = await pack(member('0000000.png', 'some'), member('0000001.png', ''), member('0000002.png', 'more'));
    for (let length = 0; length < whole.length; length += 1)
      await expect(read(whole.subarray(0, length)), `${length} bytes`).rejects.toThrow(REFUSAL);
  });

  it('is refused whichever bit is changed', async () => {
    const whole = await pack(member('0.png', 'some'), member('nested/é.png', 'more'));
    for (let at = 0; at < whole.length * 8; at += 1) {
      const changed = Buffer.from(whole);
      changed[at >> 3] = (changed[at >> 3] ?? 0) ^ (1 << (at & 7));
      await expect(read(changed), `bit ${at}`).rejects.toThrow(REFUSAL);
    }
  });

  it('is refused with anything behind it or before it', async () => {
    const whole = await pack(member('0.png'));
    for (const bytes of [
      Buffer.concat([whole, Buffer.from([0])]),
      Buffer.concat([whole, whole]),
      Buffer.concat([Buffer.alloc(9), whole]),
    ])
      await expect(read(bytes)).rejects.toThrow(REFUSAL);
  });

  it('is refused with names that lead out of a folder', async () => {
    const good = 'aa/bb/cc';
    for (const bad of [
      '../bb/cc',
      'aa/../cc',
      'aa/bb/..',
      '/a/bb/cc',
      'aa//b/cc',
      'aa/bb/c/',
      './aaa/cc',
      'aa\\bb/cc',
      'aa/b\0/cc',
    ]) {
      expect(bad).toHaveLength(good.length);
      const whole = await pack(member(good, 'x'));
      const changed = Buffer.from(whole.toString('latin1').replaceAll(good, bad), 'latin1');
      await expect(read(changed), bad).rejects.toThrow('whose name cannot be stored');
    }
  });

  it('is refused when two members have the same name', async () => {
    const whole = await pack(member('0.png', 'x'), member('1.png', 'x'));
    const changed = Buffer.from(whole.toString('latin1').replaceAll('1.png', '0.png'), 'latin1');
    await expect(read(changed)).rejects.toThrow('two items named "0.png"');
  });

  it('is refused when members claim each other’s bytes', async () => {
    const whole = await pack(member('0.png', 'x'.repeat(50)), member('1.png', 'y'.repeat(50)));
    const second = whole.lastIndexOf('PK\x01\x02', undefined, 'latin1') + 42;
    const changed = Buffer.from(whole);
    changed.writeUInt32LE(0, second);
    await expect(read(changed)).rejects.toThrow('damaged');
  });

  it('is refused when another program compressed it', async () => {
    const whole = await pack(member('0.png', 'x'));
    for (const at of [8, whole.indexOf('PK\x01\x02', 0, 'latin1') + 10]) whole.writeUInt16LE(8, at);
    await expect(read(whole)).rejects.toThrow('was not written by this program');
  });

  it.each([
    ['nothing', ''],
    ['a picture', '\x89PNG\r\n\x1a\n and more bytes than the end of a pack has'],
    ['zeros', '\0'.repeat(200)],
  ])('is not %s', async (_case, text) => {
    await expect(read(Buffer.from(text, 'latin1'))).rejects.toThrow(REFUSAL);
  });
});

describe('writePack', () => {
  it('gives the same bytes for the same members', async () => {
    const members = [member('0.png', randomBytes(100)), member('1.png')];
    const first = await pack(...members);
    expect(first.equals(await pack(...members))).toBe(true);
    expect(packBytes(members)).toBe(first.length);
  });

  it('gives each piece before it asks for the next member', async () => {
    const asked: string[] = [];
    async function* members() {
      for (const name of ['0.png', '1.png']) {
        asked.push(name);
        yield member(name);
      }
    }
    const pieces = writePack(members());
    await pieces.next();
    await pieces.next();
    expect(asked).toEqual(['0.png']);
  });

  it.each([
    ['', 'cannot be stored'],
    ['../0.png', 'cannot be stored'],
    ['a/./b.png', 'cannot be stored'],
    ['/0.png', 'cannot be stored'],
    ['a\\b.png', 'cannot be stored'],
    ['a\nb.png', 'cannot be stored'],
    ['\ud800.png', 'cannot be stored'],
    [`${'a'.repeat(65_532)}.png`, 'cannot be stored'],
    ['there.png', 'two items named "there.png"'],
  ])('refuses the name %j', async (name, message) => {
    await expect(pack(member('there.png'), member(name))).rejects.toThrow(message);
  });

  it('refuses what the format cannot count', () => {
    const names = (count: number) =>
      Array.from({ length: count }, (_, k) => ({ name: String(k), bytes: { length: 0 } }));
    expect(packBytes(names(65_534))).toBeGreaterThan(65_534 * 76);
    expect(() => packBytes(names(65_535))).toThrow('more than 65534 items');
    expect(packBytes([{ name: '0', bytes: { length: 2 ** 32 - 200 } }])).toBe(2 ** 32 - 200 + 100);
    expect(() => packBytes([{ name: '0', bytes: { length: 2 ** 32 - 101 } }])).toThrow('bytes');
  });
});

describe('readPack', () => {
  it.each([1, 2, 29, 30, 31, 1000])('takes chunks of %i bytes', async (size) => {
    const members = [member('0.png', 'x'.repeat(100)), member('1.png', '')];
    expect(shown(await unpack(await pack(...members), { size }))).toEqual(shown(members));
  });

  it('gives nothing under the name of another member, whichever bit is changed', async () => {
    const members = [1, 2, 3].map((k) => member(`000000${k}.ppm`, `frame ${k}`));
    const whole = await pack(...members);
    const right = new Map(shown(members) as [string, string][]);
    for (let at = 0; at < whole.length * 8; at += 1) {
      const changed = Buffer.from(whole);
      changed[at >> 3] = (changed[at >> 3] ?? 0) ^ (1 << (at & 7));
      const given: Member[] = [];
      const isNamed = (name: string, position: number) => name === members[position]?.name;
      const read = async () => {
        for await (const each of readPack(chunksOf(changed), changed.length, isNamed)) given.push(each);
      };
      await expect(read(), `bit ${at}`).rejects.toThrow(REFUSAL);
      for (const [name, content] of shown(given)) expect(right.get(name ?? ''), `bit ${at}`).toBe(content);
    }
  });

  it('gives a member before what follows has arrived', async () => {
    const whole = await pack(member('0.png'), member('1.png'));
    const first = packBytes([member('0.png')]) - 46 - 5 - 22;
    async function* arriving() {
      yield whole.subarray(0, first);
      throw new Error('read too far');
    }
    const { value } = await readPack(arriving(), whole.length).next();
    expect(value?.name).toBe('0.png');
  });

  it('gives the members before the place where it is cut', async () => {
    const whole = await pack(member('0.png'), member('1.png', 'x'.repeat(100)));
    const names: string[] = [];
    const reading = async () => {
      for await (const { name } of readPack(chunksOf(whole.subarray(0, 120)), whole.length)) names.push(name);
    };
    await expect(reading()).rejects.toThrow('cut off');
    expect(names).toEqual(['0.png']);
  });

  it('holds nothing of a member that claims more bytes than the pack has', async () => {
    const whole = await pack(member('0.png', 'x'));
    whole.writeUInt32LE(0xf0000000, 18);
    whole.writeUInt32LE(0xf0000000, 22);
    let given = 0;
    async function* endless() {
      yield whole;
      for (; given < 100; given += 1) yield Buffer.alloc(1000);
    }
    await expect(readPack(endless(), whole.length).next()).rejects.toThrow('damaged');
    expect(given).toBe(0);
  });

  it('lets go of its source when nobody reads on', async () => {
    const whole = await pack(member('0.png'), member('1.png'));
    let closed = false;
    async function* arriving() {
      try {
        yield* chunksOf(whole);
      } finally {
        closed = true;
      }
    }
    for await (const { name } of readPack(arriving(), whole.length)) if (name === '0.png') break;
    expect(closed).toBe(true);
  });

  it('has at most one member more than its reader, whatever the pack has', async () => {
    let [written, read, most] = [0, 0, 0];
    function* members() {
      while (written < 300) {
        written += 1;
        yield member(String(written), Buffer.alloc(1000));
      }
    }
    const bytes = packBytes(members());
    written = 0;
    for await (const each of readPack(writePack(members()), bytes)) {
      most = Math.max(most, written - read);
      read += each.bytes.length / 1000;
    }
    expect([read, most]).toEqual([300, 1]);
  });

  it('is not content with a pack that goes on behind the bytes that it should have', async () => {
    const whole = await pack(member('0.png'));
    await expect(unpack(Buffer.concat([whole, Buffer.from('x')]), { whole: whole.length })).rejects.toThrow('damaged');
  });

  it('takes a member of 200 megabytes', async () => {
    const members = [
      member('0.npy', ''),
      { name: '1.npy', bytes: new Uint8Array(200_000_000).fill(7) },
      member('2.npy'),
    ];
    const found: Member[] = [];
    for await (const each of readPack(writePack(members), packBytes(members))) found.push(each);
    expect(found.map(({ name, bytes }) => [name, bytes.length])).toEqual(
      members.map(({ name, bytes }) => [name, bytes.length]),
    );
    expect(found[1]?.bytes.at(-1)).toBe(7);
  });
});

describe('readIndex', () => {
  it('reads a member with two requests, of which none is larger than it must be', async () => {
    const members = Array.from({ length: 200 }, (_, k) => member(`${k}.png`, randomBytes(10_000)));
    const whole = await pack(...members);
    const { read, reads } = stored(whole);
    const entries = await readIndex(read, whole.length);
    const wanted = entries.find(({ name }) => name === '150.png');
    expect(wanted && Buffer.from(await readMember(read, wanted)).equals(members[150]?.bytes ?? Buffer.alloc(0))).toBe(
      true,
    );
    expect(reads).toEqual([32 * 1024, 10_000 + 30 + 7]);
  });

  it('reads a long index with two requests', async () => {
    const whole = await pack(...Array.from({ length: 5000 }, (_, k) => member(`${k}.png`, '')));
    const { read, reads } = stored(whole);
    expect(await readIndex(read, whole.length)).toHaveLength(5000);
    expect(reads).toHaveLength(2);
  });

  it('does not read what an end claims that is larger than the pack', async () => {
    const whole = await pack(member('0.png'));
    whole.writeUInt32LE(0xffffff00, whole.length - 22 + 12);
    const { read, reads } = stored(whole);
    await expect(readIndex(read, whole.length)).rejects.toThrow('damaged');
    expect(reads).toHaveLength(1);
  });
});
