/** One line of `predictions.jsonl`: what a model said of an item, or the file it made of it. */
export type Prediction = (ImageItem | FrameItem) & Said;

interface ImageItem {
  /** The image's name below the job's prefix. */
  item: string;
}

/** A frame of a video. */
export interface FrameItem {
  /** From 0. */
  frame: number;
  /** When it is shown: seconds after the earliest stream of the video starts. */
  time: number;
}

interface Said {
  classes?: Found[];
  detections?: (Found & { box: number[] })[];
  /** Name of the output below the output prefix. */
  file?: string;
  /** Its name in that, which is an archive. */
  member?: string;
}

interface Found {
  index: number;
  label?: string;
  score: number;
}

export type PredictionKind = 'classes' | 'detections' | 'file' | 'member';

type Cell = string | number | undefined;

const HEADERS: Record<PredictionKind, string[]> = {
  classes: ['rank', 'index', 'label', 'score'],
  detections: ['index', 'label', 'score', 'left', 'top', 'right', 'bottom'],
  file: ['file'],
  member: ['file', 'member'],
};

/** @param of what the predictions are of. */
export const csvHeader = (kind: PredictionKind, of: 'images' | 'frames'): string =>
  toLine([...(of === 'images' ? ['item'] : ['frame', 'time']), ...HEADERS[kind]]);

/**
 * The CSV lines of one prediction: one for each class (`rank` from 1) or box. An item in which nothing was found has one
 * line with its name, or number and time, only, so that every scored item is there.
 */
export function csvLines(kind: PredictionKind, prediction: Prediction): string {
  const rows = rowsOf(kind, prediction);
  const item = 'item' in prediction ? [prediction.item] : [prediction.frame, prediction.time];
  return (rows.length > 0 ? rows : [Array<Cell>(HEADERS[kind].length).fill(undefined)])
    .map((row) => toLine([...item, ...row]))
    .join('');
}

function rowsOf(kind: PredictionKind, { classes = [], detections = [], file, member }: Said): Cell[][] {
  if (kind === 'classes') return classes.map(({ index, label, score }, k) => [k + 1, index, label, score]);
  if (kind === 'detections') return detections.map(({ index, label, score, box }) => [index, label, score, ...box]);
  return [kind === 'file' ? [file] : [file, member]];
}

/** RFC 4180; texts that a spreadsheet would run as a formula get an apostrophe in front: names come from whoever brings the images. */
function toLine(cells: Cell[]): string {
  const quote = (cell: Cell) => {
    const isFormula = typeof cell === 'string' && /^[=+\-@\t\r\n＝＋－＠]/.test(cell);
    const text = `${isFormula ? "'" : ''}${cell ?? ''}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `${cells.map(quote).join(',')}\r\n`;
}
