import { describe, expect, test } from 'vitest';
import { fileKindByName, fileKindByStart } from '../../../../src/job/items/formats.js';
import { HIDDEN_FOLDER, HIDDEN_PICTURE, LeftOut, LINKED_FOLDER } from '../../../../src/job/items/left-out.js';

function leftOut(...names: string[]): LeftOut {
  const files = new LeftOut();
  for (const name of names) {
    const kind = fileKindByName(name);
    files.add(name, kind === 'picture' ? undefined : kind);
  }
  return files;
}

describe('what a folder leaves out is told', () => {
  test('by kind, with the number, some names and what to do', () => {
    const warnings = leftOut('IMG_1.HEIC', 'a.heif', 'b/IMG_2.heic', 'IMG_3.HEIC', 'c.dng', 'notes.txt').warnings();
    expect(warnings).toEqual([
      expect.stringMatching(
        /^4 HEIC files are left out \(IMG_1\.HEIC, a\.heif, b\/IMG_2\.heic, …\): convert them to JPEG/,
      ),
      expect.stringMatching(/^1 camera raw file is left out \(c\.dng\): develop it to JPEG/),
      '1 file is not an image and is left out: notes.txt.',
    ]);
  });

  test('also of hidden pictures and of folders that nobody looks into', () => {
    const files = new LeftOut();
    for (const name of ['.a.jpg', 'b/.c.png']) files.add(name, HIDDEN_PICTURE);
    for (const name of ['.cache/', '.old/']) files.add(name, HIDDEN_FOLDER);
    files.add('album/', LINKED_FOLDER);
    expect(files.warnings()).toEqual([
      '2 hidden pictures are left out (.a.jpg, b/.c.png): rename them without the dot to have them scored.',
      '2 hidden folders are left out (.cache/, .old/): rename them without the dot to have what is in them scored.',
      '1 linked folder is left out (album/): copy it into this folder to have what is in it scored.',
    ]);
  });

  test('as the reason where nothing else is there', () => {
    expect(leftOut('IMG_1.HEIC').summary()).toMatch(/^1 HEIC file \(convert it to JPEG/);
    expect(leftOut('IMG_1.HEIC', 'IMG_2.HEIC', 'a.txt').summary()).toMatch(
      /^2 HEIC files \(convert them .+\), one file of another kind$/,
    );
    expect(leftOut().summary()).toBe('nothing');
    expect(leftOut().warnings()).toEqual([]);
  });
});

describe('a relative of pictures is known', () => {
  test.each([
    ['IMG_1234.HEIC', 'HEIC'],
    ...['a.dng', 'a.NEF', 'a.cr2', 'a.CR3', 'a.arw', 'a.orf', 'a.rw2', 'a.pef', 'a.raf'].map((name) => [
      name,
      'camera raw',
    ]),
    ['a.jxl', 'JPEG XL'],
    ['a.jp2', 'JPEG 2000'],
    ['a.svg', 'SVG'],
    ['a.psd', 'Photoshop'],
    ['a.mp4', 'video'],
    ['._a.jpg', 'macOS metadata'],
    ['b/._a.mp4', 'macOS metadata'],
    ['._notes', 'macOS metadata'],
  ])('by its name: %s', (name, adjective) => {
    expect(fileKindByName(name)).toMatchObject({ noun: `${adjective} file` });
  });

  test.each([
    ['....ftypheic....mif1heic', 'HEIC'],
    ['....ftypmif1....mif1heic', 'HEIC'],
    ['....ftypcrx ....crx isom', 'camera raw'],
    ['IIU\0', 'camera raw'],
    ['IIRO', 'camera raw'],
    ['FUJIFILMCCD-RAW 0201', 'camera raw'],
    ['\0\0\0\fJXL \r\n', 'JPEG XL'],
    ['\u00ff\n\u00fa', 'JPEG XL'],
    ['\0\0\0\fjP  \r\n', 'JPEG 2000'],
    ['<svg xmlns="http://www.w3.org/2000/svg"/>', 'SVG'],
    ['<?xml version="1.0"?>\n<svg width="3"/>', 'SVG'],
    ['8BPS', 'Photoshop'],
    ['....ftypisom....isomavc1', 'video'],
  ])('by its first bytes: %j', (start, adjective) => {
    expect(fileKindByStart(Buffer.from(start, 'latin1'))).toMatchObject({ noun: `${adjective} file` });
  });

  test('and nothing else is', () => {
    for (const name of ['a.txt', 'heic', 'a.jpg', '.a.jpg', 'b._a.jpg', 'Thumbs.db', 'README'])
      expect([undefined, 'picture']).toContain(fileKindByName(name));
    expect(fileKindByStart(Buffer.from('plain text'))).toBeUndefined();
    expect(fileKindByStart(Buffer.from('....ftypavif....avifmif1', 'latin1'))).toBe('picture');
  });
});
