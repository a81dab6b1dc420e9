import { describe, expect, test } from 'vitest';
import { pick, uploadName } from '../../../src/page/start/picked.js';
import { uploadRequestSchema } from '../../../src/api/uploads.js';

const files = (...paths: string[]) => paths.map((path) => ({ path, file: new File(['12345'], path) }));

describe('what a job scores', () => {
  test.each(['coast.mp4', 'Küste 100% "x" #1.MOV', '日本.webm', 'a.b.mkv'])('is the video %s', (name) => {
    expect(pick(files(name))).toMatchObject({ kind: 'video', name, bytes: 5 });
  });

  test('is all pictures of a folder by their names below it, in order', () => {
    const picked = pick(files('trip/day 2/b.png', 'trip/a.jpg', 'trip/day 2/a#1%.jpeg'));
    expect(picked).toMatchObject({ kind: 'images', name: 'trip', bytes: 15, leftOut: [] });
    expect('images' in picked && picked.images.map(({ path }) => path)).toEqual([
      'a.jpg',
      'day 2/a#1%.jpeg',
      'day 2/b.png',
    ]);
  });

  test.each([
    [['a.jpg', 'b.png'], 'pictures', ['a.jpg', 'b.png']],
    [['a/x.jpg', 'b/x.jpg'], 'pictures', ['a/x.jpg', 'b/x.jpg']],
    [['one/a.jpg'], 'one', ['a.jpg']],
    [['t/in/a.jpg', 't/in/b.jpg'], 'in', ['a.jpg', 'b.jpg']],
    [['ab/x.jpg', 'abc/x.jpg'], 'pictures', ['ab/x.jpg', 'abc/x.jpg']],
  ])('of %o is the folder "%s"', (paths, name, names) => {
    const picked = pick(files(...paths));
    expect(picked).toMatchObject({ kind: 'images', name });
    expect('images' in picked && picked.images.map(({ path }) => path)).toEqual(names);
  });

  test('says what is left out, and what to do with it', () => {
    expect(pick(files('t/a.jpg', 't/b.heic', 't/c.HEIC', 't/notes.txt'))).toMatchObject({
      leftOut: [expect.stringMatching(/^2 HEIC files are left out: convert them/), '1 other file is left out.'],
    });
  });

  test('says that what is hidden is left out', () => {
    expect(pick(files('t/a.jpg', 't/.b.jpg', 't/.c/d.jpg', 't/._a.jpg', 't/.DS_Store'))).toMatchObject({
      images: [{ path: 'a.jpg' }],
      leftOut: [
        '2 hidden files are left out: rename them without the dot to have them scored.',
        '1 macOS metadata file is left out: no picture is missing with it.',
        '1 other file is left out.',
      ],
    });
  });

  test.each([
    [['a.mp4', 'b.jpg'], /1 video and 1 picture/],
    [['a.mp4', 'b.mp4'], /2 videos.*one/],
    [['notes.txt'], /no video and no picture in it\. 1 other file/],
    [['.hidden.mp4'], /no video and no picture in it\. 1 hidden file is left out: rename it/],
    [[], /no file in it/],
    [['x.heic'], /no picture in it\. 1 HEIC file is left out: convert it/],
  ])('is nothing of %o, and says why', (paths, problem) => {
    expect(pick(files(...paths))).toEqual({ problem: expect.stringMatching(problem) as string });
  });

  test.each([
    'coast.mp4',
    'Küste 100% "x" #1.MOV',
    '日本.webm',
    '.mp4',
    '..',
    '',
    `${'a'.repeat(300)}.mp4`,
    '-x-.png',
    'a..jpg',
    'end.',
  ])('called "%s" has a name that uploads may have', (name) => {
    const asked = { kind: 'video', name: uploadName(name) };
    expect(uploadRequestSchema.safeParse(asked)).toMatchObject({ success: true });
  });
});
