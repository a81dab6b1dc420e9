import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');
const FIXTURES = path.join(ROOT, 'test/fixtures');

interface Diagnostic {
  code: string;
  message: string;
  filename: string;
  labels: { span: { line: number } }[];
}

/** What the linter says about files that are made to be refused. */
function lint(...args: string[]): Diagnostic[] {
  const { stdout } = spawnSync(path.join(ROOT, 'node_modules/.bin/oxlint'), ['--format', 'json', ...args], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return (JSON.parse(stdout) as { diagnostics: Diagnostic[] }).diagnostics;
}

/** Folders of one room at one depth are watched together: `compute/*` for `compute/aci`. */
function place(folder: string): string {
  const [room, ...below] = folder.split(path.sep);
  return [room, ...below.map(() => '*')].join('/');
}

test('the linter refuses each way in which an orchestrator could be impure, and floating promises', () => {
  const diagnostics = lint('--type-aware', 'test/fixtures/src/orchestrators/impure.ts');
  const found = diagnostics.map(({ code, message }) => `${code} ${message}`).join('\n');
  for (const name of [
    'node:fs',
    '@azure/functions',
    '../storage/storage.js',
    "'setTimeout'",
    "'Date'",
    "'process'",
    "'console'",
    "'fetch'",
    'Math.random',
    'no-floating-promises',
  ]) {
    expect(found).toContain(name);
  }
});

describe('the linter refuses every import that leaves a room through the wrong door', () => {
  const files = readdirSync(FIXTURES, { recursive: true, encoding: 'utf8' })
    .filter((file) => path.basename(file) === 'crossing.ts')
    .toSorted();
  const refused = new Set(
    lint('test/fixtures')
      .filter(({ code }) => code === 'eslint(no-restricted-imports)')
      .map(
        ({ filename, labels }) => `${path.relative(FIXTURES, path.resolve(ROOT, filename))}:${labels[0]?.span.line}`,
      ),
  );

  test.each(files)('%s', (file) => {
    const lines = readFileSync(path.join(FIXTURES, file), 'utf8').split('\n');
    const imports = lines.flatMap((line, index) =>
      line.startsWith('import') ? [{ line, at: `${file}:${index + 1}` }] : [],
    );
    expect(imports.length).toBeGreaterThan(0);
    expect(imports.filter(({ at }) => !refused.has(at)).map(({ line }) => line)).toEqual([]);
  });

  test('and each folder of src is watched', () => {
    const folders = readdirSync(path.join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => path.dirname(file));
    const watched = new Set(files.map((file) => place(path.dirname(path.relative('src', file)))));
    expect([...new Set(folders)].filter((folder) => folder !== '.' && !watched.has(place(folder)))).toEqual([]);
  });
});

test('the linter refuses files that import each other, even when they import only types', () => {
  const circles = lint('test/fixtures/src/circle').filter(({ code }) => code === 'import(no-cycle)');
  expect(circles.map(({ filename }) => path.basename(filename)).toSorted()).toEqual(['one.ts', 'other.ts']);
});
