/**
 * The scorer against the bare network, in one run on the same model and frames: (a) `session.run` on a tensor made
 * beforehand, and the same with the model as the scorer changes it, (b) the scorer end to end against Azurite, (c) the loop one would write first, (d) PyTorch, when Python has it.
 * Run it with `npm run bench:scorer`, or with `-- WIDTHxHEIGHT FRAMES` for one size; with nothing else on the machine.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startAzurite } from '../dist/stack/azurite.js';
import { widenConvolutions } from '../src/scorer/onnx/wide-convolutions.js';
import { measureBare } from './scorer/bare.js';
import { measureScorer } from './scorer/end-to-end.js';
import { measureNaive } from './scorer/naive.js';
import { measureTorch } from './scorer/torch.js';
import { type Layout, loadWorkload, MODEL, type Workload } from './scorer/workload.js';

const cores = os.availableParallelism();
const layouts: Layout[] = [...(cores > 1 ? [{ processes: cores, threads: 1 }] : []), { processes: 1, threads: cores }];
const [size, frames] = process.argv.slice(2);
const sizes: [size: string, frames: number][] = size
  ? [[size, Number(frames ?? 60)]]
  : [
      ['480x270', 360],
      ['1280x720', 72],
    ];

const round = (value: number, digits = 2) => Number(value.toFixed(digits));
const nameOf = ({ processes, threads }: Layout) => `${processes} × ${threads}`;

async function bench(work: Workload, storage: string, storagePid: number): Promise<void> {
  console.log(`\n${work.width}x${work.height}, ${work.frames} frames`);
  const bare = [];
  for (const layout of layouts)
    for (const spinning of [false, true])
      bare.push({ layout, spinning, ...(await measureBare(work, layout, spinning)) });
  const best = bare.toSorted((one, other) => other.rate - one.rate)[0];
  if (best === undefined) throw new Error('nothing was measured');
  const a = best.rate;
  const changed = await measureBare({ ...work, model: widened }, best.layout, best.spinning);
  console.table(
    bare.map(({ layout, spinning, rate, cpu }) => ({
      'bare: processes × threads': nameOf(layout),
      spinning,
      'frames/s': round(rate),
      'CPU ms/frame': round(1000 * cpu, 0),
    })),
  );
  const c = await measureNaive(work);
  const d = await measureTorch(work);
  console.log(
    `a (best of these): ${round(a)} frames/s; with the model as the scorer changes it: ${round(changed.rate)} (${round(1000 * changed.cpu, 0)} ms); c (sequential, jimp): ${round(c)}; d (PyTorch): ${d ? round(d) : 'not installed'}`,
  );
  const rows = [];
  for (const layout of layouts) {
    const b = await measureScorer(work, layout, storage, storagePid);
    rows.push({
      'scorer: processes × threads': nameOf(layout),
      'b, frames/s': round(b.rate),
      'b / a': round(b.rate / a),
      'b / changed a': round(b.rate / changed.rate),
      'b / c': round(b.rate / c),
      'b / d': d ? round(b.rate / d) : '-',
      'CPU ms/frame, scorer': round((1000 * b.cpu) / work.frames, 0),
      'CPU ms/frame, Azurite': round((1000 * b.storageCpu) / work.frames, 0),
      'wall × cores / CPU': round((b.wall * cores) / (b.cpu + b.storageCpu)),
      'ready after, s': round(b.startup),
      'peak MiB a process': round(b.memory, 0),
    });
  }
  console.table(rows);
}

const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-scorer-'));
const widened = path.join(folder, 'changed.onnx');
const model = readFileSync(MODEL);
writeFileSync(widened, widenConvolutions(model) ?? model);
const azurite = await startAzurite(folder, process.env);
try {
  console.log(`${os.cpus()[0]?.model}, ${cores} cores, load ${os.loadavg()[0]?.toFixed(1)}`);
  for (const [each, count] of sizes) {
    const [width = 0, height = 0] = each.split('x').map(Number);
    await bench(loadWorkload(width, height, count), azurite.connectionString, azurite.pid ?? 0);
  }
} finally {
  await azurite.stop();
  rmSync(folder, { recursive: true, force: true });
}
