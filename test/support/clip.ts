import { execFileSync } from 'node:child_process';
import { findFfmpeg } from '../../src/media/media.js';

const { FFMPEG_PATH: ffmpegPath, FFPROBE_PATH: ffprobePath, PATH = '' } = process.env;
export const tools = findFfmpeg({ ffmpegPath, ffprobePath }, PATH);

interface ClipOptions {
  size?: string;
  rate?: string;
  seconds?: number;
  sound?: boolean;
}

/** Makes an ordinary H.264 clip with moving shapes, and AAC sound unless told otherwise. */
export function makeClip(
  file: string,
  { size = '160x120', rate = '12', seconds = 2, sound = true }: ClipOptions = {},
): string {
  const picture = ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=${rate}:duration=${seconds}`];
  const tone = sound ? ['-f', 'lavfi', '-i', `sine=frequency=440:duration=${seconds}`, '-c:a', 'aac'] : [];
  execFileSync(tools.ffmpeg, [
    '-hide_banner',
    '-loglevel',
    'error',
    '-y',
    ...picture,
    ...tone,
    '-c:v',
    'libx264',
    '-pix_fmt',
    'yuv420p',
    file,
  ]);
  return file;
}
