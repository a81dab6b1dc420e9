/** One line of `predictions.jsonl`: what a model said of an item, or the file it made of it. */
export interface Prediction {
  /** The item's name below the job's prefix. */
  item: string;
  classes?: Found[];
  detections?: (Found & { box: number[] })[];
  /** Name of the output below the output prefix. */
  file?: string;
}

interface Found {
  index: number;
  label?: string;
  score: number;
}

export type PredictionKind = 'classes' | 'detections' | 'file';

type Cell = string | number | undefined;

const HEADERS: Record<PredictionKind, string[]> = {
  classes: ['item', 'rank', 'index', 'label', 'score'],
  detections: ['item', 'index', 'label', 'score', 'left', 'top', 'right', 'bottom'],
  file: ['item', 'file'],
};

export const csvHeader = (kind: PredictionKind): string => toLine(HEADERS[kind]);

/**
 * The CSV lines of one prediction: one for each class (`rank` from 1) or box. An item in which nothing was found has one
 * line with its name only, so that every scored item is there.
 */
export function csvLines(kind: PredictionKind, prediction: Prediction): string {
  const rows = rowsOf(kind, prediction);
  const { item } = prediction;
  return (rows.length > 0 ? rows : [Array<Cell>(HEADERS[kind].length - 1).fill(undefined)])
    .map((row) => toLine([item, ...row]))
    .join('');
}

function rowsOf(kind: PredictionKind, { classes = [], detections = [], file }: Prediction): Cell[][] {
  if (kind === 'classes') return classes.map(({ index, label, score }, k) => [k + 1, index, label, score]);
  if (kind === 'detections') return detections.map(({ index, label, score, box }) => [index, label, score, ...box]);
  return [[file]];
}

/** RFC 4180; texts that a spreadsheet would run as a formula get an apostrophe in front: names come from whoever brings the images. */
function toLine(cells: Cell[]): string {
  const quote = (cell: Cell) => {
    const isFormula = typeof cell === 'string' && /^[=+\-@\t\r]/.test(cell);
    const text = `${isFormula ? "'" : ''}${cell ?? ''}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `${cells.map(quote).join(',')}\r\n`;
}
