import { JobError } from '../../job/failure.js';
import type { SoundFacts, VideoFacts } from '../facts.js';
import {
  BROKEN,
  ffmpegFailure,
  isKilled,
  local,
  type Program,
  QUIET,
  reasonIn,
  run,
  start,
  UNTRUSTED,
} from '../ffmpeg/process.js';
import { checkReadable, CUT_OFF, damage, notAVideo } from './bad-file.js';
import { chooseStream, describe, describeSound, fileSchema, headerTiming } from './describe.js';
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
  const { pixels, streams } = ffprobe.limits;
  const { width = 0, height = 0 } = stream;
  if (width * height > pixels)
    throw refused(
      `${name} has pictures of ${width} × ${height} pixels; at most ${pixels} are taken, so scale it down.`,
    );
  if (info.streams.length > streams)
    throw refused(`${name} has ${info.streams.length} streams; at most ${streams} are taken.`);
  const { packets, end } = await listPackets(ffprobe, file, stream.index, name);
  if (end.tooLong || isKilled(end)) throw ffmpegFailure(ffprobe, end, `list the frames of ${name}`);
  const broken = damage(end, name);
  if (broken && !keep) throw broken;
  const timing = timingOf(packets, headerTiming(stream, info));
  if (timing && timing.durationSeconds > MOST_SECONDS)
    throw refused(
      `${name} says that it lasts ${Math.round(timing.durationSeconds / 3600)} hours, so its times are wrong; export it again.`,
    );
  const { timeBase } = headerTiming(stream, info);
  const samples = await sampleFrames(ffprobe, file, stream.index, packets, timeBase.num / timeBase.den);
  return describe(info, stream, timing, samples, broken !== undefined, name);
}

/**
 * Facts about a file whose sound goes with frames from elsewhere. Reads the whole file once, so that one that was cut off is found here.
 * @throws JobError `user`, one sentence, for a file that cannot be read or holds no sound.
 */
export async function probeSound(ffprobe: Program, file: string, name: string): Promise<SoundFacts> {
  await checkReadable(file, name);
  const info = await readHeaders(ffprobe, file, name, async () =>
    refused(`${name} is no sound file that can be read; give ${SOUND_KINDS}.`),
  );
  const facts = describeSound(info);
  if (facts.audioStreams === 0) throw refused(`${name} holds no sound; give ${SOUND_KINDS}.`);
  const read = ['-select_streams', 'a', '-show_entries', 'packet=', '-of', 'csv=p=0'];
  const end = await run(ffprobe, [...QUIET, ...UNTRUSTED, ...read, local(file)]);
  if (end.tooLong || end.signal) throw ffmpegFailure(ffprobe, end, `read ${name}`);
  if (end.code !== 0 || CUT_OFF.test(end.stderr))
    throw refused(`${name} is damaged (${reasonIn(end.stderr, BROKEN)}); copy or export it again.`);
  return facts;
}

const SOUND_KINDS = 'an M4A, MP3, WAV, FLAC, AAC, OGG or Opus file';

/** A thousand hours; a time that was read wrongly is far more. */
const MOST_SECONDS = 3_600_000;
/** Opening a file takes a moment, however long the video is. */
const MOST_OPENING_SECONDS = 60;
/** What a file tells of its streams is some KB. */
const MOST_HEADER_BYTES = 16 * 1024 * 1024;

async function readHeaders(ffprobe: Program, file: string, name: string, unread = notAVideo) {
  const seconds = Math.min(MOST_OPENING_SECONDS, ffprobe.limits.seconds);
  const brief = { ...ffprobe, limits: { ...ffprobe.limits, seconds } };
  const shown = ['-show_format', '-show_streams', '-of', 'json'];
  const running = start(brief, [...QUIET, ...UNTRUSTED, ...shown, local(file)]);
  running.stdin.end();
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of running.stdout as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > MOST_HEADER_BYTES)
        throw refused(
          `${name} says more about itself than ${MOST_HEADER_BYTES} bytes; export it without that metadata.`,
        );
      parts.push(part);
    }
    const end = await running.ended;
    if (end.notStarted || isKilled(end)) throw ffmpegFailure(ffprobe, end, `read ${name}`);
    if (end.tooLong) throw refused(`${name} cannot be opened within ${seconds} s, so it is broken; export it again.`);
    if (end.signal) throw refused(`${name} makes ffprobe crash (${end.signal}); name another ffprobe in the settings.`);
    if (end.code !== 0) throw await unread(file, name, end.stderr);
    return fileSchema.parse(JSON.parse(Buffer.concat(parts).toString()));
  } finally {
    await running.stop();
  }
}

const refused = (sentence: string) => new JobError('user', sentence);
