/**
 * What the time of a container goes into, from its launch until its result is stored. Every moment counts once: while the engine works,
 * as inference; while it stands idle, as what it waits for.
 *
 * - `place`: waiting for a place to run; `image`: pulling the image; `start`: from then on until the program is ready, but what follows.
 * - `model`: loading the model into the engine.
 * - `storage`: reading the task, the model and the pictures, and storing outputs.
 * - `pictures`: decoding, scaling and encoding, and turning pixels into what the model takes and back.
 * - `other`: idle for none of these reasons; `unknown`: what a container did that ended without saying so.
 */
export const TIME_USES = [
  'place',
  'image',
  'start',
  'model',
  'storage',
  'pictures',
  'inference',
  'other',
  'unknown',
] as const;
export type TimeUse = (typeof TIME_USES)[number];

/** Seconds, or percent; absent where there are none. */
export type TimeSplit = Partial<Record<TimeUse, number>>;

/** Milliseconds since the start of its process, as a scorer accounts for them. */
export type ScorerSplit = Record<Exclude<TimeUse, 'place' | 'image' | 'unknown'>, number>;

/** What is known of an attempt's time; times are ISO 8601. */
export interface AttemptTime {
  launched: string;
  /** `started`: when the scorer's process began or, if the scorer never said so, when the platform saw the container run. */
  seen: { queued?: string; pulled?: string; started?: string };
  /** Whether the scorer gave a sign of life. */
  alive: boolean;
  /** What the scorer said of its time last. */
  own?: ScorerSplit | undefined;
  /** When the attempt ended or was seen to have ended; left out when `own` is all of its time. */
  ended?: string;
}

/** Clocks of platform and container differ: what seems to end before it began takes no time. */
export function attemptSplit({ launched, seen, alive, own, ended }: AttemptTime): TimeSplit {
  let before = Date.parse(launched);
  const until = (time: string | undefined) => {
    const end = Date.parse(time ?? '');
    if (!(end > before)) return 0;
    const milliseconds = end - before;
    before = end;
    return milliseconds;
  };
  const place = until(seen.queued);
  const image = until(seen.pulled);
  // A program that gave no sign of life never came further than its start.
  const start = until(alive ? seen.started : ended);
  const said = tidy({ ...own }, 1000);
  const unknown = until(ended) / 1000 - totalOf(said);
  return sumSplits([tidy({ place, image, start }, 1000), said, tidy({ unknown })]);
}

const totalOf = (split: TimeSplit) => Object.values(split).reduce((sum, seconds) => sum + seconds, 0);

/** In seconds, to the millisecond, without what took no time. */
function tidy(split: TimeSplit, unitsPerSecond = 1): TimeSplit {
  const seconds: TimeSplit = {};
  for (const use of TIME_USES) {
    const rounded = Math.round((1000 * (split[use] ?? 0)) / unitsPerSecond) / 1000;
    if (rounded > 0) seconds[use] = rounded;
  }
  return seconds;
}

/** What is undefined is not known. */
export function sumSplits(parts: (TimeSplit | undefined)[]): TimeSplit {
  const sum: TimeSplit = {};
  for (const part of parts) for (const use of TIME_USES) sum[use] = (sum[use] ?? 0) + (part?.[use] ?? 0);
  return tidy(sum);
}

/** Where the time of a job's containers went. */
export interface ContainerTime {
  /** Names the largest share and the others that matter, e.g. `81 % of the container time is inference; 6 % waits for storage.` */
  sentence: string;
  /** Whole numbers that add up to 100; absent where there is less than one. */
  percent: TimeSplit;
  seconds: TimeSplit;
}

/** The sentence names so many shares and, beside the largest, none that is smaller. */
const MOST_NAMED = 4;
const LEAST_PERCENT = 5;

const WORDS: Record<TimeUse, string> = {
  place: 'waits for a place',
  image: 'waits for the image',
  start: 'waits for containers to start',
  model: 'waits for the model',
  storage: 'waits for storage',
  pictures: 'is decoding, scaling and encoding pictures',
  inference: 'is inference',
  other: 'is other work',
  unknown: 'is unknown',
};

/** Null when no container took any time. */
export function describeTime(split: TimeSplit): ContainerTime | null {
  const seconds = tidy(split);
  const percent = percentOf(seconds);
  const uses = TIME_USES.filter((use) => percent[use] !== undefined).toSorted(
    (one, other) => (percent[other] ?? 0) - (percent[one] ?? 0),
  );
  if (uses.length === 0) return null;
  const named = uses.filter(
    (use, index) => index === 0 || (index < MOST_NAMED && (percent[use] ?? 0) >= LEAST_PERCENT),
  );
  const shares = named.map(
    (use, index) => `${percent[use]} % ${index === 0 ? 'of the container time ' : ''}${WORDS[use]}`,
  );
  return { sentence: `${shares.join('; ')}.`, percent, seconds };
}

/** Rounds down, and gives what is left to where most was cut off. */
function percentOf(seconds: TimeSplit): TimeSplit {
  const total = totalOf(seconds);
  const exact = TIME_USES.map((use) => ({ use, share: (100 * (seconds[use] ?? 0)) / (total || 1) }));
  const left = 100 - exact.reduce((sum, { share }) => sum + Math.floor(share), 0);
  const raised = new Set(
    exact
      .toSorted((one, other) => (other.share % 1) - (one.share % 1))
      .slice(0, left)
      .map(({ use }) => use),
  );
  const percent: TimeSplit = {};
  for (const { use, share } of exact) {
    const whole = Math.floor(share) + (raised.has(use) ? 1 : 0);
    if (share > 0 && whole > 0) percent[use] = whole;
  }
  return percent;
}
