import { runScorer } from './run.js';

/** The program inside a container. `run.ts` says what it does; this only joins it to the process. */
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
process.once('SIGINT', () => stop.abort());
process.exitCode = await runScorer(process.env, stop.signal);
// All is recorded. What still runs is an inference that nothing can interrupt; `process.exit` would wait for it, then crash.
setTimeout(() => process.kill(process.pid, 'SIGKILL'), 500).unref();
