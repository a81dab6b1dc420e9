import { JobError } from '../../job/failure.js';
import type { VideoFacts } from '../facts.js';
import { ffmpegFailure, local, type Program, QUIET, run, UNTRUSTED } from '../ffmpeg/process.js';
import { checkReadable, damage, notAVideo } from './bad-file.js';
import { chooseStream, describe, fileSchema, headerTiming } from './describe.js';
import { sampleFrames } from './frame-samples.js';
import { listPackets, timingOf } from './packets.js';

export interface ProbeOptions {
  /** What error messages call the file; its base name when left out. */
  name?: string;
  /** Whether a damaged file gives facts (with `damaged` set) instead of an error. */
  keep?: boolean;
}

/**
 * Facts about the first video stream marked as default, otherwise the first one; cover pictures do not count. Reads the whole file once
 * without decoding it, so that a file that was cut off is found here and not half-way through a job.
 * @throws JobError `user`, one sentence, for anything that is not a whole video with at least one frame.
 */
export async function probe(
  ffprobe: Program,
  file: string,
  { name, keep = false }: ProbeOptions & { name: string },
): Promise<VideoFacts> {
  await checkReadable(file, name);
  const info = await readHeaders(ffprobe, file, name);
  const stream = chooseStream(info, name);
  const { frames, pixels, streams } = ffprobe.limits;
  const { width = 0, height = 0 } = stream;
  if (width * height > pixels)
    throw refused(
      `${name} has pictures of ${width} × ${height} pixels; at most ${pixels} are taken, so scale it down.`,
    );
  if (info.streams.length > streams)
    throw refused(`${name} has ${info.streams.length} streams; at most ${streams} are taken.`);
  const { packets, end } = await listPackets(ffprobe, file, stream.index);
  if (end.tooLong) throw ffmpegFailure(ffprobe, end, `list the frames of ${name}`);
  const broken = damage(end, name);
  if (broken && !keep) throw broken;
  const timing = timingOf(packets, headerTiming(stream));
  if (timing && timing.framesEstimate > frames)
    throw refused(`${name} has ${timing.framesEstimate} frames; at most ${frames} are taken, so cut it.`);
  const { timeBase } = headerTiming(stream);
  const samples = await sampleFrames(ffprobe, file, stream.index, packets, timeBase.num / timeBase.den);
  return describe(info, stream, timing, samples, broken !== undefined, name);
}

async function readHeaders(ffprobe: Program, file: string, name: string) {
  const shown = ['-show_format', '-show_streams', '-of', 'json'];
  const end = await run(ffprobe, [...QUIET, ...UNTRUSTED, ...shown, local(file)]);
  if (end.tooLong) throw ffmpegFailure(ffprobe, end, `read ${name}`);
  if (end.signal) throw refused(`${name} makes ffprobe crash (${end.signal}); name another ffprobe in the settings.`);
  if (end.code !== 0) throw await notAVideo(file, name, end.stderr);
  return fileSchema.parse(JSON.parse(end.stdout.toString()));
}

const refused = (sentence: string) => new JobError('user', sentence);
