import { counted } from '../../job/failure.js';
import { type Contents, nameOf, type OtherStream, type Stream, type StreamKind } from './other-streams.js';

/** Tags that say how a file was made or how long it is; they are of no use in another file. */
const OF_THE_FILE =
  /^(major_brand|minor_version|compatible_brands|encoder|encoding_?tool|software$|duration|bps|number_of_(frames|bytes)|_statistics_|vendor_id|handler_name|timecode|uid$|generation_uid|\w+_umid|\w*package_\w+|operational_pattern|product_|toolkit_|application_platform|company_name)/;

/** Names of the tags of a whole file that an output does not have. */
export function lostTags(source: Contents, output: Contents): string[] {
  const kept = new Set(Object.keys(output.format.tags ?? {}).map((tag) => tag.toLowerCase()));
  const own = Object.keys(source.format.tags ?? {}).map((tag) => tag.toLowerCase());
  return own.filter((tag) => !kept.has(tag) && !OF_THE_FILE.test(tag));
}

const NAMES: Record<StreamKind, string> = {
  sound: 'sound track',
  subtitles: 'subtitle track',
  data: 'data stream',
  attachment: 'attached file',
  cover: 'cover picture',
};

/** What encoders make. */
const ENCODED: Record<string, string> = { aac: 'AAC', libopus: 'Opus' };

/**
 * What an output leaves out of its source or changes, one sentence for each kind.
 * @param left streams that do not go into it
 * @param kept streams that do
 */
export function sentences(
  source: Contents,
  left: { stream: Stream; kind: StreamKind }[],
  kept: OtherStream[],
  output: Contents,
): string[] {
  const tracks = source.streams.filter(({ codec_type }) => codec_type === 'audio').map(({ index }) => index);
  const number = (index: number) => tracks.indexOf(index) + 1;
  const unread = left.filter(({ kind }) => kind === 'sound').map(({ stream }) => stream);
  const converted = kept.filter(({ kind, to }) => kind === 'sound' && to !== 'copy');
  return [
    ...unread.map(
      (stream) =>
        `The output leaves out sound track ${number(stream.index)} (${nameOf(stream)}), which this FFmpeg can neither copy nor decode.`,
    ),
    ...converted.map(
      ({ index, from, to }) =>
        `Sound track ${number(index)} becomes ${ENCODED[to] ?? `plain PCM (${to})`}, because the output cannot hold ${from}.`,
    ),
    ...kept
      .filter(({ broken }) => broken)
      .map(({ kind, from }) => `Parts of a ${NAMES[kind]} (${from}) cannot be decoded and are left out.`),
    ...(['subtitles', 'attachment', 'data', 'cover'] as const).flatMap((kind) => {
      const streams = left.filter((one) => one.kind === kind).map(({ stream }) => stream);
      const codecs = [...new Set(streams.map((stream) => nameOf(stream)))].join(', ');
      return streams.length > 0 ? [`The output leaves out ${counted(streams.length, NAMES[kind])} (${codecs}).`] : [];
    }),
    ...beyondStreams(source, kept, output),
  ];
}

/** How many names a sentence lists. */
const LISTED = 6;

function beyondStreams(source: Contents, kept: OtherStream[], output: Contents): string[] {
  const tags = lostTags(source, output);
  const chapters = source.chapters.length - output.chapters.length;
  const timecode = hasTimecode(source) && !hasTimecode(output);
  const shape = source.streams.some((stream) => has3d(stream)) && !output.streams.some((stream) => has3d(stream));
  const marks = lostMarks(source, kept, output);
  return [
    ...(tags.length > 0 ? [`The output cannot hold ${counted(tags.length, 'tag')} (${listed(tags)}).`] : []),
    ...(marks.length > 0
      ? [`The output cannot hold ${counted(marks.length, 'mark')} of its tracks (${listed([...new Set(marks)])}).`]
      : []),
    ...(chapters > 0 ? [`The output cannot hold ${counted(chapters, 'chapter')}.`] : []),
    ...(timecode ? ['The output does not keep the time code.'] : []),
    ...(shape ? ['The output does not say that the video is 3D or 360°.'] : []),
  ];
}

const listed = (names: string[]) =>
  names.length > LISTED ? `${names.slice(0, LISTED).join(', ')} and others` : names.join(', ');

const hasTimecode = ({ format, streams }: Contents) =>
  [format, ...streams].some(({ tags }) => Object.keys(tags ?? {}).some((tag) => tag.toLowerCase() === 'timecode')) ||
  streams.some(({ codec_tag_string }) => codec_tag_string === 'tmcd');

const has3d = ({ side_data_list }: Stream) =>
  side_data_list?.some(({ side_data_type = '' }) => /stereo|spherical/i.test(side_data_type)) ?? false;

const TYPES = { sound: 'audio', subtitles: 'subtitle' } as const;

/** Languages, titles and dispositions of sound and subtitles that the output does not have, such as `forced`. */
function lostMarks(source: Contents, kept: OtherStream[], output: Contents): string[] {
  return (['sound', 'subtitles'] as const).flatMap((kind) => {
    const after = output.streams.filter(({ codec_type }) => codec_type === TYPES[kind]);
    return kept
      .filter((stream) => stream.kind === kind)
      .flatMap(({ index }, position) => {
        const own = marksOf(source.streams.find((stream) => stream.index === index));
        const found = marksOf(after[position]);
        return own.filter((mark) => !found.includes(mark));
      });
  });
}

function marksOf(stream: Stream | undefined): string[] {
  const tags = new Map(Object.entries(stream?.tags ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
  const language = tags.get('language') ?? 'und';
  return [
    ...(language === 'und' ? [] : ['language']),
    ...(tags.has('title') ? ['title'] : []),
    ...Object.entries(stream?.disposition ?? {}).flatMap(([name, set]) => (set && name !== 'default' ? [name] : [])),
  ];
}
