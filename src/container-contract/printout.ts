import {
  formatLogLine,
  type LogLevel,
  type LogLine,
  type LogSource,
  type LogStream,
  logLine,
  parseLogLine,
} from './log-line.js';

/** A line that a container printed, as its platform kept it. */
export interface Printed {
  text: string;
  stream: LogStream;
  /** When it was printed, ISO 8601, where somebody knows. */
  time?: string;
  /** Set in remarks about the output, which no program printed. */
  level?: LogLevel;
}

/** Characters kept of the beginning of an output and, where there is more, of its end. */
const KEPT = 128 * 1024;
/** What a line counts beside its characters. */
const LINE_COST = 100;
/** A line of a log as JSON is never longer, so the scorer's own lines stay whole. */
const LONGEST_PRINTED = 10_000;

interface Unfinished {
  text: string;
  time?: string;
}

/** Takes what a container prints in whatever pieces it comes, and keeps the lines of its beginning and of its end, 256 KiB in all. */
export class Printout {
  readonly #unfinished = new Map<LogStream, Unfinished>();
  readonly #first: Printed[] = [];
  readonly #last: Printed[] = [];
  #room = KEPT;
  #lastRoom = KEPT;
  #leftOut = 0;

  /** @param time when it was printed, ISO 8601, where that is known. */
  add(piece: string, stream: LogStream, time?: string): void {
    const lines = piece.split(/[\r\n]/);
    for (const [index, line] of lines.entries()) {
      const begun = this.#unfinished.get(stream) ?? { text: '', time };
      begun.text = (begun.text + line).slice(0, LONGEST_PRINTED);
      if (index === lines.length - 1) this.#unfinished.set(stream, begun);
      else {
        this.#unfinished.delete(stream);
        this.#keep({ ...begun, stream });
      }
    }
  }

  /** The lines so far, with a remark in place of those that were left out. */
  lines(): Printed[] {
    const begun = [...this.#unfinished]
      .map(([stream, { text, time }]) => ({ text, time, stream }))
      .filter(isWorthKeeping);
    const remark: Printed[] =
      this.#leftOut === 0
        ? []
        : [{ text: `(${this.#leftOut} lines of the output are left out here.)`, stream: 'platform', level: 'warn' }];
    return [...this.#first, ...remark, ...this.#last, ...begun];
  }

  #keep(line: Printed): void {
    if (!isWorthKeeping(line)) return;
    const cost = line.text.length + LINE_COST;
    if (this.#last.length === 0 && this.#leftOut === 0 && cost <= this.#room) {
      this.#room -= cost;
      this.#first.push(line);
      return;
    }
    this.#last.push(line);
    this.#lastRoom -= cost;
    while (this.#lastRoom < 0) {
      const gone = this.#last.shift();
      if (!gone) return;
      this.#lastRoom += gone.text.length + LINE_COST;
      this.#leftOut += 1;
    }
  }
}

const isWorthKeeping = ({ text }: { text: string }) => text.trim() !== '';

/**
 * Joins what the scorer stored of its log with what the platform kept of its output, in the order in which it was printed and each line
 * once. The lines that the scorer stored keep their order and come before those of its lines that only the platform has.
 * @param stored JSON lines; of a scorer of another version other lines, too.
 * @param at the time of a line for which nothing tells one, ISO 8601.
 */
export function joinLog(source: LogSource, stored: string, printed: Printed[], at: string): LogLine[] {
  const own = stored.split('\n').flatMap((text) => (text.trim() === '' ? [] : readOwn(text, source)));
  const places = new Map<string, number[]>();
  for (const [index, { key }] of own.entries()) places.set(key, [...(places.get(key) ?? []), index]);
  const joined: LogLine[] = [];
  let reached = 0;
  let others: LogLine[] = [];
  const takeOwn = (end: number) => {
    for (; reached < end; reached += 1) joined.push(...own.slice(reached, reached + 1).map(({ line }) => line));
  };
  const takeOthers = () => {
    joined.push(...others);
    others = [];
  };
  let level: LogLevel = 'info';
  for (const each of printed) {
    const said = each.level === undefined ? parseLogLine(each.text, source) : undefined;
    const isOwn = said !== undefined && said.stream === undefined;
    const known = places.get(isOwn ? formatLogLine(said) : textKey(each.text));
    const place = known?.find((index) => index >= reached);
    if (place !== undefined) {
      takeOwn(place);
      takeOthers();
      takeOwn(place + 1);
    } else if (isOwn) {
      if (known) continue;
      takeOwn(own.length);
      takeOthers();
      joined.push(said);
    } else if (!isPartOfOwn(each.text, own)) {
      level = levelOf(each, level);
      others.push(logLine(source, { time: each.time ?? '', level, message: each.text, stream: each.stream }));
    }
  }
  takeOwn(own.length);
  takeOthers();
  return dated(joined, at);
}

interface Own {
  line: LogLine;
  /** The same for the line as it was printed. */
  key: string;
}

function readOwn(text: string, source: LogSource): Own {
  const line = parseLogLine(text, source);
  if (line) return { line, key: formatLogLine(line) };
  return { line: logLine(source, { time: '', level: 'info', message: text }), key: textKey(text) };
}

const textKey = (text: string) => text.trimEnd();

/** Whether this is the beginning of a line that the scorer was printing when it was killed, and that it had stored already. */
const isPartOfOwn = (text: string, own: Own[]) =>
  text.startsWith('{"time":') && own.some(({ key }) => key.startsWith(text.trimEnd()));

/** Lines without a time get that of the line before, else of the one after. */
function dated(lines: LogLine[], at: string): LogLine[] {
  let time = lines.find((line) => line.time !== '')?.time ?? at;
  return lines.map((line) => {
    if (line.time !== '') ({ time } = line);
    return { ...line, time };
  });
}

/** ONNX Runtime begins its lines with a time and `[W:onnxruntime:`, W for warning. */
const RUNTIME_LEVEL = /\[([VIWEF]):onnxruntime/;
const ERROR =
  /\b(?:error|exception|fatal|panic|abort(?:ed)?|assert(?:ion)?|killed|segmentation fault|out of memory)\b|Error\b/i;

/** How much a line matters that a native library, a shell or a crash printed; one that is indented goes with the line before. */
function levelOf({ text, stream, level }: Printed, before: LogLevel): LogLevel {
  if (level) return level;
  const runtime = RUNTIME_LEVEL.exec(text)?.[1];
  if (runtime !== undefined) return runtime === 'W' ? 'warn' : runtime === 'E' || runtime === 'F' ? 'error' : 'info';
  if (/^\s/.test(text)) return before;
  if (/warning/i.test(text)) return 'warn';
  if (ERROR.test(text)) return 'error';
  return stream === 'stderr' ? 'warn' : 'info';
}
