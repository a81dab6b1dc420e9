import { pathToFileURL } from 'node:url';

/**
 * `node attached.js SECONDS SCRIPT ARGUMENTS…` runs a script that does not outlive the process that started it: the parent holds
 * the other end of standard input, and when that closes the script is told to end, and made to when the seconds are over. It has its
 * own process group, so that Ctrl-C reaches the parent only.
 */
const [graceSeconds] = process.argv.splice(2, 1);

function end(): void {
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(graceSeconds) * 1000).unref();
  process.kill(process.pid, 'SIGTERM');
}

// What it says goes to the parent, and when that is gone, to nobody.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

process.stdin.on('end', end);
process.stdin.on('error', end);
process.stdin.resume();
if ('unref' in process.stdin && typeof process.stdin.unref === 'function') process.stdin.unref();

process.argv.splice(1, 1);
await import(pathToFileURL(process.argv[1] ?? '').href);
