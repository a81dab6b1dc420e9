/** When a timer function runs. */
export interface Schedule {
  /** The first time after `time`, in UTC. */
  next: (time: Date) => Date;
  /** Whether the host remembers runs: not where two of them may come within a minute. */
  readonly isMonitored: boolean;
  /** Not a time span. */
  readonly isCron: boolean;
}

interface Field {
  name: string;
  min: number;
  max: number;
  names?: readonly string[];
}

const MONTHS = 'January February March April May June July August September October November December'.split(' ');
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');

const SECOND: Field = { name: 'second', min: 0, max: 59 };
const FIELDS: readonly Field[] = [
  SECOND,
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day', min: 1, max: 31 },
  { name: 'month', min: 1, max: 12, names: MONTHS },
  { name: 'day of week', min: 0, max: 6, names: DAYS },
];

/** 29 February comes once in eight years where a century's first year is no leap year. */
const LONGEST_WAIT_YEARS = 8;

/**
 * Reads a schedule as Azure's timers do: NCRONTAB with six fields, seconds first, or five without them, or a time span such as
 * `00:05:00` between the starts of two runs. A day must be one of the month's and of the week's (NCrontab, CrontabField.cs), and a
 * schedule is not monitored when it runs more than once in every minute (TimerSchedule.cs).
 * @throws Error whose message says what cannot be read.
 */
export function parseSchedule(text: string): Schedule {
  const span = /^(?:(\d+)\.)?(\d{1,2}):(\d{1,2}):(\d{1,2})$/.exec(text.trim());
  if (span) return constantSchedule(span.slice(1).map((part) => Number(part ?? 0)));
  const parts = text.trim().split(/\s+/);
  if (parts.length !== 6 && parts.length !== 5)
    throw new Error('it takes six fields, such as "0 */5 * * * *", or a time span, such as "00:05:00".');
  const fields = parts.length === 5 ? ['0', ...parts] : parts;
  const [seconds, minutes, hours, days, months, weekdays] = FIELDS.map((field, index) =>
    values(field, fields[index] ?? ''),
  ) as [Values, Values, Values, Values, Values, Values];
  const isOn = (day: Date) => days.has(day.getUTCDate()) && weekdays.has(day.getUTCDay());

  const next = (time: Date): Date => {
    const at = new Date(Math.floor(time.getTime() / 1000) * 1000 + 1000);
    const end = at.getUTCFullYear() + LONGEST_WAIT_YEARS;
    while (at.getUTCFullYear() <= end) {
      if (!months.has(at.getUTCMonth() + 1)) at.setTime(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1));
      else if (!isOn(at)) at.setUTCHours(24, 0, 0);
      else if (!hours.has(at.getUTCHours())) at.setUTCHours(at.getUTCHours() + 1, 0, 0);
      else if (!minutes.has(at.getUTCMinutes())) at.setUTCMinutes(at.getUTCMinutes() + 1, 0);
      else if (!seconds.has(at.getUTCSeconds())) at.setUTCSeconds(at.getUTCSeconds() + 1);
      else return at;
    }
    throw new Error('no year has such a day.');
  };
  next(new Date(0));
  const isEveryMinute = fields.slice(1).every((field) => field === '*');
  return { next, isMonitored: !isEveryMinute || seconds.size === 1, isCron: true };
}

function constantSchedule(parts: number[]): Schedule {
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = parts;
  const period = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
  if (hours > 23 || minutes > 59 || seconds > 59 || period === 0)
    throw new Error('it is no time span of the form "hours:minutes:seconds".');
  return { next: (time) => new Date(time.getTime() + period), isMonitored: period >= 60_000, isCron: false };
}

type Values = ReadonlySet<number>;

/** `*`, `a`, `a-b`, any of them with `/step`, and lists of these; with a step, `a` goes on to the end. */
function values(field: Field, text: string): Values {
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const [, from = '', to, step] = /^(\*|\w+)(?:-(\w+))?(?:\/(\d+))?$/.exec(part) ?? [];
    const every = Number(step ?? 1);
    if (from === '' || (from === '*' && to !== undefined) || every === 0) refuse(field, part);
    const first = from === '*' ? field.min : value(field, from, part);
    const last = to === undefined ? (from === '*' || step ? field.max : first) : value(field, to, part);
    // NCrontab swaps the ends of a range that runs backwards.
    for (let each = Math.min(first, last); each <= Math.max(first, last); each += every) found.add(each);
  }
  return found;
}

function value(field: Field, text: string, part: string): number {
  const { min, max, names = [] } = field;
  const named = names.findIndex((name) => name.toLowerCase().startsWith(text.toLowerCase()));
  const number = /^\d+$/.test(text) ? Number(text) : named < 0 ? Number.NaN : named + min;
  if (!(number >= min && number <= max)) refuse(field, part);
  return number;
}

function refuse({ name, min, max, names }: Field, part: string): never {
  const known = names ? ` or a name such as "${names[0]?.slice(0, 3)}"` : '';
  throw new Error(`"${part}" is no ${name}: it takes ${min} to ${max}${known}, "*", ranges, lists and steps.`);
}
