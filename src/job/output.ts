/** What an output video can be, by the ending of its name. */
export const VIDEO_CODECS = ['h264', 'h265', 'vp9', 'ffv1'] as const;
export type VideoCodec = (typeof VIDEO_CODECS)[number];
export const DEFAULT_CODEC: VideoCodec = 'h264';

/** `good` is hard to tell from the frames; `best` is for further work; `small` is for sending. */
export const QUALITIES = ['small', 'good', 'best'] as const;
export type Quality = (typeof QUALITIES)[number];

/** The codecs that each kind of file can hold and that players expect in it. */
const HOLDS: Record<string, readonly VideoCodec[]> = {
  '.mp4': ['h264', 'h265', 'vp9'],
  '.m4v': ['h264', 'h265'],
  '.mov': ['h264', 'h265'],
  '.mkv': VIDEO_CODECS,
  '.webm': ['vp9'],
};

export const ENDINGS = Object.keys(HOLDS);

/** `.mp4` of `outbox/Coast.MP4`; '' for a name without an ending. */
export const endingOf = (name: string) => /\.[^./]+$/.exec(name)?.[0].toLowerCase() ?? '';

/** What is wrong with the choice of codec and quality for a file of this name; undefined when nothing is. */
export function outputProblem({ video, codec, quality }: { video?: string; codec: VideoCodec; quality?: Quality }) {
  if (codec === 'ffv1' && quality) return 'has a "quality", but ffv1 is lossless; leave it out';
  const ending = video === undefined ? '' : endingOf(video);
  const held = HOLDS[ending];
  if (video === undefined || held?.includes(codec)) return undefined;
  if (!held) return `has a "video" that must end in ${ENDINGS.join(', ')}`;
  const others = ENDINGS.filter((other) => HOLDS[other]?.includes(codec));
  return `asks for ${codec}, which ${ending} cannot hold; name it ${others.join(' or ')}, or set "codec" to ${held.join(' or ')}`;
}
