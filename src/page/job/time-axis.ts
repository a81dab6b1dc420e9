/** A stretch of time, in milliseconds since the epoch. */
export interface Span {
  from: number;
  to: number;
}

/** Where a moment is on a time axis on which long times without anything are short. */
export interface TimeAxis {
  /** From 0 to 1. */
  at: (time: number) => number;
  /** The gaps that are shown shorter than they are. */
  breaks: (Span & { at: number; width: number })[];
  /** Round moments, and how they are called. */
  ticks: { at: number; label: string }[];
}

/** A gap is squeezed where it is longer than this share of all busy time, and than so long. */
const LONG_SHARE = 0.15;
const LONG_MS = 20_000;
/** What a squeezed gap takes of the axis. */
const BREAK_SHARE = 0.03;

/** The axis for some spans, which may overlap and come in any order. */
export function createTimeAxis(spans: Span[]): TimeAxis {
  const busy = unite(spans);
  const busyMs = busy.reduce((sum, { from, to }) => sum + to - from, 0);
  const longest = Math.max(LONG_MS, busyMs * LONG_SHARE);
  const pieces: (Span & { isBreak: boolean })[] = [];
  for (const span of busy) {
    const before = pieces.at(-1);
    const isLong = before !== undefined && span.from - before.to > longest;
    if (isLong) pieces.push({ from: before.to, to: span.from, isBreak: true });
    if (before && !isLong) before.to = span.to;
    else pieces.push({ ...span, isBreak: false });
  }
  const shownMs = pieces.reduce((sum, { from, to, isBreak }) => sum + (isBreak ? 0 : to - from), 0) || 1;
  const breaks = pieces.filter(({ isBreak }) => isBreak).length;
  const breakWidth = Math.min(BREAK_SHARE, 0.4 / Math.max(1, breaks));
  const rest = 1 - breaks * breakWidth;
  let start = 0;
  const placed = pieces.map((piece) => {
    const width = piece.isBreak ? breakWidth : (rest * (piece.to - piece.from)) / shownMs;
    const at = start;
    start += width;
    return { ...piece, at, width };
  });
  const at = (time: number): number => {
    const piece = placed.find(({ to }) => time <= to) ?? placed.at(-1);
    if (!piece) return 0;
    const share = (time - piece.from) / Math.max(1, piece.to - piece.from);
    return Math.min(1, Math.max(0, piece.at + piece.width * Math.min(1, Math.max(0, share))));
  };
  return {
    at,
    breaks: placed
      .filter(({ isBreak }) => isBreak)
      .map(({ from, to, at: left, width }) => ({ from, to, at: left, width })),
    ticks: ticksOf(placed, rest / shownMs),
  };
}

function unite(spans: Span[]): Span[] {
  const united: Span[] = [];
  for (const { from, to } of spans.toSorted((one, other) => one.from - other.from)) {
    const last = united.at(-1);
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else united.push({ from, to });
  }
  return united;
}

const STEPS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400].map((seconds) => seconds * 1000);
/** As much of the axis as a label needs. */
const LABEL_SHARE = 0.12;

function ticksOf(placed: (Span & { isBreak: boolean; at: number; width: number })[], sharePerMs: number) {
  const [first] = placed;
  if (!first) return [];
  const step = STEPS.find((each) => each * sharePerMs >= LABEL_SHARE) ?? Infinity;
  const ticks: { at: number; label: string }[] = [{ at: 0, label: '0' }];
  for (const { from, to, isBreak, at } of placed) {
    if (isBreak) continue;
    for (let k = Math.ceil((from - first.from) / step); first.from + k * step <= to; k += 1) {
      const left = at + (first.from + k * step - from) * sharePerMs;
      if (left - (ticks.at(-1)?.at ?? 0) >= LABEL_SHARE && left < 0.95)
        ticks.push({ at: left, label: sinceStart(k * step) });
    }
  }
  return ticks;
}

function sinceStart(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  if (hours > 0) return minutes === 0 ? `${hours} h` : `${hours} h ${minutes} min`;
  if (minutes > 0) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  return `${seconds} s`;
}
