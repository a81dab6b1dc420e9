import { z } from 'zod';
import { type Environment, readSettings } from '../settings.js';

const most = (highest: number, usual: number) =>
  z.coerce
    .number('must be a whole number')
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(highest, `must be at most ${highest}`)
    .default(usual);

/** The settings that bound what a file from outside can make ffmpeg do. */
const schema = z.object({
  FFMPEG_SECONDS: most(86_400, 14_400),
  MOST_FRAMES: most(9_999_999, 1_000_000),
  MOST_STREAMS: most(1000, 64),
  /** The default is more than any camera takes; a crafted header of a few bytes can claim far more than memory holds. */
  MOST_PIXELS: most(2 ** 31 - 1, 8192 * 8192),
  MOST_OUTPUT_BYTES: most(2 ** 45, 100e9),
});

export interface MediaLimits {
  /** One run of ffmpeg or ffprobe. */
  seconds: number;
  frames: number;
  streams: number;
  /** Of a picture. */
  pixels: number;
  outputBytes: number;
}

/** @throws JobError `user` that names the setting. */
export function readMediaLimits(environment: Environment): MediaLimits {
  const settings = readSettings(schema, environment);
  return {
    seconds: settings.FFMPEG_SECONDS,
    frames: settings.MOST_FRAMES,
    streams: settings.MOST_STREAMS,
    pixels: settings.MOST_PIXELS,
    outputBytes: settings.MOST_OUTPUT_BYTES,
  };
}
