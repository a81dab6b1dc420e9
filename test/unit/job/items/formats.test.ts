import { describe, expect, test } from 'vitest';
import {
  contentTypeOf,
  endingOf,
  isNamedAsPicture,
  outputProblem,
  pictureKind,
  QUALITIES,
  VIDEO_CODECS,
  VIDEO_ENDINGS,
} from '../../../../src/job/items/formats.js';

describe('a picture', () => {
  test('is known by its name, whatever the case of its ending', () => {
    const names = ['a.jpg', 'a.JPEG', 'a.png', 'x/a.webp', 'a.avif', 'a.tif', 'a.TIFF', 'a.bmp', 'a.gif'];
    expect(names.filter(isNamedAsPicture)).toEqual(names);
    expect(['a', 'a.txt', 'jpg', 'a.jpg/b', 'a.svg', 'a.jpg.part'].filter(isNamedAsPicture)).toEqual([]);
  });

  test.each([[''], ['BM'], ['RIFF1234WAVE'], ['<svg>'], ['....ftypheic....mif1heic'], ['GIF7']])(
    'is not a file that begins with %j',
    (text) => expect(pictureKind(Buffer.from(text))).toBeUndefined(),
  );

  test('of the kind AVIF may name its brand only among the compatible ones', () => {
    expect(pictureKind(Buffer.from('....ftypmif1....miafavif', 'latin1'))).toBe('avif');
  });
});

describe('the ending of a name', () => {
  test.each([
    ['outbox/Coast.MP4', '.mp4'],
    ['a.b.mkv', '.mkv'],
    ['outbox/v1.2/coast', ''],
    ['', ''],
  ])('of %j is %j', (name, ending) => {
    expect(endingOf(name)).toBe(ending);
  });
});

describe('a file of each ending', () => {
  test('holds the codecs that players expect in it, and refuses every other one with a way out', () => {
    const held = VIDEO_ENDINGS.map((ending) => [
      ending,
      VIDEO_CODECS.filter((codec) => outputProblem({ video: `outbox/a${ending}`, codec }) === undefined).join(),
    ]);
    expect(Object.fromEntries(held)).toEqual({
      '.mp4': 'h264,h265,vp9',
      '.m4v': 'h264,h265',
      '.mov': 'h264,h265',
      '.mkv': 'h264,h265,vp9,ffv1',
      '.webm': 'vp9',
    });
    expect(outputProblem({ video: 'outbox/a.webm', codec: 'ffv1' })).toBe(
      'asks for ffv1, which .webm cannot hold; name it .mkv, or set "codec" to vp9',
    );
    expect(outputProblem({ video: 'outbox/a.avi', codec: 'h264' })).toContain('must end in .mp4, .m4v, .mov');
  });

  test('has a quality unless its codec is lossless', () => {
    for (const quality of QUALITIES) {
      expect(VIDEO_CODECS.filter((codec) => outputProblem({ codec, quality }) !== undefined)).toEqual(['ffv1']);
    }
    expect(outputProblem({ codec: 'ffv1' })).toBeUndefined();
  });
});

describe('the content type of a blob', () => {
  test.each([
    ['frames/0000001.ppm', 'image/x-portable-pixmap'],
    ['frames/0000001.png', 'image/png'],
    ['scored/0000001.jpg', 'image/jpeg'],
    ['scored/0000001.json', 'application/json'],
    ['scored/0000001.npy', 'application/octet-stream'],
    ['outbox/a/arrays/0000000.npz', 'application/zip'],
    ['outbox/a/predictions.jsonl', 'application/jsonl'],
    ['outbox/a/predictions.csv', 'text/csv; charset=utf-8'],
    ['logs/b00000-a1.jsonl', 'application/jsonl'],
    ['outbox/a.MP4', 'video/mp4'],
    ['outbox/a.m4v', 'video/mp4'],
    ['outbox/a.mov', 'video/quicktime'],
    ['outbox/a.mkv', 'video/x-matroska'],
    ['outbox/a.webm', 'video/webm'],
  ])('%s is %s', (name, type) => {
    expect(contentTypeOf(name)).toBe(type);
  });
});
