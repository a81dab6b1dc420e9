import type { FrameFormat } from '../job/items/formats.js';
import type { ColourTags, VideoFacts } from './facts.js';

/**
 * The way from decoded frames to RGB pictures and back, as ffmpeg filters. What a model leaves alone must come back with the values it
 * had, so both directions use the matrix and the range of the source and undo each other.
 */

/** Without these options swscale is off by up to one level between RGB and Y'CbCr, always in the same direction. */
const SCALER = 'flags=bicubic+accurate_rnd+full_chroma_int';

/** The numbers of ITU-T H.273 behind ffprobe's names, because ffmpeg's options have other names for some of them. */
const NUMBERS: Record<'matrix' | 'primaries' | 'transfer', Record<string, number>> = {
  matrix: {
    bt709: 1,
    fcc: 4,
    bt470bg: 5,
    smpte170m: 6,
    smpte240m: 7,
    ycgco: 8,
    bt2020nc: 9,
    bt2020c: 10,
    smpte2085: 11,
    'chroma-derived-nc': 12,
    'chroma-derived-c': 13,
    ictcp: 14,
  },
  primaries: {
    bt709: 1,
    bt470m: 4,
    bt470bg: 5,
    smpte170m: 6,
    smpte240m: 7,
    film: 8,
    bt2020: 9,
    smpte428: 10,
    smpte431: 11,
    smpte432: 12,
    ebu3213: 22,
    'jedec-p22': 22,
  },
  transfer: {
    bt709: 1,
    bt470m: 4,
    bt470bg: 5,
    smpte170m: 6,
    smpte240m: 7,
    linear: 8,
    log100: 9,
    log316: 10,
    'iec61966-2-4': 11,
    bt1361e: 12,
    'iec61966-2-1': 13,
    'bt2020-10': 14,
    'bt2020-12': 15,
    smpte428: 17,
  },
};

/** Said even where there is nothing to say: without it, FFmpeg 4.4 and later tag what the filters have named, as BT.601 if nobody knew. */
const UNSPECIFIED = 2;

const numberOf = (what: keyof typeof NUMBERS, name: string | null) => String(NUMBERS[what][name ?? ''] ?? UNSPECIFIED);

/**
 * Options that tag the output as the source was tagged. A source without tags gives an output without, so that players guess alike; only
 * what was RGB has no matrix of its own.
 */
export function colourTags(facts: Pick<VideoFacts, 'colour' | 'pixelFormat'>): string[] {
  const matrix = isRgb(facts) ? TAG_OF[matrixOf(facts.colour)] : facts.colour.matrix;
  return ['-colorspace', numberOf('matrix', matrix), ...lightTags(facts), '-color_range', rangeOf(facts)];
}

/** The same for pictures that stay RGB. */
export const lightTags = ({ colour }: Pick<VideoFacts, 'colour'>) => [
  '-color_primaries',
  numberOf('primaries', colour.primaries),
  '-color_trc',
  numberOf('transfer', colour.transfer),
];

const isRgb = ({ colour, pixelFormat }: Pick<VideoFacts, 'colour' | 'pixelFormat'>) =>
  colour.matrix === 'gbr' || /rgb|bgr|gbr|pal8|bayer|xyz/.test(pixelFormat);

/**
 * The filters between a decoded frame and a picture of it. A JPEG always holds BT.601 in full range; it is made from RGB because swscale
 * mixes up the two matrices when it converts from one to the other directly.
 * @param trim a filter and a comma; it goes behind the deinterlacer, which needs the frames before and after
 */
export function toRgb(facts: VideoFacts, format: FrameFormat, trim = ''): string {
  const filters = [
    ...(facts.hdr ? toStandardRange(facts.hdr) : []),
    ...fromYuv(facts),
    'format=rgb24',
    ...(format === 'jpg' ? [`scale=out_color_matrix=bt601:out_range=pc:${SCALER}`, 'format=yuvj444p'] : []),
  ];
  return deinterlacer(facts) + trim + filters.join(',');
}

/** One frame out for each frame in, so that times and count stay. */
function deinterlacer({ interlaced, fieldOrder }: VideoFacts): string {
  if (!interlaced) return '';
  const which = fieldOrder === null ? 'parity=auto:deint=interlaced' : `parity=${fieldOrder}:deint=all`;
  return `yadif=mode=send_frame:${which},`;
}

/** The names that ffmpeg has for Y'CbCr: planar (j stands for full range), half planar or packed of 8 bits, half planar or packed of more. */
const YCBCR = [
  /^yuv(?<alpha>a?)j?4\d\dp(?<bits>9|10|12|14|16)?(?:le|be)?$/,
  /^(?:nv12|nv21|nv16|nv24|nv42|yuyv422|uyvy422|yvyu422|uyyvyy411)$/,
  /^(?:[py][024]|nv2(?=0))(?<bits>0|10|12|16)(?:le|be)$/,
];

/** The same pixels, each with a colour of its own; undefined for pixels that are no Y'CbCr. */
function wholePixels(pixelFormat: string): string | undefined {
  const kind = YCBCR.map((names) => names.exec(pixelFormat)).find((match) => match !== null);
  if (!kind) return undefined;
  const { alpha = '', bits = '8' } = kind.groups ?? {};
  const depth = { '8': '', '0': '10le' }[bits] ?? `${bits}le`;
  return `yuv${alpha}444p${depth}`;
}

/**
 * Repeats the colour of subsampled pixels instead of interpolating it: the mean that `toYuv` takes is then the value that the source had.
 * The bits stay as they are until zscale makes RGB of them, which rounds correctly in a third of the time that swscale takes for it.
 */
function fromYuv(facts: VideoFacts): string[] {
  const range = rangeOf(facts);
  const pixels = facts.hdr ? 'yuv444p' : wholePixels(facts.pixelFormat);
  const matrix = zscaleMatrix(facts.colour);
  const repeat = pixels ? [`scale=flags=neighbor:in_range=${range}:out_range=${range}`, `format=${pixels}`] : [];
  if (pixels && matrix && !facts.alpha)
    return [...repeat, `zscale=min=${matrix}:rin=${zscaleRange(range)}:m=gbr:r=full`, 'format=gbrp'];
  return [
    ...repeat,
    `scale=in_color_matrix=${matrixOf(facts.colour)}:in_range=${range}:${SCALER}`,
    ...(facts.alpha ? ['format=gbrap', 'setrange=full', 'premultiply=inplace=1'] : []),
  ];
}

/** BT.2020 light, tone-mapped (Hable's curve, white at 100 cd/m²) into BT.709. */
function toStandardRange(transfer: 'smpte2084' | 'arib-std-b67'): string[] {
  return [
    `zscale=tin=${transfer}:min=bt2020nc:pin=bt2020:t=linear:npl=100`,
    'format=gbrpf32le',
    'zscale=p=bt709',
    'tonemap=hable:desat=0',
    'zscale=t=bt709:m=bt709:r=tv',
    'format=yuv444p',
  ];
}

/** The filters between an RGB picture and 8-bit 4:2:0, with the source's matrix, range and shape of pixels, in an even size. */
export function toYuv({ width, height, sampleAspect, ...facts }: VideoFacts): string {
  const odd = width % 2 || height % 2;
  return [
    ...(odd ? ['pad=ceil(iw/2)*2:ceil(ih/2)*2'] : []),
    ...fromRgb(facts),
    ...(odd ? [`fillborders=right=${width % 2}:bottom=${height % 2}:mode=smear`] : []),
    // The colour of four pixels becomes their mean; see fromYuv.
    `scale=flags=area:in_range=${rangeOf(facts)}:out_range=${rangeOf(facts)}`,
    'format=yuv420p',
    pixelShape({ sampleAspect }),
  ].join(',');
}

function fromRgb(facts: Pick<VideoFacts, 'colour' | 'pixelFormat'>): string[] {
  const matrix = zscaleMatrix(facts.colour);
  const range = rangeOf(facts);
  if (!matrix)
    return [`scale=out_color_matrix=${matrixOf(facts.colour)}:out_range=${range}:${SCALER}`, 'format=yuv444p'];
  const convert = `zscale=min=gbr:rin=full:m=${matrix}:r=${zscaleRange(range)}`;
  return ['format=gbrp', convert, 'format=yuv444p'];
}

/** The filter that says how wide a pixel is for its height. Without max, setsar rounds the ratio to numbers up to 100. */
export const pixelShape = ({ sampleAspect }: Pick<VideoFacts, 'sampleAspect'>) =>
  `setsar=sar=${sampleAspect.num}/${sampleAspect.den}:max=100000`;

/**
 * The coefficients between R'G'B' and Y'CbCr, as the scale filter names them. A file that does not say is read as BT.601, as ffmpeg itself
 * does; what matters is that the way back is the same.
 */
function matrixOf({ matrix }: ColourTags): Matrix {
  if (matrix === 'bt709' || matrix === 'smpte240m' || matrix === 'fcc') return matrix;
  return matrix?.startsWith('bt2020') ? 'bt2020' : 'bt601';
}

type Matrix = 'bt601' | 'bt709' | 'smpte240m' | 'fcc' | 'bt2020';

const TAG_OF: Record<Matrix, string> = {
  bt601: 'bt470bg',
  bt709: 'bt709',
  smpte240m: 'smpte240m',
  fcc: 'fcc',
  bt2020: 'bt2020nc',
};

const ZSCALED = new Set<Matrix>(['bt601', 'bt709', 'fcc']);

/** The same as zscale names it; undefined for those that it names wrongly or that FFmpeg of 2018 fails at. */
const zscaleMatrix = (tags: ColourTags): string | undefined =>
  ZSCALED.has(matrixOf(tags)) ? TAG_OF[matrixOf(tags)] : undefined;

const zscaleRange = (range: 'pc' | 'tv') => (range === 'pc' ? 'full' : 'limited');

/** `pc` (0 to 255) or `tv` (16 to 235). Grey that does not say fills the whole range, as ffmpeg and players take it. */
function rangeOf({ colour, pixelFormat }: Pick<VideoFacts, 'colour' | 'pixelFormat'>): 'pc' | 'tv' {
  if (colour.range === null) return /^(yuvj|gray|ya)/.test(pixelFormat) ? 'pc' : 'tv';
  return colour.range === 'pc' || pixelFormat.startsWith('yuvj') ? 'pc' : 'tv';
}
