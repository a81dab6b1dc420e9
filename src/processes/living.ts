import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { runChild } from './child-process.js';

/** A process, and no other one that is given its number when it has ended. */
export interface ThisProcess {
  pid: number;
  /** When it was started, as its system says it. */
  started: string;
}

/** Whether a process lives; one that was killed and that its parent has not asked about (a zombie, of Linux) does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Another user's process refuses the signal, and lives.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  try {
    return process.platform !== 'linux' || fieldsOf(readFileSync(`/proc/${pid}/stat`, 'utf8'))[0] !== 'Z';
  } catch {
    return false;
  }
}

/** Whether this very process lives, and no other one that was given its number. */
export const lives = async ({ pid, started }: ThisProcess): Promise<boolean> =>
  isAlive(pid) && (await startOf(pid)) === started;

/** proc(5): after the name in brackets, which may hold spaces, come the state and, 19 fields on, the start in ticks since the boot. */
const fieldsOf = (status: string) => status.slice(status.lastIndexOf(')') + 2).split(' ');

/** When a process was started; the same text every time, '' when it lives no more or the system does not say. */
export async function startOf(pid: number): Promise<string> {
  if (process.platform !== 'linux')
    return (await runChild('/bin/ps', ['-o', 'lstart=', '-p', String(pid)], { env: {} })).stdout.toString().trim();
  try {
    const [boot, status] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readFile(`/proc/${pid}/stat`, 'utf8'),
    ]);
    const fields = fieldsOf(status);
    return fields[0] === 'Z' ? '' : `${boot.trim()} ${fields[19]}`;
  } catch {
    return '';
  }
}
