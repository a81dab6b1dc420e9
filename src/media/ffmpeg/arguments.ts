/** Quiet, never asking; errors only on stderr. */
export const QUIET = ['-hide_banner', '-loglevel', 'error'];

/**
 * What is read as a video. Playlists and scripts (HLS, concat, DASH, image sequences) are left out because they make ffmpeg open
 * other files.
 */
const CONTAINERS = [
  'mov',
  'mp4',
  'm4a',
  '3gp',
  '3g2',
  'mj2',
  'matroska',
  'webm',
  'avi',
  'mpegts',
  'mpeg',
  'flv',
  'ogg',
  'asf',
  'nut',
  'mxf',
];

/** Options for any file that came from outside: no network, no container that points elsewhere. */
export const UNTRUSTED = ['-protocol_whitelist', 'file,pipe', '-format_whitelist', CONTAINERS.join(',')];

/**
 * Containers that ffmpeg moves to zero by the first of the streams in use, not of all: a picture that starts after the sound would lose
 * its delay (correct_input_start_times in ffmpeg.c, for demuxers with AVFMT_TS_DISCONT).
 */
export const restarts = (container: string) => /^(mpegts|mpeg|ogg)$/.test(container);

/** A local path as ffmpeg reads it: a name such as `http:x.mp4` or `-i.mp4` stays a file name. */
export const local = (file: string) => `file:${file}`;

/** Options of the scale filter: without them conversions between RGB and Y'CbCr are off by up to a level, always the same way. */
export const SCALER = 'flags=bicubic+accurate_rnd+full_chroma_int';

/** Arguments without spaces in them, one after another. */
export const words = (text: string) => text.split(' ');
