import type { ColourTags, VideoFacts } from './facts.js';

/** Tag by tag, the values that both ffprobe prints and every ffmpeg since 4.1 takes. */
const MATRICES = new Set(['bt709', 'fcc', 'bt470bg', 'smpte170m', 'smpte240m', 'bt2020nc']);
const PRIMARIES = new Set(['bt709', 'bt470m', 'bt470bg', 'smpte170m', 'smpte240m', 'film', 'bt2020']);
const TRANSFERS = new Set(['bt709', 'smpte170m', 'smpte240m', 'linear', 'iec61966-2-1', 'bt2020-10', 'bt2020-12']);

/**
 * The coefficients between R'G'B' and Y'CbCr, in the words of the scale filter. A file that does not say is read as BT.601, as
 * ffmpeg itself does; what matters is that the way back is the same.
 */
export function matrixOf({ matrix }: ColourTags): string {
  if (matrix === 'bt709' || matrix === 'smpte240m' || matrix === 'fcc') return matrix;
  return matrix?.startsWith('bt2020') ? 'bt2020' : 'bt601';
}

/** The same in the words of zscale; undefined for those that it misspells, or that FFmpeg of 2018 fails at. */
export const planarMatrixOf = (tags: ColourTags): string | undefined =>
  ({ bt601: 'bt470bg', bt709: 'bt709', fcc: 'fcc' })[matrixOf(tags)];

export const zscaleRange = (range: 'pc' | 'tv') => (range === 'pc' ? 'full' : 'limited');

/** `pc` (0 to 255) or `tv` (16 to 235). */
export function rangeOf({ colour, pixelFormat }: Pick<VideoFacts, 'colour' | 'pixelFormat'>): 'pc' | 'tv' {
  return colour.range === 'pc' || pixelFormat.startsWith('yuvj') ? 'pc' : 'tv';
}

/** Options that tag the output as the source was tagged: a source without tags gives an output without, so players guess alike. */
export function colourTags(facts: Pick<VideoFacts, 'colour' | 'pixelFormat'>): string[] {
  const { matrix, primaries, transfer } = facts.colour;
  return [
    ...tag('-colorspace', matrix, MATRICES),
    ...tag('-color_primaries', primaries, PRIMARIES),
    ...tag('-color_trc', transfer, TRANSFERS),
    '-color_range',
    rangeOf(facts),
  ];
}

const tag = (option: string, value: string | null, known: Set<string>) =>
  value && known.has(value) ? [option, value] : [];
