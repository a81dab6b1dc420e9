import { counted, JobError } from '../failure.js';

/** A folder whose pictures are the frames of a video: how many a second, in which order, and which sound goes with them. */

/** An exact fraction of frames a second. */
interface Rate {
  num: number;
  den: number;
}

const MOST_A_SECOND = 240;
const LONGEST_FRAME_SECONDS = 60;
/** Frames reach ffmpeg with times in microseconds, which tell finer ticks no longer apart. */
const FINEST_TICK = 240_000;

/** What a frame rate must be, for sentences. */
export const FRAME_RATES = `must be a whole number of frames a second, or a fraction in quotes such as "24000/1001" (23.976), "30000/1001" (29.97) or "1/2", from 1/${LONGEST_FRAME_SECONDS} to ${MOST_A_SECOND}`;

/** Reads `24`, `"24"` or `"24000/1001"`; undefined for what is no frame rate that is taken. */
export function readFrameRate(given: number | string): Rate | undefined {
  const [, first, second = '1'] = /^(\d{1,9})(?:\/(\d{1,9}))?$/.exec(String(given)) ?? [];
  const [num, den] = [Number(first), Number(second)];
  if (!(num > 0 && den > 0 && num <= MOST_A_SECOND * den && den <= LONGEST_FRAME_SECONDS * num)) return undefined;
  const common = divisor(num, den);
  return num / common <= FINEST_TICK ? { num: num / common, den: den / common } : undefined;
}

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));

/** Puts frames in the order of their names, in which numbers count as numbers: `f9.png` comes before `f10.png`. */
export function inFrameOrder<T extends { name: string }>(frames: T[]): T[] {
  const keyed = frames.map((frame) => ({ frame, key: orderKey(frame.name) }));
  return keyed
    .toSorted((a, b) => compare(a.key, b.key) || compare(a.frame.name, b.frame.name))
    .map(({ frame }) => frame);
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Each number behind its count of digits, so that keys sort as the numbers do. */
const orderKey = (name: string) =>
  name.replaceAll(/\d+/g, (digits) => {
    const value = digits.replace(/^0+(?=\d)/, '');
    return `${String(value.length).padStart(3, '0')}${value}`;
  });

/**
 * @param names in the order of the frames.
 * @throws JobError `user` when two files are one frame in two formats, such as `a.jpg` and `a.png`.
 */
export function requireSingle(names: string[], folder: string): void {
  for (const [index, name] of names.entries()) {
    const before = names[index - 1];
    if (before !== undefined && stemOf(before) === stemOf(name))
      throw new JobError(
        'user',
        `${before} and ${name} in ${folder} are two files for one frame; remove one of each such pair.`,
      );
  }
}

const stemOf = (name: string) => name.replace(/\.[^./]*$/, '');

const LONGEST_NAME = 80;

/**
 * Says that numbers are missing between the frames. Undefined when none are, or more than there are frames: then the numbers count
 * something else.
 * @param names in the order of the frames.
 */
export function missingNumbers(names: string[]): string | undefined {
  const steps: { after: string; next: (step: number) => string; distance: number }[] = [];
  let before: Numbered | undefined;
  for (const name of names) {
    const frame = numberIn(name);
    if (frame && before?.series === frame.series)
      steps.push({ after: name, next: nameBehind(before), distance: frame.number - before.number });
    before = frame;
  }
  const step = steps.reduce((least, { distance }) => Math.min(least, distance > 0 ? distance : Infinity), Infinity);
  const gaps = steps.filter(({ distance }) => distance >= 2 * step);
  const missing = gaps.reduce((sum, { distance }) => sum + Math.floor(distance / step) - 1, 0);
  const [first] = gaps;
  if (!first || missing > names.length) return undefined;
  const which = missing === 1 ? first.next(step) : `${first.next(step)} and ${missing - 1} more`;
  return `${counted(missing, 'number')} ${missing === 1 ? 'is' : 'are'} missing between the frames (${which}); the video goes on without, so what follows is shown earlier.`;
}

interface Numbered {
  /** What surrounds the number: frames of one series differ in nothing else. */
  series: string;
  name: string;
  number: number;
}

/** The last number in a name, before its ending. */
function numberIn(path: string): Numbered | undefined {
  const name = stemOf(path);
  const [, before = '', digits = '', behind = ''] = /^(.*?)(\d{1,15})(\D*)$/s.exec(name) ?? [];
  return digits === '' ? undefined : { series: `${before}\n${behind}`, name, number: Number(digits) };
}

const nameBehind =
  ({ name, number }: Numbered) =>
  (step: number) =>
    name.replace(/\d+(?=\D*$)/, (digits) => String(number + step).padStart(digits.length, '0')).slice(-LONGEST_NAME);

/** Whether a file is the sound of the frames that it lies beside. @param name below their folder. */
export const isSoundBeside = (name: string): boolean => /^audio\.(?:m4a|mp3|wav|flac|aac|ogg|opus)$/i.test(name);
