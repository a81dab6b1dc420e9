import { describe, expect, it } from 'vitest';
import { reasonIn } from '../../../src/media/ffmpeg/process.js';
import { notAVideo } from '../../../src/media/probe/bad-file.js';

describe('what ffmpeg complains about', () => {
  it.each([
    ['[h264 @ 0x55d1] error while decoding MB 10 1, bytestream 123\n', /picture or a sound in it is broken/],
    ['[mpeg4 @ 0x55d1] ac-tex damaged at 3 4\n[mpeg4 @ 0x55d1] Error at MB: 124\n', /broken/],
    ['[h264 @ 0x1] Error splitting the input into NAL units.\n', /broken/],
    ['[hevc @ 0x1] Could not find ref with POC 7\nfile:a b.mp4: Invalid data found when processing input\n', /broken/],
    ['[NULL @ 0x1] Decoder (codec vvc) not found for input stream #0:0\n', /cannot decode it/],
    [
      '[mp4 @ 0x1] Application provided invalid, non monotonically increasing dts to muxer: 9 >= 0\n',
      /times go backwards/,
    ],
    [
      '[mp4 @ 0x1] Could not find tag for codec pcm_bluray, codec not currently supported in container\n',
      /output cannot hold/,
    ],
    ['x.mkv: Cannot allocate memory\n', /not enough memory/],
  ])('%s is told in plain words', (stderr, meaning) => {
    expect(reasonIn(stderr)).toMatch(meaning);
  });

  it('is quoted where it is not known, without what ffmpeg tells besides its errors', () => {
    const stderr = '[error] The frob is loose.\n[out#0 @ 0x55] [verbose] 3 packets\n[info] frame=3\n';
    expect(reasonIn(stderr)).toBe('in its own words: The frob is loose');
  });
});

describe('a file that ffprobe does not read', () => {
  it.each([
    ['hevc', /raw H\.265 stream/],
    ['mpegvideo', /raw MPEG-1 or MPEG-2 stream/],
    ['ivf', /IVF file.*Matroska/],
    ['rawvideo', /bare pixels/],
    ['wav', /only sound/],
    ['srt', /only subtitles/],
    ['hls', /playlist/],
    ['wtv', /kind that is not read \(wtv\)/],
  ])('(%s) is called what it is', async (kind, sentence) => {
    const stderr = `[${kind} @ 0x55c5] Format not on whitelist 'mov,mp4'\nfile:x: Invalid argument\n`;
    const error = await notAVideo(import.meta.filename, 'x', stderr);
    expect(error).toMatchObject({ blame: 'user', message: expect.stringMatching(sentence) });
  });
});
