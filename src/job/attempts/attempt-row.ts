import type { Blame } from '../failure.js';
import type { AttemptPhases } from './phases.js';

/** A container run. Times are milliseconds since the epoch; null where nobody knows. */
export interface AttemptRow {
  attempt: number;
  /** The attempt that it helps. */
  helps: number | null;
  /** Where it ran, as in `ranOn`. */
  place: string | null;
  launchedAt: number | null;
  /** When it had its place, its image was there, its program was ready, its model loaded, its first item and its last item stored. */
  placedAt: number | null;
  pulledAt: number | null;
  startedAt: number | null;
  modelLoadedAt: number | null;
  firstItemAt: number | null;
  lastItemAt: number | null;
  /** Null while it runs. */
  endedAt: number | null;
  /** How it ended; null while it runs, or until that is known. */
  end: 'complete' | 'failed' | 'stopped' | null;
  blame: Blame | null;
  /** Why it did not end well, shortened; '' where it did. */
  message: string;
}

/** How a container run ended, as far as a row tells. */
export type RowEnd = Pick<AttemptRow, 'attempt' | 'end' | 'message'> &
  Partial<Pick<AttemptRow, 'helps' | 'place' | 'blame'>>;

/** The row of a container run that has ended. */
export function endedRow({ attempt, helps = null, place = null, end, blame = null, message }: RowEnd): AttemptRow {
  return { ...NO_TIMES, attempt, helps, place, end, blame, message };
}

/** The row with the times of its phases. */
export function timedRow(row: AttemptRow, { launched, ended, endedAt }: AttemptPhases): AttemptRow {
  const { queued, pulled, started, modelLoaded, firstItem, lastItem } = ended;
  return {
    ...row,
    launchedAt: timeOf(launched),
    placedAt: timeOf(queued),
    pulledAt: timeOf(pulled),
    startedAt: timeOf(started),
    modelLoadedAt: timeOf(modelLoaded),
    firstItemAt: timeOf(firstItem),
    lastItemAt: timeOf(lastItem),
    endedAt: timeOf(endedAt),
  };
}

/** Milliseconds since the epoch of an ISO 8601 time; null when there is none. */
export function timeOf(text: string | undefined): number | null {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? null : time;
}

const TIMES = [
  'launchedAt',
  'placedAt',
  'pulledAt',
  'startedAt',
  'modelLoadedAt',
  'firstItemAt',
  'lastItemAt',
  'endedAt',
] as const;
const NO_TIMES = Object.fromEntries(TIMES.map((time) => [time, null])) as Record<(typeof TIMES)[number], null>;
const ENDS = ['complete', 'failed', 'stopped'] as const;
const BLAMES = ['user', 'item', 'platform', 'attempt'] as const;

/** What a listing may bring along for the rows of a batch, and of a message in it, in letters of ASCII. */
export const MOST_ROWS_LENGTH = 4000;
export const MOST_MESSAGE_LENGTH = 600;

/** Rows and the texts that they name by their numbers, as several attempts often end alike. */
type Packed = [texts: string[], ...rows: (number | null)[][]];

/** The newest of some rows in ASCII letters, as many as there is room for; times within a row count from its first. */
export function packRows(rows: AttemptRow[]): string {
  let best = pack([]);
  let [fewest, most] = [1, rows.length];
  while (fewest <= most) {
    const middle = Math.ceil((fewest + most) / 2);
    const packed = pack(rows.slice(-middle));
    if (packed.length <= MOST_ROWS_LENGTH) [best, fewest] = [packed, middle + 1];
    else most = middle - 1;
  }
  return best;
}

function pack(rows: AttemptRow[]): string {
  const texts: string[] = [];
  const numberOf = (text: string) => {
    if (!texts.includes(text)) texts.push(text);
    return texts.indexOf(text);
  };
  const packed = rows.map(({ attempt, helps, place, end, blame, message, ...times }) => {
    const first = TIMES.flatMap((name) => times[name] ?? [])[0] ?? 0;
    return [
      attempt,
      helps,
      place === null ? null : numberOf(inAscii(place)),
      end && ENDS.indexOf(end),
      blame && BLAMES.indexOf(blame),
      message === '' ? null : numberOf(inAscii(message)),
      first,
      ...TIMES.map((name) => (times[name] === null ? null : times[name] - first)),
    ];
  });
  return JSON.stringify([texts, ...packed] satisfies Packed);
}

/** Reads what `packRows` made. */
export function unpackRows(packed: string): AttemptRow[] {
  const [texts, ...rows] = JSON.parse(packed) as Packed;
  const textOf = (number: number | null | undefined) => (number == null ? null : fromAscii(texts[number] ?? ''));
  return rows.map(([attempt = 0, helps = null, place, end, blame, message, first, ...times]) => ({
    attempt: attempt ?? 0,
    helps,
    place: textOf(place),
    ...(Object.fromEntries(TIMES.map((name, k) => [name, times[k] == null ? null : (first ?? 0) + times[k]])) as Record<
      (typeof TIMES)[number],
      number | null
    >),
    end: ENDS[end ?? -1] ?? null,
    blame: BLAMES[blame ?? -1] ?? null,
    message: textOf(message) ?? '',
  }));
}

/** A text in letters that metadata can hold, without its end where it would be too long. */
export function inAscii(text: string): string {
  const wellFormed = text.replace(/\p{Cs}/gu, '\ufffd');
  const whole = encodeURIComponent(wellFormed);
  if (whole.length <= MOST_MESSAGE_LENGTH) return whole;
  let short = '';
  for (const letter of wellFormed) {
    const more = encodeURIComponent(letter);
    if (short.length + more.length > MOST_MESSAGE_LENGTH - ELLIPSIS.length) break;
    short += more;
  }
  return `${short}${ELLIPSIS}`;
}

const ELLIPSIS = encodeURIComponent('…');

/** Reads what `inAscii` made. */
export const fromAscii = (text: string): string => decodeURIComponent(text);
