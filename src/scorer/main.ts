import { runScorer } from './run/run-attempt.js';

/** The program inside a container. `run.ts` says what it does; this only joins it to the process. */
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
process.once('SIGINT', () => stop.abort());
const { exitCode, idle } = await runScorer(process.env, stop.signal);
process.exitCode = exitCode;
// All is recorded. What may still run are transfers that nobody waits for,
if (idle) setTimeout(() => process.exit(), 300).unref();
// or an inference that nothing can interrupt; `process.exit` would wait for it, then crash.
else setTimeout(endNow, 300).unref();

/** Becomes a program that ends with the right code where Node can do that (22.15 and later), else ends by SIGKILL. */
function endNow(): void {
  const execve: unknown = Reflect.get(process, 'execve');
  if (typeof execve === 'function')
    execve.call(process, process.execPath, [process.execPath, '--eval', `process.exit(${exitCode})`], {});
  process.kill(process.pid, 'SIGKILL');
}
