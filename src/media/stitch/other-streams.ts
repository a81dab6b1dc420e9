import { z } from 'zod';
import { type Program, QUIET, UNTRUSTED, local, run, ffmpegFailure, words } from '../ffmpeg/process.js';
import { type Container, isMp4 } from './container.js';
import { ROOM } from './mp4-durations.js';

/** Everything of a source that goes into the output besides its pictures. Kept with the job, so that a long job ends as it was rehearsed. */
export interface OtherStreams {
  /** In the order of the output: sound, subtitles, data, attached files, cover pictures. */
  streams: OtherStream[];
  /** Tags of the picture's own stream, such as its language. */
  pictureTags: [name: string, value: string][];
  /** Whether MP4 and MOV take tags of any name (Apple's `mdta` keys) instead of the fixed list that most players read. */
  anyTags: boolean;
}

export interface OtherStream {
  /** Index in the source. */
  index: number;
  kind: StreamKind;
  /** Its codec in the source, as far as it has a name. */
  from: string;
  /** `copy`, or the encoder that makes of it what the container holds. */
  to: string;
  /** Whether parts of it cannot be decoded on the way to another codec; they are left out. */
  broken?: boolean;
}

const KINDS = ['sound', 'subtitles', 'data', 'attachment', 'cover'] as const;
export type StreamKind = (typeof KINDS)[number];

const streamSchema = z.object({
  index: z.number(),
  codec_type: z.string().optional(),
  codec_name: z.string().optional(),
  codec_tag_string: z.string().optional(),
  sample_fmt: z.string().optional(),
  bits_per_raw_sample: z.string().optional(),
  disposition: z.record(z.string(), z.number()).optional(),
  tags: z.record(z.string(), z.string()).optional(),
  side_data_list: z.array(z.object({ side_data_type: z.string().optional() })).optional(),
});

const contentsSchema = z.object({
  format: z.object({ tags: z.record(z.string(), z.string()).optional() }),
  streams: z.array(streamSchema),
  chapters: z.array(z.unknown()),
});

export type Stream = z.infer<typeof streamSchema>;
/** What ffprobe says of a file and its streams. */
export type Contents = z.infer<typeof contentsSchema>;

/** @throws JobError when ffprobe cannot read the file */
export async function readContents(ffprobe: Program, file: string): Promise<Contents> {
  const shown = ['-show_format', '-show_streams', '-show_chapters', '-of', 'json'];
  const end = await run(ffprobe, [...QUIET, ...UNTRUSTED, ...shown, local(file)]);
  if (end.code !== 0) throw ffmpegFailure(ffprobe, end, 'list the streams');
  return contentsSchema.parse(JSON.parse(end.stdout.toString()));
}

/** Undefined for pictures and for what ffmpeg itself makes of the chapters and the time code. */
export function kindOf({ codec_type, codec_tag_string, disposition }: Stream, { chapters }: Contents) {
  if (codec_type === 'video') return disposition?.attached_pic ? 'cover' : undefined;
  if (codec_type === 'audio') return 'sound';
  if (codec_type === 'subtitle') return 'subtitles';
  if (codec_type === 'attachment') return 'attachment';
  if (codec_type !== 'data' || codec_tag_string === 'tmcd') return undefined;
  return codec_tag_string === 'text' && chapters.length > 0 ? undefined : 'data';
}

/** MP4 and MOV name a track by the program that reads it. */
const TRACK_NAME = 'handler_name';
/** What ffmpeg calls a track that has no other name. */
const USUAL_NAME = 'VideoHandler';

/** Subtitles that are text, so that one kind can become another. */
const TEXT = /^(subrip|srt|ass|ssa|mov_text|webvtt|text)$/;

/** The kinds of picture that players show as a cover, each with its ending in Matroska and its media type. */
const COVERS: Record<string, [ending: string, type: string]> = {
  mjpeg: ['jpg', 'image/jpeg'],
  png: ['png', 'image/png'],
  bmp: ['bmp', 'image/bmp'],
  gif: ['gif', 'image/gif'],
  webp: ['webp', 'image/webp'],
  tiff: ['tiff', 'image/tiff'],
};

const coverType = ({ from }: OtherStream) => COVERS[from];

/** The ways to take a stream into a container, the best one first. Each may turn out not to work with the FFmpeg at hand. */
export function waysFor(stream: Stream, kind: StreamKind, container: Container): string[] {
  const codec = nameOf(stream);
  if (kind === 'sound') return ['copy', ...(container.pcm ? [plainPcm(stream)] : [])];
  if (kind === 'subtitles') {
    if (container.keeps.test(codec)) return ['copy', container.text];
    return TEXT.test(codec) ? [container.text] : ['copy', container.text];
  }
  // Of data that ffmpeg does not know it copies the packets without what a player needs to read them.
  if (kind === 'data') return isMp4(container) && stream.codec_name !== undefined ? ['copy'] : [];
  if (kind === 'attachment') return container.muxer === 'matroska' ? ['copy'] : [];
  return COVERS[codec] && (container.muxer === 'mp4' || container.muxer === 'matroska') ? ['copy'] : [];
}

/** What to call the codec of a stream, even one that ffmpeg does not know. */
export function nameOf({ codec_name, codec_tag_string = '' }: Stream): string {
  if (codec_name !== undefined && codec_name !== 'none') return codec_name;
  return /^\w{4}$/.test(codec_tag_string) ? codec_tag_string : 'unknown';
}

/** The plain PCM that takes every sample as it was decoded. */
function plainPcm({ sample_fmt = 's16', bits_per_raw_sample }: Stream): string {
  const format = sample_fmt.replace(/p$/, '');
  const bits = Number(bits_per_raw_sample);
  if (format === 's32') return bits > 0 && bits <= 24 ? 'pcm_s24le' : 'pcm_s32le';
  return { flt: 'pcm_f32le', dbl: 'pcm_f64le', s64: 'pcm_s64le' }[format] ?? 'pcm_s16le';
}

const PICTURE_TAGS = ['language', 'title', 'creation_time', 'timecode', 'reel_name', TRACK_NAME];
/** MOV has one byte for the length of a name. */
const LONGEST_TAG = 200;

export function pictureTags({ tags = {} }: Stream): [string, string][] {
  const all = Object.entries(tags).map(([name, value]): [string, string] => [name.toLowerCase(), value]);
  const own = all.filter(([name, value]) => PICTURE_TAGS.includes(name) && Buffer.byteLength(value) <= LONGEST_TAG);
  // Without a language, Matroska is read as English.
  return [...new Map([['language', 'und'], ...own])];
}

const TYPE: Record<StreamKind, string> = { sound: 'a', subtitles: 's', data: 'd', attachment: 't', cover: 'v' };

/**
 * Options that take everything but the picture from the second input.
 * @param covers files of the cover pictures, for Matroska, which keeps them as attached files
 */
export function otherStreams({ streams, ...rest }: OtherStreams, container: Container, covers: string[]): string[] {
  const attached = covers.length > 0;
  const mapped = KINDS.flatMap((kind) =>
    streams
      .filter((stream) => stream.kind === kind && !(attached && kind === 'cover'))
      .flatMap(({ index, to }, position) => {
        // The picture is the first stream of its type.
        const nth = `${TYPE[kind]}:${kind === 'cover' ? position + 1 : position}`;
        return [
          '-map',
          `1:${index}`,
          `-c:${nth}`,
          to,
          ...(kind === 'cover' ? [`-disposition:${nth}`, 'attached_pic'] : []),
        ];
      }),
  );
  const behind = streams.filter(({ kind }) => kind === 'attachment').length;
  return [
    ...words('-map_metadata 1 -map_chapters 1'),
    ...mapped,
    ...streams
      .filter(({ kind }) => attached && kind === 'cover')
      .flatMap((cover, position) => {
        const [ending = '', type = ''] = coverType(cover) ?? [];
        const tag = `-metadata:s:t:${behind + position}`;
        return [
          '-attach',
          local(covers[position] ?? ''),
          tag,
          `mimetype=${type}`,
          tag,
          `filename=cover${position || ''}.${ending}`,
        ];
      }),
    ...tagOptions(rest.pictureTags, isMp4(container)),
  ];
}

/** Options for the tags of the picture's stream; in MP4 and MOV, with room to be cut off from the name of the track. */
export function tagOptions(tags: [name: string, value: string][], inMp4: boolean): string[] {
  const name = tags.find(([tag]) => tag === TRACK_NAME)?.[1] || USUAL_NAME;
  const others = tags.filter(([tag]) => tag !== TRACK_NAME);
  const all = inMp4 ? [...others, [TRACK_NAME, name + ROOM]] : others;
  return all.flatMap(([tag, value]) => ['-metadata:s:v:0', `${tag}=${value}`]);
}
