import type { JobStatus } from '../../api/jobs.js';
import { counted, hideSecrets } from '../../job/failure.js';
import { type BatchCounts, STAGES_IN_WORDS } from '../../job/progress.js';
import type { Span } from '../../job/estimate/estimate.js';
import { createTimeLeft } from '../../job/estimate/time-left.js';

/** What is shown of a job, or of a command's own work on it. */
export interface Shown extends Pick<JobStatus, 'id' | 'items' | 'itemsPerSecond' | 'secondsLeft' | 'waiting'> {
  stage: string | null;
  batches?: Pick<BatchCounts, 'running'>;
  retries?: number;
}

/** Shows a job's progress: a line that is drawn anew on a terminal, plain lines elsewhere, nothing when quiet. */
export interface ProgressView {
  show(status: Shown): void;
  /** The app has not answered for so many seconds. */
  silent(seconds: number): void;
  end(): void;
}

interface ViewOptions {
  quiet: boolean;
  /** What the items are called. */
  unit?: string;
  env: NodeJS.ProcessEnv;
}

export function createProgressView(
  stream: NodeJS.WriteStream,
  { quiet, unit = 'frames', env }: ViewOptions,
): ProgressView {
  if (quiet) return { show: () => undefined, silent: () => undefined, end: () => undefined };
  // A terminal that cannot go back in a line says so.
  return stream.isTTY && env.TERM !== 'dumb' ? terminalView(stream, unit) : plainView(stream, unit);
}

const CLEAR_REST = '\u001b[K';
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const USUAL_COLUMNS = 80;

function terminalView(stream: NodeJS.WriteStream, unit: string): ProgressView {
  const timeLeft = createTimeLeft();
  let begun = false;
  let named = false;
  let latest: { status: Shown; left: Span | null } | undefined;
  const draw = (line: string) => stream.write(`\r${line}${CLEAR_REST}`);
  const columns = () => stream.columns || USUAL_COLUMNS;
  return {
    show(status) {
      if (!named) stream.write(naming(status));
      named = true;
      if (isRefused(status)) return;
      if (!begun) stream.write(HIDE_CURSOR);
      begun = true;
      latest = { status, left: timeLeft.look(foretold(status), performance.now() / 1000) };
      draw(progressLine(status, { unit, columns: columns(), left: latest.left }));
    },
    silent(seconds) {
      if (!latest) return;
      const waiting = [`no answer for ${Math.round(seconds)} s; asking again`];
      draw(progressLine({ ...latest.status, waiting }, { unit, columns: columns(), left: null }));
    },
    end() {
      if (begun) stream.write(`\n${SHOW_CURSOR}`);
      begun = false;
    },
  };
}

const LINE_EVERY_MS = 5000;

function plainView(stream: NodeJS.WriteStream, unit: string): ProgressView {
  const timeLeft = createTimeLeft();
  let stage = '';
  let last = 0;
  let waiting = '';
  let isSilent = false;
  let named = false;
  let shown = '';
  const write = (line: string) => stream.write(`${oneLine(line)}\n`);
  return {
    show(status) {
      isSilent = false;
      if (!named) stream.write(naming(status));
      named = true;
      if (isRefused(status)) return;
      const now = performance.now();
      const left = timeLeft.look(foretold(status), now / 1000);
      const why = status.waiting.join(' ');
      if (why !== waiting && why !== '') write(`waiting: ${why}`);
      waiting = why;
      const current = stageOf(status);
      if (current === stage && now - last < LINE_EVERY_MS) return;
      stage = current;
      last = now;
      const { items, rest } = partsOf(status, unit, left);
      const line = `${current}: ${[items, ...rest.map(({ text }) => text)].join(', ')}`;
      if (line !== shown) write(line);
      shown = line;
    },
    silent() {
      if (!isSilent) write('waiting: no answer from the app; asking again');
      isSilent = true;
    },
    end: () => undefined,
  };
}

/** The command `logs` asks for it. */
const naming = ({ id }: Shown) => `job: ${id}\n`;

/** A job that ends before it has items has nothing to show in its last stage; why it ends is said instead. */
const isRefused = ({ stage, items }: Shown) => stage === 'finish' && items.total === 0 && items.done === 0;

const stageOf = ({ stage }: Shown) => stage ?? 'queued';

/** What is left out first where there is little room. */
const IMPORTANCE = ['retries', 'containers', 'rate', 'left', 'failed'] as const;
interface Part {
  kind: (typeof IMPORTANCE)[number];
  text: string;
}

/** What is said of a job behind its stage, without what is not known. */
function partsOf(status: Shown, unit: string, left: Span | null): { items: string; rest: Part[] } {
  const { items, itemsPerSecond, stage, batches, retries = 0 } = status;
  if (items.total === 0 && items.done === 0) return { items: beginningOf(stage), rest: [] };
  const running = stage === 'score' ? (batches?.running ?? 0) : 0;
  const starts = stage === 'score' && itemsPerSecond === null;
  const containers = running > 0 ? counted(running, 'container') : undefined;
  const said: [Part['kind'], string | undefined][] = [
    ['failed', items.failed > 0 ? `${items.failed} failed` : undefined],
    ['rate', itemsPerSecond === null ? undefined : `${itemsPerSecond.toFixed(1)} ${unit}/s`],
    ['left', starts ? `starting ${containers ?? 'containers'}` : left === null ? undefined : leftInWords(left)],
    ['containers', starts ? undefined : containers],
    ['retries', retries === 0 ? undefined : retries === 1 ? '1 retry' : `${retries} retries`],
  ];
  // The total of what is still being found is not known.
  const count = items.total >= items.done && items.total > 0 ? `${items.done}/${items.total}` : `${items.done}`;
  return {
    items: `${count} ${unit}`,
    rest: said.flatMap(([kind, text]) => (text === undefined ? [] : [{ kind, text }])),
  };
}

const isStage = (stage: string): stage is keyof typeof STAGES_IN_WORDS => stage in STAGES_IN_WORDS;

/** What the first few items took tells too little of the rest. */
const FEW = 3;
const foretold = ({ stage, items, secondsLeft }: Shown) => ({
  stage,
  secondsLeft: items.done < FEW ? null : secondsLeft,
});

/** What a stage does that has no numbers yet. */
function beginningOf(stage: string | null): string {
  if (stage === null) return 'waits to begin';
  return isStage(stage) ? STAGES_IN_WORDS[stage] : 'begins';
}

const LONGEST_BAR = 30;
const SHORTEST_BAR = 8;
const BAR_SHARE = 8;
/** So much of what a job waits for is worth more than a bar and the other numbers. */
const LEAST_REASON = 40;
const GAP = '  ';

/**
 * One line that fits into the columns of a terminal: what matters least is left out.
 * @param left null while nobody knows.
 */
export function progressLine(
  status: Shown,
  { unit, columns, left }: { unit: string; columns: number; left: Span | null },
): string {
  const room = columns - 1;
  const head = stageOf(status).padEnd(7);
  const { items, rest } = partsOf(status, unit, left);
  const why = oneLine(status.waiting.join(' '));
  const reason = why === '' ? 0 : Math.min(why.length, LEAST_REASON) + GAP.length;
  let parts = why === '' ? rest : rest.filter(({ kind }) => kind !== 'left');
  const said = () => [items, ...parts.map(({ text }) => text)].join(GAP);
  const used = () => head.length + GAP.length + said().length + reason;
  for (const kind of IMPORTANCE) if (used() > room) parts = parts.filter((part) => part.kind !== kind);
  const { done, total } = status.items;
  // As wide as the terminal says, not as what stands behind it leaves: it is not to move all the time.
  const width = Math.min(LONGEST_BAR, Math.max(SHORTEST_BAR, Math.floor(columns / BAR_SHARE)));
  const shown = total > 0 && used() + width + GAP.length <= room ? [bar(done / total, width)] : [];
  const line = [head, ...shown, said()].join(GAP);
  const last = room - line.length - GAP.length;
  if (why !== '' && last >= SHORTEST_BAR) return `${line}${GAP}${cut(why, last)}`;
  return cut(line.length > room ? line.replace(` ${unit}`, '') : line, room);
}

function bar(share: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return '█'.repeat(full) + '░'.repeat(width - full);
}

/** Nothing in it breaks the line or steers the terminal. */
const oneLine = (text: string) => hideSecrets(text.replace(/\s+/g, ' ').trim());

/** Letters that take two places: those of East Asian scripts, and emoji. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60]/u;

/** As much of a text as fits into so many places. */
function cut(text: string, places: number): string {
  let used = 0;
  let end = 0;
  for (const letter of text) {
    used += WIDE.test(letter) ? 2 : 1;
    if (used > places) return `${text.slice(0, end).replace(/.$/su, '')}…`;
    end += letter.length;
  }
  return text;
}

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** As `2-3 min left`: in the unit of the larger number, no more exact than anyone can know. */
export function leftInWords({ low, high }: Span): string {
  if (high < 5) return 'a few seconds left';
  const { unit, name, step } = unitOf(high);
  const [from, to] = [low, high].map((seconds) => Math.round(seconds / unit / step) * step);
  if (from === to) return `about ${to} ${name} left`;
  return from === 0 ? `up to ${to} ${name} left` : `${from}-${to} ${name} left`;
}

function unitOf(seconds: number): { unit: number; name: string; step: number } {
  if (seconds < 2 * MINUTE) return { unit: 1, name: 's', step: 5 };
  if (seconds < 2 * HOUR) return { unit: MINUTE, name: 'min', step: 1 };
  return seconds < 2 * DAY ? { unit: HOUR, name: 'h', step: 0.5 } : { unit: DAY, name: 'd', step: 1 };
}

const UPLOAD_EVERY_MS = 1000;
const UPLOAD_LINE_EVERY_MS = 5000;

/** Shows how far the upload of a large file is: on one line of a terminal, elsewhere every few seconds, not at all when quiet. */
export function createUploadView(
  stream: NodeJS.WriteStream,
  { quiet, env }: Pick<ViewOptions, 'quiet' | 'env'>,
): (sent: number, total: number) => void {
  if (quiet) return () => undefined;
  const redraws = stream.isTTY && env.TERM !== 'dumb';
  const pause = redraws ? UPLOAD_EVERY_MS : UPLOAD_LINE_EVERY_MS;
  const megabytes = (bytes: number) => Math.round(bytes / 1e6);
  let shownAt = -Infinity;
  let last = 0;
  return (sent, total) => {
    const now = performance.now();
    if (sent < total && now - shownAt < pause) return;
    const goesOn = last === 0 && sent > 0 && sent < total ? ', going on where it was' : '';
    const line = `upload: ${megabytes(sent)} of ${megabytes(total)} MB${goesOn}`;
    stream.write(redraws ? `\r${line}${CLEAR_REST}${sent < total ? '' : '\n'}` : `${line}\n`);
    shownAt = now;
    last = Math.max(1, sent);
  };
}
