import type { ModelHints, ModelSignature } from './signature.js';

const NOTHING: ModelHints = { metadata: {}, texts: [], makers: {} };

/** What a model file says besides its signature; nothing when only the signature is known. */
export const hintsOf = ({ hints = NOTHING }: ModelSignature): ModelHints => hints;

/** Ranges by the names that Windows ML gives them. */
const RANGES: Record<string, [number, number]> = {
  NominalRange_0_255: [0, 255],
  NominalRange_16_235: [16, 235],
  Normalized_0_1: [0, 1],
  Normalized_1_1: [-1, 1],
};

/** The values that stand for black and white, as the model's metadata says; undefined when it does not. */
export function hintedRange(hints: ModelHints): [number, number] | undefined {
  return RANGES[hints.metadata['Image.NominalPixelRange'] ?? ''] ?? (readYolo(hints) && [0, 1]);
}

/** The order of the colours, as the model's metadata or the texts about its tensors say; undefined when they do not. */
export function hintedChannels(hints: ModelHints): 'RGB' | 'BGR' | undefined {
  const format = hints.metadata['Image.BitmapPixelFormat'] ?? '';
  const words = hints.texts.join(' ');
  if (/^(bgr|rgb)/i.test(format)) return /^bgr/i.test(format) ? 'BGR' : 'RGB';
  if (/\bBGR\b/.test(words) !== /\bRGB\b/.test(words)) return /\bBGR\b/.test(words) ? 'BGR' : 'RGB';
  return readYolo(hints) && 'RGB';
}

/** What an export by Ultralytics says of itself. */
export interface YoloFacts {
  task: 'detect' | 'segment' | 'pose' | 'obb' | 'classify';
  /** Names of the classes. */
  names: string[];
  /** Width and height that it was made for. */
  size: [number, number] | undefined;
  /** Numbers of a row after the scores, as far as the metadata tell: those of the key points, or the angle. */
  rest: number | undefined;
  /** Boxes come in rows, as fractions of the input: RT-DETR. */
  fractions: boolean;
  /** Of the fifth generation: rows with an objectness. */
  fifth: boolean;
}

const TASKS = ['detect', 'segment', 'pose', 'obb', 'classify'] as const;

/**
 * Reads the metadata that Ultralytics writes into its exports (`Exporter.__call__` in ultralytics/engine/exporter.py, and `export.py` of YOLOv5,
 * which has no `task`): Python literals. Undefined for other models.
 */
export function readYolo({ metadata }: ModelHints): YoloFacts | undefined {
  const names = parseNames(metadata['names'] ?? '');
  if (names === undefined || metadata['stride'] === undefined) return undefined;
  const task = metadata['task'] === undefined ? 'detect' : TASKS.find((known) => known === metadata['task']);
  if (task === undefined) return undefined;
  const numbers = (key: string) => (metadata[key]?.match(/\d+/g) ?? []).map(Number);
  const [height, width = height] = numbers('imgsz');
  const [points, values] = numbers('kpt_shape');
  const rest = { obb: 1, detect: 0, classify: 0, segment: undefined, pose: (points ?? 0) * (values ?? 0) || undefined };
  return {
    task,
    names,
    size: height && width ? [width, height] : undefined,
    rest: rest[task],
    fractions: /rt-?detr/i.test(metadata['description'] ?? ''),
    fifth: metadata['task'] === undefined,
  };
}

/** Names of classes from a Python dictionary by number, such as `{0: 'person', 1: "driver's"}`, or from a list. */
function parseNames(text: string): string[] | undefined {
  const texts = String.raw`'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"`;
  const listed = text.trimStart().startsWith('[');
  const found = [
    ...text.matchAll(new RegExp(listed ? `()(?:${texts})` : String.raw`(\d+)['"]?\s*:\s*(?:${texts})`, 'g')),
  ];
  const names = found.map(([, , one, other]) => (one ?? other ?? '').replace(/\\(.)/g, '$1'));
  const inOrder = listed || found.every(([, index], place) => Number(index) === place);
  return names.length > 0 && inOrder ? names : undefined;
}
