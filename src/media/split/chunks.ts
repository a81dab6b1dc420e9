import type { FrameRange } from '../../job/chunks.js';
import { local, QUIET, restarts, UNTRUSTED } from '../ffmpeg/arguments.js';
import type { VideoFacts } from '../facts.js';
import { ffmpegFailure } from '../ffmpeg/failure.js';
import { run, type Program } from '../ffmpeg/process.js';
import { type Packet, parsePackets } from '../probe/timing.js';

/** Frames that can be split apart from the rest. Times are seconds after the earliest stream of the file starts. */
export interface Chunk extends FrameRange {
  /** Half-way between the first frame and the one before; null at the beginning of the video. */
  from: number | null;
  /** Half-way between the last frame and the one behind; null at the end of the video. */
  to: number | null;
  /** Where decoding begins: a key frame before the one that the chunk starts with; null for the beginning of the file. */
  seek: number | null;
}

/**
 * Cuts a video at key frames into chunks of about `most` frames. Empty when it cannot be cut: it has no second key frame, two frames
 * have one time, or ffmpeg moves the times of such a file differently after a jump.
 * @throws JobError `user` when the file cannot be read
 */
export async function findChunks(
  ffprobe: Program,
  file: string,
  facts: VideoFacts,
  most: number,
  signal?: AbortSignal,
): Promise<Chunk[]> {
  if (restarts(facts.container)) return [];
  const entries = ['-show_entries', 'packet=pts,dts,duration,flags', '-of', 'csv=p=0'];
  const which = ['-select_streams', String(facts.streamIndex)];
  const end = await run(ffprobe, [...QUIET, ...UNTRUSTED, ...which, ...entries, local(file)], signal);
  if (end.code !== 0) throw ffmpegFailure(ffprobe, end, 'list the frames');
  const { num, den } = facts.timeBase;
  return cut(parsePackets(end.stdout.toString()), (ticks) => (ticks * num) / den - facts.fileStart, most);
}

/** @param packets in the order of presentation */
export function cut(packets: Packet[], seconds: (ticks: number) => number, most: number): Chunk[] {
  const time = (index: number) => packets[index]?.time ?? NaN;
  if (packets.some((_, index) => index > 0 && !(time(index) > time(index - 1)))) return [];
  const keys = packets.flatMap(({ key }, index) => (key ? [index] : []));
  const middle = (index: number) => (seconds(time(index - 1)) + seconds(time(index))) / 2;
  const chunks: Chunk[] = [];
  for (let first = 0; first < packets.length;) {
    const later = keys.filter((key) => key > first);
    const next =
      packets.length - first <= most ? undefined : (later.findLast((key) => key <= first + most) ?? later[0]);
    // From one key frame earlier, so that no frame is decoded without those it refers to.
    const before = keys.findLast((key) => key < first);
    chunks.push({
      first,
      count: (next ?? packets.length) - first,
      from: first === 0 ? null : middle(first),
      to: next === undefined ? null : middle(next),
      seek: before === undefined || before === 0 ? null : seconds(time(before)),
    });
    first += chunks.at(-1)?.count ?? packets.length;
  }
  return chunks.length > 1 ? chunks : [];
}
