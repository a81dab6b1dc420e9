import { runScorer } from './run.js';

/** The program inside a container. `run.ts` says what it does; this only joins it to the process. */
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
process.once('SIGINT', () => stop.abort());
process.exitCode = await runScorer(process.env, stop.signal);
// Nothing should be left that keeps the process alive; if something is, it does not.
setTimeout(() => process.exit(), 500).unref();
