import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

interface Entry {
  version: string;
  license?: string;
  dev?: boolean;
}
type Packages = Record<string, Entry>;

const ROOT = path.resolve(import.meta.dirname, '../../..');
const { problemsOf } = (await import(path.join(ROOT, 'infra/licences.mjs'))) as {
  problemsOf: (packages: Packages) => string[];
};
const { packages } = JSON.parse(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')) as { packages: Packages };

describe('the licences of packages', () => {
  test('are, for all but those for development, among the licences agreed to', () => {
    expect(problemsOf(packages)).toEqual([]);
  });

  test.each([
    ['a licence that nobody agreed to', 'node_modules/x', 'SSPL-1.0', /x 1\.0\.0 is under SSPL-1\.0/],
    ['the GPL, for what becomes part of our programs', 'node_modules/@a/x', 'GPL-3.0', /@a\/x 1\.0\.0 is under GPL-3/],
    ['no licence', 'node_modules/a/node_modules/x', undefined, /^x 1\.0\.0 names no licence\.$/],
    ['a part under another licence', 'node_modules/x', '(MIT AND AGPL-3.0-only)', /AGPL/],
  ])('are refused: %s', (_, place, license, sentence) => {
    expect(problemsOf({ [place]: { version: '1.0.0', license } })).toEqual([expect.stringMatching(sentence)]);
  });

  test.each([
    ['a choice with one that is agreed to', 'node_modules/x', { license: '(MIT OR AGPL-3.0-only)' }],
    ['the GPL, for a program of its own', 'node_modules/@ffmpeg-installer/x', { license: 'GPLv3' }],
    ['any, for development', 'node_modules/x', { license: 'AGPL-3.0-only', dev: true }],
  ])('are taken: %s', (_, place, entry) => {
    expect(problemsOf({ [place]: { version: '1.0.0', ...entry } })).toEqual([]);
  });
});
