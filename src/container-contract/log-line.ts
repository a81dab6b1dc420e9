import { hideSecrets } from '../job/failure.js';

/** How much a line of a log matters. */
export type LogLevel = 'info' | 'warn' | 'error';

/** A container run: the one of an attempt of a job's batch. */
export interface LogSource {
  job: string;
  batch: number;
  /** From 1. */
  attempt: number;
}

/**
 * A line of what a container said: of the JSON lines that the scorer prints and stores, and of the log that is kept of every attempt.
 * It holds no secret, no control characters and at most `LONGEST_LINE` characters.
 */
export interface LogLine extends LogSource {
  /** ISO 8601, UTC. */
  time: string;
  level: LogLevel;
  message: string;
  /**
   * Absent in the scorer's own account of its run. `stdout` and `stderr`: whatever else the container printed, such as the words of a
   * native library or of a crash; `platform`: the same from a platform that does not tell the two apart, and remarks on what is missing.
   */
  stream?: LogStream | undefined;
}

export type LogStream = 'stdout' | 'stderr' | 'platform';

/** Characters of a message; what is longer is cut. */
export const LONGEST_LINE = 4000;

/** Makes a line of what was said, without what must not be in a log. */
export function logLine(
  { job, batch, attempt }: LogSource,
  { time, level, message, stream }: Pick<LogLine, 'time' | 'level' | 'message' | 'stream'>,
): LogLine {
  return { time, job, batch, attempt, level, message: presentable(message), stream };
}

/** A line as it is stored: JSON without any character that somebody takes for the end of a line, and `\n`. */
export const formatLogLine = (line: LogLine): string =>
  `${JSON.stringify(line).replace(/[\u0085\u2028\u2029]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;

/** Reads one line of a log; undefined when it is no such line, or not one of this source where that is given. */
export function parseLogLine(text: string, source?: LogSource): LogLine | undefined {
  if (!text.startsWith('{')) return undefined;
  let value: Partial<Record<keyof LogLine, unknown>>;
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    return undefined;
  }
  const { time, job, batch, attempt, level, message, stream } = value;
  if (typeof time !== 'string' || Number.isNaN(Date.parse(time)) || typeof message !== 'string') return undefined;
  if (typeof job !== 'string' || typeof batch !== 'number' || typeof attempt !== 'number') return undefined;
  if (level !== 'info' && level !== 'warn' && level !== 'error') return undefined;
  if (stream !== undefined && stream !== 'stdout' && stream !== 'stderr' && stream !== 'platform') return undefined;
  if (source && (job !== source.job || batch !== source.batch || attempt !== source.attempt)) return undefined;
  return logLine({ job, batch, attempt }, { time, level, message, stream });
}

/** Sequences with which a program colours a terminal, sets its title and moves its cursor: ECMA-48, 5.4 and 5.6. */
const [ESCAPE, BELL] = ['\u001b', '\u0007'];
const TERMINAL = new RegExp(
  [
    `${ESCAPE}\\[[0-?]*[ -/]*[@-~]`,
    `${ESCAPE}\\][^${BELL}${ESCAPE}]*(?:${BELL}|${ESCAPE}\\\\)?`,
    `${ESCAPE}[ -/]*[0-~]`,
  ].join('|'),
  'g',
);
/** All control characters but the tab. */
const CONTROL = /[^\P{Cc}\t]/gu;

const CUT = ' … (the rest of the line is left out)';

/** On one line, without secrets and control characters, cut to a length that a log can hold. */
function presentable(message: string): string {
  const visible = hideSecrets(message.replace(TERMINAL, ''))
    .replace(/[\r\n\u2028\u2029]+/g, ' ')
    .replace(CONTROL, '\ufffd')
    .trimEnd();
  if (visible.length <= LONGEST_LINE) return visible;
  return visible.slice(0, LONGEST_LINE - CUT.length) + CUT;
}
