import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');

test('the linter refuses each way in which an orchestrator could be impure, and floating promises', () => {
  const args = ['--type-aware', '--format', 'json', 'test/fixtures/src/orchestrators/impure.ts'];
  const { stdout } = spawnSync(path.join(ROOT, 'node_modules/.bin/oxlint'), args, { cwd: ROOT, encoding: 'utf8' });
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string; message: string }[] };
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
