import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { DurableClient } from '../support/durable-client.js';
import { startHost } from '../support/host-process.js';

const PACKAGE = path.resolve(import.meta.dirname, '../..');
const INSTALLED = path.resolve(PACKAGE, '../node_modules');
const APP = path.join(PACKAGE, 'test/fixtures/durable');

interface Manifest {
  name: string;
  version: string;
  bin: { devhost: string };
  exports: { '.': { types: string } };
  dependencies: Record<string, string>;
}

/** A folder outside of the checkout with an app and what it depends on, the package among it as npm packs and unpacks it. */
function freshFolder(): { folder: string; manifest: Manifest; files: string[] } {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'devhost-package-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(APP, folder, { recursive: true });
  const modules = path.join(folder, 'node_modules');
  const unpacked = path.join(modules, 'devhost');
  mkdirSync(unpacked, { recursive: true });
  execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: PACKAGE });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
  execFileSync('tar', ['-xzf', path.join(folder, tarball), '-C', unpacked, '--strip-components', '1']);
  const manifest = JSON.parse(readFileSync(path.join(unpacked, 'package.json'), 'utf8')) as Manifest;
  for (const name of [...Object.keys(manifest.dependencies), '@azure/functions', 'durable-functions']) {
    mkdirSync(path.dirname(path.join(modules, name)), { recursive: true });
    symlinkSync(path.join(INSTALLED, name), path.join(modules, name), 'dir');
  }
  return { folder, manifest, files: readdirSync(unpacked, { recursive: true }).map(String) };
}

it('the package holds what it needs, and runs an app in a folder of its own', async () => {
  const { folder, manifest, files } = freshFolder();
  expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', manifest.exports['.'].types.slice(2)]));
  expect(files.filter((file) => /\.(ts|map|tsbuildinfo)$/.test(file) && !file.endsWith('.d.ts'))).toEqual([]);

  const program = path.join(folder, 'node_modules/devhost', manifest.bin.devhost);
  const host = await startHost({ app: folder, program });
  onTestFinished(async () => void (await host.stop()));
  expect(host.log).toContain('sequence: orchestrationTrigger');
  expect((await new DurableClient(host.url).run('sequence', [1, 'b'])).output).toEqual([1, 'b']);
});
