import { pathToFileURL } from 'node:url';

/**
 * `node attached.js SCRIPT ARGUMENTS…` runs a script that does not outlive the process that started it: the parent holds
 * the other end of standard input, and when that closes the script is told to end, then made to. It has its own process
 * group, so that Ctrl-C reaches the parent only.
 */
const GRACE_MS = 5000;

function end(): void {
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), GRACE_MS).unref();
  process.kill(process.pid, 'SIGTERM');
}

process.stdin.on('end', end);
process.stdin.on('error', end);
process.stdin.resume();
if ('unref' in process.stdin && typeof process.stdin.unref === 'function') process.stdin.unref();

process.argv.splice(1, 1);
await import(pathToFileURL(process.argv[1] ?? '').href);
