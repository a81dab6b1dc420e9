import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { crc32, inflateRawSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';

const { writeZip } = (await import(path.resolve(import.meta.dirname, '../../../infra/app/zip.mjs'))) as {
  writeZip: (folder: string, file: string, programs: (name: string) => boolean) => number;
};

const folder = mkdtempSync(path.join(os.tmpdir(), 'zip-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Files of an archive by what its central directory says, each with its mode. */
function read(archive: Buffer): Record<string, [mode: number, content: string]> {
  const end = archive.length - 22;
  expect(archive.readUInt32LE(end)).toBe(0x06054b50);
  const files: Record<string, [number, string]> = {};
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left -= 1) {
    const nameLength = archive.readUInt16LE(at + 28);
    const name = archive.toString('utf8', at + 46, at + 46 + nameLength);
    const local = archive.readUInt32LE(at + 42);
    expect(archive.toString('utf8', local + 30, local + 30 + nameLength)).toBe(name);
    const start = local + 30 + nameLength;
    const content = inflateRawSync(archive.subarray(start, start + archive.readUInt32LE(at + 20)));
    expect([content.length, crc32(content)]).toEqual([archive.readUInt32LE(at + 24), archive.readUInt32LE(at + 16)]);
    files[name] = [archive.readUInt32LE(at + 38) >>> 16, content.toString()];
    at += 46 + nameLength;
  }
  expect(at).toBe(end);
  return files;
}

test('a zip archive holds every file of a folder, keeps programs executable, and is the same for the same files', () => {
  const app = path.join(folder, 'app');
  mkdirSync(path.join(app, 'bin/ü'), { recursive: true });
  writeFileSync(path.join(app, 'host.json'), '{}');
  writeFileSync(path.join(app, 'bin/program'), 'x'.repeat(100_000), { mode: 0o600 });
  writeFileSync(path.join(app, 'bin/ü/empty'), '');
  const archives = ['one.zip', 'two.zip'].map((name) => {
    const file = path.join(folder, name);
    const size = writeZip(app, file, (each) => each === 'bin/program');
    utimesSync(path.join(app, 'host.json'), 0, 0);
    const archive = readFileSync(file);
    expect(archive.length).toBe(size);
    return archive;
  });
  expect(read(archives[0] ?? Buffer.of())).toEqual({
    'bin/program': [0o100755, 'x'.repeat(100_000)],
    'bin/ü/empty': [0o100644, ''],
    'host.json': [0o100644, '{}'],
  });
  expect(archives[1]?.equals(archives[0] ?? Buffer.of())).toBe(true);
});
