import { execFileSync, spawnSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Member, writePack } from '../../../src/container-contract/pack.js';

const NAMES = [
  '0000042.ppm',
  'nested/deeper/a b.jpg',
  'Дорога/道路/é 🎨.png',
  'empty.json',
  `${'long/'.repeat(40)}name.npy`,
];
const members: Member[] = NAMES.map((name) => ({
  name,
  bytes: Buffer.from(name === 'empty.json' ? '' : `of ${name}`),
}));

const isThere = (program: string, ...args: string[]) => spawnSync(program, args, { stdio: 'ignore' }).status === 0;

describe('A pack', () => {
  let folder: string;
  let file: string;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'pack-'));
    file = path.join(folder, 'pack.zip');
    await pipeline(Readable.from(writePack(members)), createWriteStream(file));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.runIf(isThere('unzip', '-v'))('is unpacked by unzip, with nothing to say against it', async () => {
    const target = path.join(folder, 'unpacked');
    execFileSync('unzip', ['-q', file, '-d', target], { env: { LC_ALL: 'C.UTF-8' } });
    const files = await readdir(target, { recursive: true, withFileTypes: true });
    expect(files.filter((each) => each.isFile())).toHaveLength(NAMES.length);
    for (const { name, bytes } of members) expect(await readFile(path.join(target, name))).toEqual(bytes);
    expect(execFileSync('unzip', ['-tq', file], { encoding: 'utf8' })).toContain('No errors detected');
  });

  it.runIf(isThere('python3', '-c', 'import zipfile'))('is read by Python', () => {
    const program = `import json, sys, zipfile
pack = zipfile.ZipFile(sys.argv[1])
assert pack.testzip() is None
print(json.dumps({each.filename: [pack.read(each).decode(), each.compress_type] for each in pack.infolist()}))`;
    const read = JSON.parse(execFileSync('python3', ['-c', program, file], { encoding: 'utf8' })) as unknown;
    expect(read).toEqual(Object.fromEntries(members.map(({ name, bytes }) => [name, [bytes.toString(), 0]])));
  });
});
