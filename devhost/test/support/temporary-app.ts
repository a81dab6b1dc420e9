import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';

const NODE_MODULES = path.resolve(import.meta.dirname, '../../../node_modules');

/** A folder with an app of these files, removed when the test ends; host.json takes the hub name from HUB. */
export function temporaryApp(files: Record<string, string | object>): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'devhost-app-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(NODE_MODULES, path.join(folder, 'node_modules'), 'dir');
  const all = {
    'package.json': { type: 'module', main: 'main.js' },
    'host.json': { version: '2.0', extensions: { durableTask: { hubName: '%HUB%' } } },
    ...files,
  };
  for (const [name, content] of Object.entries(all)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  }
  return folder;
}
