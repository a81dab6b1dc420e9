import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { findFfmpeg } from '../../src/media/media.js';
import type { StackAddress } from './stack.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The local stack that all test files share. */
    stack: StackAddress;
    /** Connection string of its Azurite. */
    storage: string;
    /** A secret among its settings, which is to be seen nowhere. */
    canary: string;
  }
}

/**
 * Builds the project once and starts one local stack for all test files. Jobs run with the FFmpeg from npm, which starts in a thirtieth of
 * the time of most systems' own.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const root = path.resolve(import.meta.dirname, '../..');
  for (const step of [['node_modules/typescript/bin/tsc', '--build'], ['bundle.mjs']])
    execFileSync(process.execPath, step, { cwd: root, stdio: 'inherit' });
  const { ffmpeg, ffprobe } = findFfmpeg({}, '');
  Object.assign(process.env, { FFMPEG_PATH: ffmpeg, FFPROBE_PATH: ffprobe });
  const { startStack } = await import('../../dist/stack/stack.js');
  const data = mkdtempSync(path.join(os.tmpdir(), 'scoring-tests-'));
  // Tests send no key, and see everything; callers with keys are kept apart.
  const canary = `canary-${randomUUID()}`;
  const settings = { MOST_RUNNING_JOBS: '1000', OWNERSHIP: 'on', OPERATORS: 'nobody', WEBHOOK_SECRET_CANARY: canary };
  const { url, storage, stop } = await startStack({ folder: data, env: { ...settings, ...process.env } });
  project.provide('stack', { data, url, connectionString: storage, azure: '' });
  project.provide('storage', storage);
  project.provide('canary', canary);
  return async () => {
    await stop();
    rmSync(data, { recursive: true, force: true });
  };
}
