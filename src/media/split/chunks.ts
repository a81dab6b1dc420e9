import path from 'node:path';
import type { FrameRange } from '../../job/plan.js';
import type { VideoFacts } from '../facts.js';
import { ffmpegFailure, type Program } from '../ffmpeg/process.js';
import { listPackets, type Packet } from '../probe/packets.js';
import { restarts } from '../timetable.js';

/** Frames that can be split on their own. Times are seconds after the earliest stream of the file starts. */
export interface Chunk extends FrameRange {
  /** Half-way between the first frame and the one before; null at the beginning of the video. */
  from: number | null;
  /** Half-way between the last frame and the one behind; null at the end of the video. */
  to: number | null;
  /** Where decoding begins: the key frame before the last one that is not behind the chunk's first frame; null for the beginning of the file. */
  seek: number | null;
}

/**
 * Cuts a video at whole packs of `pack` frames, as near behind key frames as they allow, into chunks of about `most` frames. Empty when it cannot be cut: because it has no second key frame, because
 * two frames have the same time, because the pictures change their size on the way, or because ffmpeg shifts the times of such a container
 * after a jump.
 * @throws JobError `user` when the file cannot be read
 */
export async function findChunks(
  ffprobe: Program,
  file: string,
  facts: VideoFacts,
  most: number,
  pack = 1,
): Promise<Chunk[]> {
  if (restarts(facts.container) || facts.changing) return [];
  const { packets, end } = await listPackets(ffprobe, file, facts.streamIndex, path.basename(file));
  if (end.code !== 0) throw ffmpegFailure(ffprobe, end, 'list the frames');
  const { num, den } = facts.timeBase;
  return cut(packets, (ticks) => (ticks * num) / den - facts.fileStart, most, pack);
}

/** @param packets in the order of presentation */
export function cut(packets: Packet[], seconds: (ticks: number) => number, most: number, pack = 1): Chunk[] {
  const time = (index: number) => packets[index]?.time ?? NaN;
  if (packets.some((_, index) => index > 0 && !(time(index) > time(index - 1)))) return [];
  const keys = packets.flatMap(({ key }, index) => (key ? [index] : []));
  const middle = (index: number) => (seconds(time(index - 1)) + seconds(time(index))) / 2;
  const chunks: Chunk[] = [];
  for (let first = 0; first < packets.length;) {
    const later = keys.filter((key) => key > first);
    const key =
      packets.length - first <= most ? undefined : (later.findLast((each) => each <= first + most) ?? later[0]);
    const border = key === undefined ? packets.length : Math.ceil(key / pack) * pack;
    const next = border < packets.length ? border : undefined;
    // Decoding begins one key frame earlier, so that no frame is decoded without the frames it refers to.
    const before = keys[keys.findLastIndex((each) => each <= first) - 1];
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
