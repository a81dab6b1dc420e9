import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { JobError } from '../../job/failure.js';
import { ffmpegFailure, local, type Program, QUIET, run } from '../ffmpeg/process.js';

const SIDE = 320;
const MOST_BYTES = 30_000;
/** ffmpeg's scale for JPEG, from 2, the best, to 31. */
const QUALITIES = [4, 12, 31];

/**
 * A JPEG of a picture, at most 320 pixels wide and high and of at most 30 kB; a smaller picture keeps its size.
 * @param picture PPM, PNG or JPEG.
 * @param folder a place for files that are in use meanwhile.
 * @throws JobError `user` for a picture that cannot be decoded.
 */
export async function thumbnail(ffmpeg: Program, picture: Buffer, folder: string): Promise<Buffer> {
  const own = await mkdtemp(path.join(folder, 'thumbnail-'));
  try {
    const file = path.join(own, 'picture');
    await writeFile(file, picture);
    for (const quality of QUALITIES) {
      const small = await shrink(ffmpeg, file, quality);
      if (small.length <= MOST_BYTES) return small;
    }
    throw new JobError('user', 'The picture cannot be made small enough.');
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

async function shrink(ffmpeg: Program, file: string, quality: number): Promise<Buffer> {
  const fit = `scale=min(${SIDE}\\,iw):min(${SIDE}\\,ih):force_original_aspect_ratio=decrease:flags=area:out_range=full,setsar=1,format=yuvj420p`;
  const input = ['-protocol_whitelist', 'file,pipe', '-i', local(file)];
  const output = ['-vf', fit, '-frames:v', '1', '-c:v', 'mjpeg', '-q:v', String(quality), '-f', 'image2pipe', 'pipe:1'];
  const end = await run(ffmpeg, [...QUIET, '-nostdin', ...input, ...output]);
  if (end.code !== 0) throw ffmpegFailure(ffmpeg, end, 'make a picture small');
  return end.stdout;
}
