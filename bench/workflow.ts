/**
 * How much the workflow costs on top of the work itself: the demo's wall time over the time of ffmpeg splitting the clip, the best bare
 * inference of as many frames with the network as the scorer rewrites it, and ffmpeg stitching. All in one run, the bare work before and
 * after the demo, and line by line what the rest of the demo's time goes into.
 * Run it with `npm run bench`, with nothing else on the machine.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { findFfmpeg } from '../src/media/media.js';
import { widenConvolutions } from '../src/scorer/onnx/wide-convolutions.js';
import { measureBare } from './scorer/bare.js';
import { loadWorkload, MODEL, ROOT, type Workload } from './scorer/workload.js';

const CLIP = path.join(ROOT, 'samples/coast.mp4');
const PAINTED = path.join(ROOT, 'out/coast-starry-night.mp4');
const SIZE = { width: 480, height: 270 };
const BAR = 1.25;
const cores = os.availableParallelism();
const { ffmpeg } = findFfmpeg({}, process.env.PATH ?? '');

function seconds(work: () => unknown): number {
  const began = performance.now();
  work();
  return (performance.now() - began) / 1000;
}

const run = (...args: string[]) =>
  void execFileSync(ffmpeg, ['-hide_banner', '-loglevel', 'error', '-y', ...args], { stdio: 'inherit' });
const splitInto = (folder: string, clip: string) => run('-i', clip, '-vsync', '0', path.join(folder, '%04d.png'));

interface Bare {
  split: number;
  score: number;
  stitch: number;
}

/** The work itself, without any workflow. */
async function bareWork(folder: string, painted: string, work: Workload): Promise<Bare> {
  const split = seconds(() => splitInto(folder, CLIP));
  const layouts = [
    { processes: cores, threads: 1 },
    { processes: 1, threads: cores },
  ];
  const rates = [];
  for (const layout of layouts) rates.push((await measureBare(work, layout, false)).rate);
  const sound = ['-i', CLIP, '-map', '0:v', '-map', '1:a', '-c:a', 'copy'];
  const encode = ['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '16', '-pix_fmt', 'yuv420p'];
  const pictures = ['-framerate', '24', '-i', path.join(painted, '%04d.png')];
  const stitch = seconds(() => run(...pictures, ...sound, ...encode, path.join(folder, 'out.mp4')));
  return { split, score: work.frames / Math.max(...rates), stitch };
}

/** Wall seconds of the demo, and what it printed. */
function demo(): { wall: number; printed: string } {
  let printed = '';
  const wall = seconds(() => {
    printed = execFileSync('npm', ['run', 'demo'], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] }).toString();
  });
  return { wall, printed };
}

/** Seconds by stage, as the demo says at its end. */
const stagesIn = (printed: string) =>
  new Map(
    [...printed.matchAll(/│\s*(\w+)\s*│\s*([\d.]+)\s*│/g)].map(([, stage = '', value]) => [stage, Number(value)]),
  );

const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-workflow-'));
try {
  // It builds what is old, and paints the frames that ffmpeg encodes alone.
  demo();
  const [source, painted] = ['source', 'painted'].map((name) => path.join(folder, name));
  for (const each of [source, painted]) mkdirSync(each ?? '');
  splitInto(painted ?? '', PAINTED);
  const frames = readdirSync(painted ?? '').length;
  const model = path.join(folder, 'changed.onnx');
  writeFileSync(model, widenConvolutions(readFileSync(MODEL)) ?? readFileSync(MODEL));
  const work = { ...loadWorkload(SIZE.width, SIZE.height, 1), frames, model };

  // The machine's own speed drifts: the bare work is timed before and after the demo.
  const before = await bareWork(source ?? '', painted ?? '', work);
  const { wall, printed } = demo();
  const after = await bareWork(source ?? '', painted ?? '', work);
  console.log(printed);

  const mean = (of: keyof Bare) => (before[of] + after[of]) / 2;
  const bare = mean('split') + mean('score') + mean('stitch');
  const stages = stagesIn(printed);
  const total = stages.get('total') ?? 0;
  const lines = [
    { line: 'npm, build, end of processes', demo: wall - total, bare: 0 },
    ...[...stages]
      .filter(([stage]) => stage !== 'total')
      .map(([stage, value]) => ({
        line: stage,
        demo: value,
        bare: stage === 'split' || stage === 'score' || stage === 'stitch' ? mean(stage) : 0,
      })),
    { line: 'all', demo: wall, bare },
  ];
  console.table(
    lines.map((each) => ({
      line: each.line,
      'demo, s': Number(each.demo.toFixed(2)),
      'bare, s': Number(each.bare.toFixed(2)),
      'more than bare': `${(((each.demo - each.bare) / bare) * 100).toFixed(1)} %`,
    })),
  );
  console.table({ before, after });
  console.log(
    `${os.cpus()[0]?.model}, ${cores} cores: ${(wall / bare).toFixed(2)} × ffmpeg and the best bare inference (bar: at most ${BAR})`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
