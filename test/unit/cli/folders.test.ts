import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findPictures, noPictures } from '../../../src/cli/client/folders.js';
import { LeftOut } from '../../../src/job/items/left-out.js';

const PNG = Buffer.from('89504e470d0a1a0a', 'hex');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'pictures-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(...names: string[]): void {
  for (const name of names) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), PNG);
  }
}

async function found(): Promise<{ names: string[]; leftOut: LeftOut }> {
  const leftOut = new LeftOut();
  const names: string[] = [];
  for await (const { name } of findPictures(folder, '', leftOut)) names.push(name);
  return { names: names.toSorted(), leftOut };
}

describe('of a folder of pictures', () => {
  test('a hidden picture is left out with a word, and so is a hidden folder', async () => {
    put('a.png', '.b.png', 'sub/.c', 'sub/d', '.cache/e.png', '.cache/f/g.png');
    const { names, leftOut } = await found();
    expect(names).toEqual(['a.png', 'sub/d']);
    const warnings = leftOut.warnings();
    expect(warnings).toHaveLength(2);
    expect(warnings.find((each) => each.startsWith('2 hidden pictures are left out ('))).toMatch(
      /(?=.*\.b\.png)(?=.*sub\/\.c)/,
    );
    expect(warnings.find((each) => each.startsWith('1 hidden folder is left out (.cache/)'))).toBeDefined();
  });

  test('what macOS and Windows put beside them is no hidden picture', async () => {
    put('a.png', '._a.png');
    for (const name of ['.DS_Store', 'Thumbs.db']) writeFileSync(path.join(folder, name), 'text');
    const { names, leftOut } = await found();
    expect(names).toEqual(['a.png']);
    expect(leftOut.warnings()).toEqual([
      '1 macOS metadata file is left out (._a.png): no picture is missing with it.',
      expect.stringMatching(/^2 files are not images and are left out: (?=.*\.DS_Store)(?=.*Thumbs\.db)/),
    ]);
  });

  test('a hidden link to nowhere, as editors leave it, stops nothing', async () => {
    put('a.png');
    symlinkSync('somebody@somewhere', path.join(folder, '.#a.png'));
    const { names, leftOut } = await found();
    expect(names).toEqual(['a.png']);
    expect(leftOut.warnings()).toEqual(['1 file is not an image and is left out: .#a.png.']);
  });

  test('a link to a picture counts, a link to a folder is left out with a word', async () => {
    put('a.png', 'other/b.png');
    symlinkSync(path.join(folder, 'a.png'), path.join(folder, 'linked.png'));
    symlinkSync(path.join(folder, 'other'), path.join(folder, 'album'));
    const { names, leftOut } = await found();
    expect(names).toEqual(['a.png', 'linked.png', 'other/b.png']);
    expect(leftOut.warnings()).toEqual([expect.stringMatching(/^1 linked folder is left out \(album\/\)/)]);
  });

  test('a link to nothing is left out with a word and stops nothing', async () => {
    put('a.png');
    for (const name of ['gone.png', 'gone']) symlinkSync('nowhere.png', path.join(folder, name));
    symlinkSync('round.png', path.join(folder, 'round.png'));
    const { names, leftOut } = await found();
    expect(names).toEqual(['a.png']);
    expect(leftOut.warnings()).toEqual([
      expect.stringMatching(/^3 broken links are left out \((?=.*gone\.png)(?=.*round\.png)/),
    ]);
  });

  test('a folder that is called like a picture is looked into', async () => {
    put('a.png/b.png');
    const { names, leftOut } = await found();
    expect({ names, warnings: leftOut.warnings() }).toEqual({ names: ['a.png/b.png'], warnings: [] });
  });

  test('names that differ in case or in the form of their letters are pictures of their own', async () => {
    const forms = ['\u00e9.png', 'e\u0301.png'];
    put('a.png', 'A.png', ...forms);
    const { names } = await found();
    expect(names).toEqual(['a.png', 'A.png', ...forms].toSorted());
  });

  test('where all of them are hidden, the error says so', async () => {
    put('.a.png', '.b.png');
    const { leftOut } = await found();
    expect(noPictures(folder, leftOut).message).toMatch(/, but 2 hidden pictures \(rename them without the dot /);
  });
});
