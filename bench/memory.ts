/**
 * Memory of a scorer with the bundled model: its peak, and what it holds while it works through many frames (Linux).
 * Run it with `npm run bench:memory -- 3840x2160 1 96x64 2000`: pairs of frame size and number of frames.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startAzurite } from '../dist/stack/azurite.js';
import { createSharpCodec } from '../src/scorer/pictures/sharp-codec.js';
import { cardOf, ScorerJob, STARRY_NIGHT, startProgram } from '../test/support/scorer/harness.js';
import { paint } from '../test/support/scorer/pictures.js';

const REPORTS = 8;
const SAMPLE_MS = 100;
const given = process.argv.slice(2);
const runs = given.length > 0 ? given : ['3840x2160', '1', '96x64', '2000'];
const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-memory-'));
const azurite = await startAzurite(folder, process.env);

/** MiB by the kernel's name, e.g. VmHWM; undefined once the process has ended. */
function memory(pid: number | undefined, name: string): number | undefined {
  try {
    const kilobytes = new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : Math.round(Number(kilobytes) / 1024);
  } catch {
    return undefined;
  }
}

async function measure(width: number, height: number, count: number): Promise<void> {
  const job = await ScorerJob.create(azurite.connectionString, {
    model: STARRY_NIGHT,
    card: await cardOf(STARRY_NIGHT, STARRY_NIGHT.replace('.onnx', '.json')),
  });
  const png = await createSharpCodec().encode(paint(width, height), 'png');
  const names = Array.from({ length: count }, (_, index) => `${String(index).padStart(5, '0')}.png`);
  await job.addInputs(Object.fromEntries(names.map((name) => [name, png])));
  const { child, finished } = startProgram('scorer/bundle/main.js', [], await job.nextAttempt(names));
  let peak = 0;
  let next = count / REPORTS;
  console.log(`${count} x ${width}x${height}`);
  while (child.exitCode === null) {
    peak = Math.max(peak, memory(child.pid, 'VmHWM') ?? 0);
    const done = await job.progress().then(
      ({ progress }) => progress.done,
      () => 0,
    );
    if (count >= REPORTS && done >= next) {
      console.log(`  ${done} frames: ${memory(child.pid, 'VmRSS')} MiB`);
      next = done + count / REPORTS;
    }
    await pause(SAMPLE_MS);
  }
  const { took } = await finished;
  const { done, failed } = await job.result();
  console.log(`  ${done.length} scored, ${failed.length} failed, peak ${peak} MiB, ${(took / 1000).toFixed(1)} s`);
}

for (let index = 0; index + 1 < runs.length; index += 2) {
  const [width = 0, height = 0] = (runs[index] ?? '').split('x').map(Number);
  await measure(width, height, Number(runs[index + 1]));
}
await azurite.stop();
rmSync(folder, { recursive: true, force: true });
