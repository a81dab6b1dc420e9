import { counted } from '../../job/failure.js';
import { endingOf } from '../../job/formats.js';
import { words } from '../ffmpeg/process.js';
import type { VideoFacts } from '../facts.js';

/** What a kind of file can hold besides its picture. */
export interface Container {
  muxer: 'mp4' | 'mov' | 'matroska' | 'webm';
  sound: RegExp;
  /** The codec that text subtitles are converted to, except those that match `keeps`, which are copied. */
  text: string;
  keeps: RegExp;
}

const MP4: Container = {
  muxer: 'mp4',
  sound: /^(aac|mp2|mp3|ac3|eac3|alac|opus|flac|vorbis|dts)$/,
  text: 'mov_text',
  keeps: /^mov_text$/,
};

const CONTAINERS: Record<string, Container> = {
  '.mp4': MP4,
  '.m4v': MP4,
  '.mov': { ...MP4, muxer: 'mov', sound: /^(aac|mp2|mp3|ac3|eac3|alac|pcm_[suf]\w+)$/ },
  '.mkv': { muxer: 'matroska', sound: /./, text: 'srt', keeps: /^(subrip|ass|ssa|dvd_subtitle|hdmv_pgs_subtitle)$/ },
  '.webm': { muxer: 'webm', sound: /^(opus|vorbis)$/, text: 'webvtt', keeps: /^webvtt$/ },
};

/** Subtitles that are text, so that one kind can become another. */
const TEXT = /^(subrip|srt|ass|ssa|mov_text|webvtt|text)$/;

/** The kind of file that the ending of a name asks for; undefined for one that the app does not write. */
export const containerOf = (name: string): Container | undefined => CONTAINERS[endingOf(name)];

export const isMatroska = ({ muxer }: Container) => muxer === 'matroska' || muxer === 'webm';
export const isMp4 = ({ muxer }: Container) => muxer === 'mp4' || muxer === 'mov';

/** Sound codecs of the source that the container cannot hold. */
export const unheldSound = ({ soundCodecs }: VideoFacts, { sound }: Container) =>
  soundCodecs.filter((codec) => !sound.test(codec));

/** One sentence for each kind of stream that the container cannot hold. */
export function dropped(
  facts: Pick<VideoFacts, 'subtitles' | 'attachments' | 'dataStreams'>,
  container: Container,
): string[] {
  const lost = facts.subtitles.filter(({ codec }) => !subtitleCodec(codec, container)).map(({ codec }) => codec);
  const attachments = container.muxer === 'matroska' ? 0 : facts.attachments;
  return [
    ...(lost.length > 0
      ? [`The output cannot hold ${counted(lost.length, 'subtitle track')} (${lost.join(', ')}).`]
      : []),
    ...(attachments > 0 ? [`The output cannot hold ${counted(attachments, 'attached file')}.`] : []),
    ...(facts.dataStreams > 0 ? [`The output leaves out ${counted(facts.dataStreams, 'data stream')}.`] : []),
  ];
}

/** Options that take everything but the picture from the second input: copied where possible, text subtitles converted. */
export function otherStreams({ subtitles }: VideoFacts, container: Container): string[] {
  const held = subtitles.flatMap(({ index, codec }) => {
    const target = subtitleCodec(codec, container);
    return target ? [{ index, target }] : [];
  });
  return [
    ...words('-map 1:a? -c:a copy -map_metadata 1 -map_chapters 1'),
    ...held.flatMap(({ index, target }, position) => ['-map', `1:${index}`, `-c:s:${position}`, target]),
    ...(container.muxer === 'matroska' ? ['-map', '1:t?', '-c:t', 'copy'] : []),
  ];
}

function subtitleCodec(codec: string, { keeps, text }: Container): string | undefined {
  if (keeps.test(codec)) return 'copy';
  return TEXT.test(codec) ? text : undefined;
}
