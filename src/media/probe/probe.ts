import { z } from 'zod';
import { JobError } from '../../job/failure.js';
import { QUIET, UNTRUSTED, local } from '../ffmpeg/arguments.js';
import type { MediaLimits } from '../limits.js';
import { ffmpegFailure } from '../ffmpeg/failure.js';
import { checkReadable, damage, notAVideo } from './bad-file.js';
import type { VideoFacts } from '../facts.js';
import { run, type Program } from '../ffmpeg/process.js';
import { describe } from './describe.js';
import { parsePackets, parseRational, timingOf } from './timing.js';

const text = z.string().optional();

const streamSchema = z.object({
  index: z.number(),
  codec_type: text,
  codec_name: text,
  width: z.number().optional(),
  height: z.number().optional(),
  pix_fmt: text,
  sample_aspect_ratio: text,
  time_base: text,
  start_time: text,
  r_frame_rate: text,
  avg_frame_rate: text,
  field_order: text,
  color_range: text,
  color_space: text,
  color_transfer: text,
  color_primaries: text,
  disposition: z.object({ default: z.number().optional(), attached_pic: z.number().optional() }).optional(),
  tags: z.object({ rotate: text, alpha_mode: text }).optional(),
  side_data_list: z.array(z.object({ rotation: z.number().optional() })).optional(),
});

const fileSchema = z.object({
  format: z.object({ format_name: z.string(), start_time: text }),
  streams: z.array(streamSchema),
});

export type Stream = z.infer<typeof streamSchema>;
export type FileInfo = z.infer<typeof fileSchema>;

export interface ProbeOptions {
  /** What messages call the file; its base name when left out. */
  name?: string;
  /** Whether a file that is cut off is told of instead of refused. */
  keep?: boolean;
  signal?: AbortSignal;
}

/**
 * Facts about the first video stream marked as default (else the first); cover pictures do not count.
 * Reads the whole file once, without decoding, so that a cut-off file is found out here and not half-way through a job.
 * @throws JobError `user`, one sentence, for anything that is not a whole video with at least one frame.
 */
export async function probe(
  ffprobe: Program,
  file: string,
  { name, keep = false, signal }: ProbeOptions & { name: string },
): Promise<VideoFacts> {
  await checkReadable(file, name);
  const shown = ['-show_format', '-show_streams', '-of', 'json'];
  const headers = await run(ffprobe, [...QUIET, ...UNTRUSTED, ...shown, local(file)], signal);
  if (headers.tooLong) throw ffmpegFailure(ffprobe, headers, `read ${name}`);
  if (headers.signal)
    throw new JobError(
      'user',
      `${name} makes ffprobe crash (${headers.signal}); name another ffprobe in the settings.`,
    );
  if (headers.code !== 0) throw await notAVideo(file, name, headers.stderr);
  const info = fileSchema.parse(JSON.parse(headers.stdout.toString()));
  const stream = chooseStream(info, name);
  checkLimits(info, stream, ffprobe.limits, name);
  const entries = [
    '-select_streams',
    String(stream.index),
    '-show_entries',
    'packet=pts,dts,duration,flags',
    '-of',
    'csv=p=0',
  ];
  const packets = await run(ffprobe, [...QUIET, ...UNTRUSTED, ...entries, local(file)], signal);
  if (packets.tooLong) throw ffmpegFailure(ffprobe, packets, `list the frames of ${name}`);
  const broken = damage(packets, name);
  if (broken && !keep) throw broken;
  const timing = timingOf(parsePackets(packets.stdout.toString()), {
    timeBase: parseRational(stream.time_base) ?? { num: 1, den: 1000 },
    baseRate: parseRational(stream.r_frame_rate),
    averageRate: parseRational(stream.avg_frame_rate),
  });
  const { frames } = ffprobe.limits;
  if (timing && timing.framesEstimate > frames)
    throw new JobError('user', `${name} has ${timing.framesEstimate} frames; at most ${frames} are taken, so cut it.`);
  return describe(info, stream, timing, broken !== undefined, name);
}

/** @throws JobError `user` for a picture or a number of streams that nobody means. */
function checkLimits(
  { streams }: FileInfo,
  { width = 0, height = 0 }: Stream,
  limits: MediaLimits,
  name: string,
): void {
  if (width * height > limits.pixels)
    throw new JobError(
      'user',
      `${name} has pictures of ${width} × ${height} pixels; at most ${limits.pixels} are taken, so scale it down.`,
    );
  if (streams.length > limits.streams)
    throw new JobError('user', `${name} has ${streams.length} streams; at most ${limits.streams} are taken.`);
}

function chooseStream(info: FileInfo, name: string): Stream {
  const videos = info.streams.filter(
    ({ codec_type, disposition }) => codec_type === 'video' && !disposition?.attached_pic,
  );
  const stream = videos.find(({ disposition }) => disposition?.default) ?? videos[0];
  if (stream) return stream;
  const what = info.streams.some(({ codec_type }) => codec_type === 'audio') ? 'only sound' : 'no video stream';
  throw new JobError('user', `${name} holds ${what}; give a file with a picture in it.`);
}
