import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import os from 'node:os';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { findFfmpeg } from '../src/media/media.js';
import { CLIP, FINE, renderFrame } from './scene.js';
import { renderSound, SAMPLE_RATE } from './sound.js';
import { renderStyle, STYLE_SIZE } from './style.js';

/** Renders the sample clip and the style picture into this folder: `npx tsx samples/render.ts`. */

// The npm build whatever is installed, and one thread: the same bytes on every machine.
const { ffmpeg } = findFfmpeg({}, '');
const QUIET = ['-nostdin', '-hide_banner', '-loglevel', 'error', '-y', '-fflags', '+bitexact'];
const RAW = ['-f', 'rawvideo', '-pix_fmt', 'rgb24'];
const TAGS = [
  '-colorspace',
  'smpte170m',
  '-color_primaries',
  'smpte170m',
  '-color_trc',
  'smpte170m',
  '-color_range',
  'tv',
];
const BITEXACT = ['-map_metadata', '-1', '-flags:v', '+bitexact', '-flags:a', '+bitexact', '-fflags', '+bitexact'];

async function encode(options: string[], frames: Iterable<Buffer>): Promise<void> {
  const child = spawn(ffmpeg, [...QUIET, ...options], { stdio: ['pipe', 'inherit', 'inherit'] });
  const ended = once(child, 'exit');
  for (const frame of frames) if (!child.stdin.write(frame)) await once(child.stdin, 'drain');
  child.stdin.end();
  const [code] = await ended;
  if (code !== 0) throw new Error(`ffmpeg ended with code ${code}`);
}

function* clipFrames() {
  const count = CLIP.seconds * CLIP.framesPerSecond;
  for (let frame = 0; frame < count; frame += 1) yield renderFrame(frame / CLIP.framesPerSecond);
}

async function renderClip(target: string): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sample-'));
  const sound = path.join(folder, 'sound.raw');
  try {
    writeFileSync(sound, renderSound(CLIP.seconds));
    const picture = [
      ...RAW,
      '-s',
      `${CLIP.width * FINE}x${CLIP.height * FINE}`,
      '-r',
      String(CLIP.framesPerSecond),
      '-i',
      'pipe:0',
    ];
    const audio = ['-f', 's16le', '-ar', String(SAMPLE_RATE), '-ac', '2', '-i', sound];
    const reduce = `scale=${CLIP.width}:${CLIP.height}:flags=area:out_color_matrix=bt601:out_range=tv,format=yuv420p,setsar=1`;
    const h264 = ['-c:v', 'libx264', '-preset', 'slow', '-crf', '19', '-threads', '1'];
    const aac = ['-c:a', 'aac', '-b:a', '96k', '-movflags', '+faststart'];
    await encode([...picture, ...audio, '-vf', reduce, ...h264, ...TAGS, ...aac, ...BITEXACT, target], clipFrames());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await renderClip(path.join(import.meta.dirname, 'coast.mp4'));
const picture = ['-s', `${STYLE_SIZE}x${STYLE_SIZE}`, '-i', 'pipe:0', '-q:v', '5', ...BITEXACT];
await encode([...RAW, ...picture, path.join(import.meta.dirname, 'style-waves.jpg')], [renderStyle()]);
