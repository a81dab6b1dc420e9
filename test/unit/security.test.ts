import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');
const rows = readFileSync(path.join(ROOT, 'docs/security.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('|') && line.includes(' › '))
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\|\s*|\s*\|$/g, '').trim()));

test('the page of threats has rows with a threat, what stops it, and a test', () => {
  expect(rows.length).toBeGreaterThan(30);
  expect(rows.filter((row) => row.length !== 3 || row.includes(''))).toEqual([]);
});

test.each(rows)('against "%s" there is what the page names', (_threat, stops = '', shown = '') => {
  const files = [...stops.matchAll(/`([^` ]+\/[^` ]*)`/g)].flatMap(([, file]) => file ?? []);
  expect(files.filter((file) => !existsSync(path.join(ROOT, file)))).toEqual([]);
  const [, file = '', title = ''] = /^`(.+)` › (.+)$/.exec(shown) ?? [];
  expect(existsSync(path.join(ROOT, file)), file).toBe(true);
  expect(readFileSync(path.join(ROOT, file), 'utf8')).toContain(title);
});
