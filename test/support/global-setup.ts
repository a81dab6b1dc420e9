import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Connection string of the Azurite that all test files share. */
    storage: string;
  }
}

/** Builds the project once and starts one Azurite for all test files, as the local stack does. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const root = path.resolve(import.meta.dirname, '../..');
  for (const step of [['node_modules/typescript/bin/tsc', '--build'], ['bundle.mjs']])
    execFileSync(process.execPath, step, { cwd: root, stdio: 'inherit' });
  const { startAzurite } = await import('../../dist/stack/azurite.js');
  const folder = mkdtempSync(path.join(os.tmpdir(), 'azurite-'));
  const azurite = await startAzurite(folder, process.env);
  project.provide('storage', azurite.connectionString);
  return async () => {
    await azurite.stop();
    rmSync(folder, { recursive: true, force: true });
  };
}
