import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

/** `SOAK_MINUTES=10 SOAK_SEED=7` goes on for longer, or with other jobs and strikes. */
const minutes = Number(process.env.SOAK_MINUTES ?? 0.5);
const seed = Number(process.env.SOAK_SEED ?? 1);
const ROOT = path.resolve(import.meta.dirname, '../../..');
/** The last round may begin at the last moment, and a busy machine takes its time. */
const AFTERWARDS_MS = 400_000;

test(
  'whatever is killed or goes wrong while jobs run on all computes, none is lost, none ends otherwise than undisturbed, and nothing is left',
  { timeout: minutes * 60_000 + AFTERWARDS_MS },
  async () => {
    const args = ['--import', 'tsx', 'test/soak/main.ts', '--minutes', String(minutes), '--seed', String(seed)];
    const soak = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    const [said, [code]] = await Promise.all([text(soak.stdout), once(soak, 'exit')]);
    console.log(said);
    expect(code, said).toBe(0);
  },
);
