import { closeSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';

/**
 * Writes a folder into a zip archive, which is the same byte for byte whenever the files are. Programs stay executable, on whatever system
 * the archive is made: Azure mounts it as it is. Format: PKWARE's APPNOTE 6.3, without its extension for 4 GB and more.
 */
const LOCAL_FILE = 0x04034b50;
const CENTRAL_FILE = 0x02014b50;
const END = 0x06054b50;
const VERSION = 20;
/** Made on Unix, so that the upper half of the attributes is a mode. */
const MADE_ON_UNIX = (3 << 8) | VERSION;
const UTF8_NAMES = 0x0800;
const DEFLATED = 8;
/** Midnight of 1980-01-01, the first time that the format knows. */
const TIME = 0;
const DATE = (1 << 5) | 1;
const REGULAR_FILE = 0o100000;

const numbers = (...fields) =>
  Buffer.concat(
    fields.map(([bytes, value]) => {
      const field = Buffer.alloc(bytes);
      field.writeUIntLE(value, 0, bytes);
      return field;
    }),
  );

/** @param programs tells whether the file of this name, with slashes, is to be executable. */
export function writeZip(folder, file, programs) {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'))
    .toSorted();
  const archive = openSync(file, 'w');
  try {
    let offset = 0;
    const write = (...parts) => {
      for (const part of parts) offset += writeSync(archive, part);
    };
    const central = names.map((name) => {
      const content = readFileSync(path.join(folder, name));
      const packed = deflateRawSync(content);
      const start = offset;
      const encoded = Buffer.from(name);
      const what = numbers(
        [2, VERSION],
        [2, UTF8_NAMES],
        [2, DEFLATED],
        [2, TIME],
        [2, DATE],
        [4, crc32(content)],
        [4, packed.length],
        [4, content.length],
        [2, encoded.length],
        [2, 0],
      );
      write(numbers([4, LOCAL_FILE]), what, encoded, packed);
      const mode = REGULAR_FILE | (programs(name) ? 0o755 : 0o644);
      // No comment, on the first disk, not known to be text; then the attributes, of Unix above and of DOS below.
      const where = numbers([2, 0], [2, 0], [2, 0], [2, 0], [2, mode], [4, start]);
      return Buffer.concat([numbers([4, CENTRAL_FILE], [2, MADE_ON_UNIX]), what, where, encoded]);
    });
    const start = offset;
    write(...central);
    const size = offset - start;
    write(numbers([4, END], [2, 0], [2, 0], [2, names.length], [2, names.length], [4, size], [4, start], [2, 0]));
  } finally {
    closeSync(archive);
  }
  return statSync(file).size;
}
