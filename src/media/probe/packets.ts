import { createInterface } from 'node:readline';
import { counted, JobError } from '../../job/failure.js';
import { local, type Program, QUIET, start, UNTRUSTED } from '../ffmpeg/process.js';
import { type Rational, rounded, type VideoFacts } from '../facts.js';

/** A packet of the video stream, in ticks of the stream's time base. */
export interface Packet {
  /** NaN where the file does not say. */
  time: number;
  duration: number;
  /** Whether decoding can begin here. */
  key: boolean;
}

/** A player would show so many frames of a film that is not much longer than its file. */
const REPEATS_NOTICED = 10_000;
/** Times that each frame may be shown in the mean. */
const MOST_REPEATS = 20;

/**
 * Reads all packets of a stream without decoding them. How ffprobe ended is the caller's to judge.
 * @throws JobError `user` as soon as there are more packets than the limits allow, or when an edit list shows the same ones over and over.
 */
export async function listPackets(ffprobe: Program, file: string, streamIndex: number, name: string) {
  const { frames } = ffprobe.limits;
  const which = ['-select_streams', String(streamIndex)];
  const entries = ['-show_entries', 'packet=pts,dts,duration,pos,flags', '-of', 'csv=p=0'];
  const running = start(ffprobe, [...QUIET, ...UNTRUSTED, ...which, ...entries, local(file)]);
  running.stdin.end();
  const packets: Packet[] = [];
  let [read, repeated, farthest] = [0, 0, -1];
  try {
    for await (const line of createInterface({ input: running.stdout })) {
      const parsed = parsePacket(line);
      if (!parsed) continue;
      read += 1;
      if (parsed.position <= farthest) repeated += 1;
      else if (parsed.position > farthest) farthest = parsed.position;
      if (parsed.packet) packets.push(parsed.packet);
      if (read > frames)
        throw new JobError('user', `${name} has more than ${frames} frames; cut it or raise MOST_FRAMES.`);
      if (read > REPEATS_NOTICED && repeated * MOST_REPEATS > read * (MOST_REPEATS - 1))
        throw new JobError(
          'user',
          `${name} shows its ${counted(read - repeated, 'frame')} over and over, as its edit list says; export it again without edits.`,
        );
    }
    return { packets: inOrder(packets), end: await running.ended };
  } finally {
    await running.stop();
  }
}

/**
 * Parses a line of ffprobe: `pts,dts,duration,pos,flags`. A packet marked D is decoded but not shown, because an edit list cuts it off.
 * Undefined for a line without a packet.
 */
export function parsePacket(line: string): { packet?: Packet; position: number } | undefined {
  if (line === '') return undefined;
  const [pts = '', dts = '', duration = '', pos = '', flags = ''] = line.split(',');
  const position = Number(pos);
  if (flags.includes('D')) return { position };
  const time = Number(pts === 'N/A' ? dts : pts);
  return { packet: { time, duration: Number(duration) || 0, key: flags.startsWith('K') }, position };
}

/**
 * Puts packets in the order of presentation. One without a presentation time, as in AVI, goes by its decoding time; those without either
 * come last.
 */
export function inOrder(packets: Packet[]): Packet[] {
  const isTimed = ({ time }: Packet) => !Number.isNaN(time);
  const timed = packets.filter((packet) => isTimed(packet)).toSorted((a, b) => a.time - b.time);
  return [...timed, ...packets.filter((packet) => !isTimed(packet))];
}

/** What ffprobe says about the rate of the stream. */
export interface StreamTiming {
  timeBase: Rational;
  /** The lowest rate that fits every time stamp. */
  baseRate: Rational | null;
  averageRate: Rational | null;
  /** When the stream ends, in seconds; NaN where the file does not say. */
  end: number;
}

export type Timing = Pick<
  VideoFacts,
  'frameRate' | 'variableRate' | 'framesEstimate' | 'durationSeconds' | 'lastSeconds'
> & {
  firstSeconds: number;
};

/** Containers round times to their tick; a difference above this (seconds) is not rounding. */
const ROUNDING = 0.0015;

/** Rate, length and frame count as the packets themselves show them. Null when there is no packet. */
export function timingOf(packets: Packet[], { timeBase, baseRate, averageRate, end }: StreamTiming): Timing | null {
  if (packets.length === 0) return null;
  const timed = packets.filter(({ time }) => !Number.isNaN(time));
  const { time: first = 0 } = timed[0] ?? {};
  const last = timed.at(-1) ?? { time: 0, duration: 0 };
  const tick = timeBase.num / timeBase.den;
  const span = (last.time - first) * tick;
  const constant = [baseRate, averageRate].find((rate) => rate && fits(packets, tick, rate));
  const frameRate = constant ?? averageRate ?? measured(packets.length, span);
  const own = last.duration ? last.duration * tick : frameRate.den / frameRate.num;
  // The last packet does not say it where B-frames change the order, or where the container gives packets no length.
  const stated = rounded(end - last.time * tick);
  const lastSeconds = stated > ROUNDING && Math.abs(stated - own) > ROUNDING ? stated : own;
  return {
    frameRate,
    variableRate: !constant,
    framesEstimate: packets.length,
    durationSeconds: span + lastSeconds,
    lastSeconds,
    firstSeconds: first * tick,
  };
}

/** Whether frame k is shown at k divided by the rate, for every k. */
function fits(packets: Packet[], tick: number, rate: Rational): boolean {
  const first = packets[0]?.time ?? 0;
  const allowed = Math.min(tick, ROUNDING) + 1e-6;
  return packets.every(({ time }, index) => Math.abs((time - first) * tick - (index * rate.den) / rate.num) <= allowed);
}

function measured(frames: number, span: number): Rational {
  const rate = span > 0 ? (frames - 1) / span : 25;
  return { num: Math.max(1, Math.round(rate * 1000)), den: 1000 };
}
