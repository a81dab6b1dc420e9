import { giveUpSilentRequests } from '../container-contract/storage-access.js';
import { runScorer } from './run/run-attempt.js';

/** The program inside a container: connects `run/run-attempt.ts`, which does the work, to the process. */
giveUpSilentRequests();
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
process.once('SIGINT', () => stop.abort());
const { exitCode, idle } = await runScorer(process.env, stop.signal);
process.exitCode = exitCode;
// Everything is recorded. Transfers that nobody waits for may still run,
if (idle) setTimeout(() => process.exit(), 300).unref();
// or an inference, which nothing can interrupt: `process.exit` would wait for it and then crash.
else setTimeout(endNow, 300).unref();

/** Replaces the process by one that ends with the right code, where Node can do that (22.15 and later); else ends by SIGKILL. */
function endNow(): void {
  const execve: unknown = Reflect.get(process, 'execve');
  if (typeof execve === 'function')
    execve.call(process, process.execPath, [process.execPath, '--eval', `process.exit(${exitCode})`], {});
  process.kill(process.pid, 'SIGKILL');
}
