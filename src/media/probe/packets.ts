import { local, type Program, QUIET, run, UNTRUSTED } from '../ffmpeg/process.js';
import type { Rational, VideoFacts } from '../facts.js';

/** A packet of the video stream, in ticks of the stream's time base. */
export interface Packet {
  /** NaN where the file does not say. */
  time: number;
  duration: number;
  /** Whether decoding can begin here. */
  key: boolean;
}

/** Reads all packets of a stream without decoding them. How ffprobe ended is the caller's to judge. */
export async function listPackets(ffprobe: Program, file: string, streamIndex: number) {
  const which = ['-select_streams', String(streamIndex)];
  const entries = ['-show_entries', 'packet=pts,dts,duration,flags', '-of', 'csv=p=0'];
  const { stdout, ...end } = await run(ffprobe, [...QUIET, ...UNTRUSTED, ...which, ...entries, local(file)]);
  return { packets: parsePackets(stdout.toString()), end };
}

/**
 * Parses ffprobe's lines `pts,dts,duration,flags`. Packets marked D are left out: they are decoded but not shown, because an edit list
 * cuts them off.
 * @returns packets in the order of presentation. One without a presentation time, as in AVI, goes by its decoding time; those without
 * either come last.
 */
export function parsePackets(csv: string): Packet[] {
  const shown = csv.split('\n').filter((line) => line !== '' && !line.slice(line.lastIndexOf(',')).includes('D'));
  const packets = shown.map((line) => {
    const [pts = '', dts = '', duration = '', flags = ''] = line.split(',');
    return {
      time: Number(pts === 'N/A' ? dts : pts),
      duration: Number(duration) || 0,
      key: flags.startsWith('K'),
    };
  });
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
export function timingOf(packets: Packet[], { timeBase, baseRate, averageRate }: StreamTiming): Timing | null {
  if (packets.length === 0) return null;
  const timed = packets.filter(({ time }) => !Number.isNaN(time));
  const { time: first = 0 } = timed[0] ?? {};
  const last = timed.at(-1) ?? { time: 0, duration: 0 };
  const tick = timeBase.num / timeBase.den;
  const span = (last.time - first) * tick;
  const constant = [baseRate, averageRate].find((rate) => rate && fits(packets, tick, rate));
  const frameRate = constant ?? averageRate ?? measured(packets.length, span);
  const lastSeconds = last.duration ? last.duration * tick : frameRate.den / frameRate.num;
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
  const start = packets[0]?.time ?? 0;
  const allowed = Math.min(tick, ROUNDING) + 1e-6;
  return packets.every(({ time }, index) => Math.abs((time - start) * tick - (index * rate.den) / rate.num) <= allowed);
}

function measured(frames: number, span: number): Rational {
  const rate = span > 0 ? (frames - 1) / span : 25;
  return { num: Math.max(1, Math.round(rate * 1000)), den: 1000 };
}
