import { expect, it } from 'vitest';
import type { Contents } from '../../../src/media/stitch/other-streams.js';
import { sentences } from '../../../src/media/stitch/left-out.js';

const tags = { title: 'Coast', location: '+48/', major_brand: 'qt', software: 'x' };
const source: Contents = {
  format: { tags },
  chapters: [{}, {}],
  streams: [
    {
      index: 0,
      codec_type: 'video',
      tags: { timecode: '01:00:00:00' },
      side_data_list: [{ side_data_type: 'Stereo 3D' }],
    },
    {
      index: 1,
      codec_type: 'audio',
      codec_name: 'aac',
      tags: { LANGUAGE: 'fra', title: 'Comments' },
      disposition: { comment: 1 },
    },
    { index: 2, codec_type: 'audio', codec_name: 'none', codec_tag_string: 'apac' },
    { index: 3, codec_type: 'subtitle', codec_name: 'dvd_subtitle' },
    { index: 4, codec_type: 'attachment', codec_name: 'ttf' },
    { index: 5, codec_type: 'attachment', codec_name: 'ttf' },
    { index: 6, codec_type: 'audio', codec_name: 's302m' },
  ],
};
const [, , apac, subtitles, font, other] = source.streams;
const found = (one: Contents['streams'][number] | undefined, kind: 'sound' | 'subtitles' | 'attachment') =>
  one ? [{ stream: one, kind }] : [];
const left = [
  ...found(apac, 'sound'),
  ...found(subtitles, 'subtitles'),
  ...found(font, 'attachment'),
  ...found(other, 'attachment'),
];

it('says one sentence for each kind of thing that the output leaves out or changes', () => {
  const kept = [
    { index: 1, kind: 'sound' as const, from: 'aac', to: 'copy' },
    { index: 6, kind: 'sound' as const, from: 's302m', to: 'pcm_s16le', broken: true },
  ];
  const output = {
    format: { tags: { TITLE: 'Coast' } },
    chapters: [],
    streams: [
      { index: 0, codec_type: 'video' },
      { index: 1, codec_type: 'audio', tags: { language: 'fra' } },
    ],
  };
  expect(sentences(source, left, kept, output)).toEqual([
    expect.stringMatching(/sound track 2 \(apac\)/),
    expect.stringMatching(/track 3 .*pcm_s16le.*s302m/),
    expect.stringMatching(/Parts of a sound track \(s302m\)/),
    expect.stringMatching(/1 subtitle track \(dvd_subtitle\)/),
    expect.stringMatching(/2 attached files \(ttf\)/),
    expect.stringMatching(/1 tag \(location\)/),
    expect.stringMatching(/2 marks .*title, comment/),
    expect.stringMatching(/2 chapters/),
    expect.stringMatching(/time code/),
    expect.stringMatching(/3D/),
  ]);
});

it('says nothing of what is there, whatever the case of its name, and nothing of how the file was made', () => {
  const same = { ...source, format: { tags: { TITLE: 'Coast', LOCATION: '+48/' } } };
  expect(sentences(source, [], [{ index: 1, kind: 'sound', from: 'aac', to: 'copy' }], same)).toEqual([]);
});
