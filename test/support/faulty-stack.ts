import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { type RestartableStack, startRestartableStack } from './restartable-stack.js';

export interface FaultyStack extends Pick<RestartableStack, 'proxy' | 'storage' | 'client'> {
  folder: string;
}

/** A restartable stack of the test file's own. */
export function useFaultyStack(seed: number, env: NodeJS.ProcessEnv = {}): FaultyStack {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-faulty-'));
  const stack = { folder } as FaultyStack & RestartableStack;
  beforeAll(async () => {
    Object.assign(stack, await startRestartableStack({ folder, seed, env: { ...process.env, ...env } }));
  });
  afterAll(async () => {
    await stack.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return stack;
}
