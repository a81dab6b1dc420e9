import { readdirSync, readFileSync } from 'node:fs';

/** Process ids whose environment holds this text (Linux). Scorers are told apart by their TASK_BLOB. */
export const processesWith = (text: string) => processesWhose('environ', text);

/** Process ids that were started with this text, such as a folder, among their arguments (Linux). */
export const runningOn = (text: string) => processesWhose('cmdline', text);

function processesWhose(file: 'environ' | 'cmdline', text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(text);
      } catch {
        // Ended in between, or another user's.
        return false;
      }
    });
}

/** The command line of a process (Linux); '' when it has ended. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** Kills a process. @returns false when it has ended already. */
export function killNow(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}
