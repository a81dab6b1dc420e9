import { describe, expect, test } from 'vitest';
import { JobError } from '../../../../src/job/failure.js';
import {
  defaultsPlaces,
  jobOfFile,
  jobOfFolder,
  jobOfVideo,
  MOST_FILE_BYTES,
} from '../../../../src/job/inbox/job-file.js';

const json = (value: unknown) => JSON.stringify(value);
const MODEL = { model: 'starry-night' };

function refusal(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(JobError);
    expect((error as JobError).blame).toBe('user');
    return (error as JobError).message;
  }
  throw new Error('it was accepted');
}

const fileJob = (spec: object, name = 'a/b/coast.job.json') => jobOfFile(name, json(spec));

describe('frames that become a video', () => {
  const DEFAULTS = { name: 'a/_defaults.json', text: json({ ...MODEL, input: { frameRate: 24 } }) };

  test('have the sound that a job file names from where it lies', () => {
    const input = { images: 'shots', frameRate: '24000/1001', audio: '../music.flac' };
    expect(fileJob({ ...MODEL, input, output: { video: 'shots.mp4' } }).spec).toMatchObject({
      input: { images: 'inbox/a/b/shots/', frameRate: '24000/1001', audio: 'inbox/a/music.flac' },
      output: { video: 'outbox/a/b/shots.mp4' },
    });
  });

  test('have the rate of their trigger file, or of the defaults', () => {
    const ready = (text: string) => jobOfFolder('a/b/_READY', text, DEFAULTS, {}).spec.input;
    expect(ready('')).toMatchObject({ images: 'inbox/a/b/', frameRate: 24 });
    expect(ready(json({ input: { frameRate: '30000/1001', audio: 'x.wav' } }))).toMatchObject({
      frameRate: '30000/1001',
      audio: 'inbox/a/b/x.wav',
    });
  });

  test('do not keep videos below the same defaults from their own rate', () => {
    expect(jobOfVideo('a/coast.mp4', DEFAULTS, {}).spec.input).toEqual({
      video: 'inbox/a/coast.mp4',
      onDamage: 'fail',
    });
  });

  test('have no sound in defaults, which would be the same for all folders', () => {
    const defaults = { ...DEFAULTS, text: json({ ...MODEL, input: { frameRate: 24, audio: 'a.mp3' } }) };
    expect(refusal(() => jobOfFolder('a/b/_READY', '', defaults, {}))).toMatch(
      /_defaults\.json "input\.audio" would be the same/,
    );
  });
});

describe('a job file', () => {
  test.each([
    ['coast.mp4', 'inbox/a/b/coast.mp4'],
    ['./coast.mp4', 'inbox/a/b/coast.mp4'],
    ['c/coast.mp4', 'inbox/a/b/c/coast.mp4'],
    ['../coast.mp4', 'inbox/a/coast.mp4'],
    ['../../coast.mp4', 'inbox/coast.mp4'],
    ['../x/./../y/coast.mp4', 'inbox/a/y/coast.mp4'],
    ['inbox/x/coast.mp4', 'inbox/x/coast.mp4'],
    ['inbox/x/../coast.mp4', 'inbox/coast.mp4'],
    ['./inbox/coast.mp4', 'inbox/a/b/inbox/coast.mp4'],
    ['/x/coast.mp4', 'inbox/x/coast.mp4'],
    ['Tag am Meer/東京.mp4', 'inbox/a/b/Tag am Meer/東京.mp4'],
  ])('names its video from where it lies: %s', (video, path) => {
    expect(fileJob({ ...MODEL, input: { video } }).spec.input.video).toBe(path);
  });

  test('at the top of the inbox names what lies there', () => {
    expect(fileJob({ ...MODEL, input: { video: 'coast.mp4' } }, 'job.json').spec.input.video).toBe('inbox/coast.mp4');
  });

  test.each(['.', './', 'inbox/a/b', 'inbox/a/b/', '../b', ''])('names its folder of images as %j', (images) => {
    expect(fileJob({ ...MODEL, input: { images } }).spec.input.images).toBe('inbox/a/b/');
  });

  test.each([
    ['../../../models/secret.onnx'],
    ['..'],
    ['inbox/../models/secret.mp4'],
    ['inbox/a/../../app-secrets/sealing-key'],
    ['/../models/a.mp4'],
    ['../../..'],
  ])('names no path outside the inbox: %s', (video) => {
    const sentence = refusal(() => fileJob({ ...MODEL, input: { video } }, 'a/job.json'));
    expect(sentence).toMatch(/inbox\/a\/job\.json.*"input\.video"/);
    expect(sentence).toMatch(/outside the inbox|must look like|must have no parts/);
  });

  test.each(['..\\models\\a.mp4', 'a%2e%2e/b.mp4', 'a?b.mp4', 'a#b.mp4', 'bell\u0007.mp4', 'a//b.mp4', 'a./b.mp4'])(
    'names no path that storage would not keep: %j',
    (video) => {
      expect(refusal(() => fileJob({ ...MODEL, input: { video } }))).toMatch(/"input\.video" must/);
    },
  );

  test('takes its style from the styles or from beside it', () => {
    const styleOf = (style: string) => fileJob({ ...MODEL, input: { video: 'coast.mp4' }, style }).spec.style;
    expect(styleOf('styles/wave.jpg')).toBe('styles/wave.jpg');
    expect(styleOf('wave.jpg')).toBe('inbox/a/b/wave.jpg');
    expect(styleOf('../wave.jpg')).toBe('inbox/a/wave.jpg');
  });

  test('has its outputs in the outbox, below a folder like its own', () => {
    const outputOf = (video: string) => fileJob({ ...MODEL, input: { video: 'c.mp4' }, output: { video } }).spec.output;
    expect(outputOf('painted.mp4').video).toBe('outbox/a/b/painted.mp4');
    expect(outputOf('outbox/painted.mp4').video).toBe('outbox/painted.mp4');
    expect(outputOf('../painted.mp4').video).toBe('outbox/a/painted.mp4');
    expect(refusal(() => outputOf('../../../painted.mp4'))).toMatch(/"output\.video".*outside the outbox/);
    expect(refusal(() => outputOf('outbox/../inbox/painted.mp4'))).toMatch(/"output\.video".*outside the outbox/);
    for (const elsewhere of ['inbox/painted.mp4', 'styles/painted.mp4'])
      expect(refusal(() => outputOf(elsewhere))).toMatch(/"output\.video" is outside the outbox/);
    const images = fileJob({ ...MODEL, input: { images: '.' }, output: { images: 'painted' } });
    expect(images.spec.output.images).toBe('outbox/a/b/painted/');
  });

  test('says what its folder waits for', () => {
    const spec = { ...MODEL, input: { images: '.' } };
    expect(fileJob(spec).expect).toBeUndefined();
    expect(fileJob({ ...spec, expect: { count: 3 } }).expect).toEqual({ count: 3 });
    expect(fileJob({ ...spec, expect: ['x/a.png', './b.png'] }).expect).toEqual(['x/a.png', 'b.png']);
    expect(refusal(() => fileJob({ ...spec, expect: ['../a.png'] }))).toMatch(/"expect".*\.\.\/a\.png/);
    expect(refusal(() => fileJob({ ...spec, expect: { count: 0 } }))).toMatch(/"expect\.count" must be at least 1/);
    expect(refusal(() => fileJob({ ...spec, expect: 'all' }))).toMatch(/"expect" must be \{"count": NUMBER\}/);
    expect(refusal(() => fileJob({ ...MODEL, input: { video: 'a.mp4' }, expect: { count: 1 } }))).toMatch(
      /"expect" is for "input\.images"/,
    );
  });

  test('may name very many images without being too long', () => {
    const names = Array.from({ length: 5000 }, (_, k) => `frame-${k}.png`);
    expect(fileJob({ ...MODEL, input: { images: '.' }, expect: names }).expect).toHaveLength(5000);
  });

  test.each<[string, string, RegExp]>([
    ['nothing', '', /is empty/],
    ['spaces', ' \n', /is empty/],
    ['words', 'hello', /is not valid JSON/],
    ['JSON that was cut', '{"model": "a', /is not valid JSON/],
    ['a list', '[]', /must be an object/],
    ['null', 'null', /must be an object/],
    ['no model', json({ input: { video: 'a.mp4' } }), /"model" is missing/],
    ['no input', json(MODEL), /"input" is missing/],
    ['both inputs', json({ ...MODEL, input: { video: 'a.mp4', images: '.' } }), /either a "video" or "images"/],
    ['an unknown word', json({ ...MODEL, input: { video: 'a.mp4' }, colour: 1 }), /"colour" is not a known property/],
    ['a path that is a number', json({ ...MODEL, input: { video: 7 } }), /"input\.video"/],
    ['too much', json({ ...MODEL, input: { video: 'a.mp4' }, x: 'y'.repeat(5000) }), /bytes long/],
  ])('of %s is refused with a sentence that names it', (_, text, reason) => {
    const sentence = refusal(() => jobOfFile('a/coast.job.json', text));
    expect(sentence).toMatch(/inbox\/a\/coast\.job\.json/);
    expect(sentence).toMatch(reason);
    expect(sentence).toMatch(/\.$/);
  });

  test('may begin with a byte order mark', () => {
    expect(jobOfFile('job.json', `\uFEFF${json({ ...MODEL, input: { video: 'a.mp4' } })}`).spec.model).toBe(
      MODEL.model,
    );
  });
});

describe('defaults', () => {
  test('are looked for in the folder of the file and above, the nearest first', () => {
    expect(defaultsPlaces('a/b/coast.mp4')).toEqual(['a/b/_defaults.json', 'a/_defaults.json', '_defaults.json']);
    expect(defaultsPlaces('coast.mp4')).toEqual(['_defaults.json']);
  });

  const defaults = (value: unknown, name = 'a/_defaults.json') => ({ name, text: json(value) });

  test('make a job of a bare video', () => {
    const { spec, expect: waits } = jobOfVideo(
      'a/b/coast.mp4',
      defaults({ ...MODEL, style: 'wave.jpg', input: { onDamage: 'keep' }, output: { codec: 'h265' } }),
      {},
    );
    expect(waits).toBeUndefined();
    expect(spec).toMatchObject({
      model: 'starry-night',
      style: 'inbox/a/wave.jpg',
      input: { video: 'inbox/a/b/coast.mp4', onDamage: 'keep' },
      output: { codec: 'h265' },
    });
  });

  test('give way to the metadata of the video, which may be written in any case', () => {
    const metadata = {
      Model: 'mosaic',
      STYLE: 'styles/wave.jpg',
      codec: 'vp9',
      quality: 'best',
      draw: 'true',
      overwrite: 'True',
      compute: 'aci',
      device: 'cpu',
      gpu: 'none',
      mtime: '1700000000',
      job_id: 'x',
    };
    const { spec } = jobOfVideo('a/coast.mp4', defaults({ ...MODEL, compute: { kind: 'local' } }), metadata);
    expect(spec).toMatchObject({
      model: 'mosaic',
      style: 'styles/wave.jpg',
      output: { codec: 'vp9', quality: 'best', draw: true, overwrite: true },
      compute: { kind: 'aci', device: 'cpu', gpu: 'none' },
    });
  });

  test('name a style from where they lie, metadata from where the video lies', () => {
    const styleOf = (metadata: Record<string, string>) =>
      jobOfVideo('a/b/coast.mp4', defaults({ ...MODEL, style: 'wave.jpg' }), metadata).spec.style;
    expect(styleOf({})).toBe('inbox/a/wave.jpg');
    expect(styleOf({ style: 'wave.jpg' })).toBe('inbox/a/b/wave.jpg');
  });

  test.each<[string, unknown, Record<string, string>, RegExp]>([
    ['no model', {}, {}, /inbox\/a\/_defaults\.json.*"model" is missing/],
    ['an input', { ...MODEL, input: { video: 'x.mp4' } }, {}, /_defaults\.json.*"input\.video"/],
    ['an output', { ...MODEL, output: { video: 'x.mp4' } }, {}, /_defaults\.json.*"output\.video"/],
    ['something to wait for', { ...MODEL, expect: { count: 1 } }, {}, /_defaults\.json.*"expect"/],
    ['a wrong word in metadata', MODEL, { codec: 'mpeg2' }, /metadata.*"output\.codec"/],
    ['a wrong truth in metadata', MODEL, { draw: 'perhaps' }, /"output\.draw"/],
  ])('with %s are refused', (_, value, metadata, reason) => {
    expect(refusal(() => jobOfVideo('a/coast.mp4', defaults(value), metadata))).toMatch(reason);
  });

  test('that are no JSON are blamed by their own name', () => {
    const broken = { name: '_defaults.json', text: '{' };
    expect(refusal(() => jobOfVideo('a/coast.mp4', broken, {}))).toMatch(/^inbox\/_defaults\.json is not valid JSON/);
  });

  test('that are longer than anybody reads are refused, whatever they say', () => {
    const long = { name: '_defaults.json', text: json(MODEL).padEnd(MOST_FILE_BYTES + 1) };
    expect(refusal(() => jobOfVideo('a/coast.mp4', long, {}))).toMatch(/^inbox\/_defaults\.json is longer than/);
  });
});

describe('a folder with a trigger file', () => {
  const ready = (text: string, defaults?: object, metadata: Record<string, string> = {}) =>
    jobOfFolder('shots/7/_READY', text, defaults && { name: 'shots/_defaults.json', text: json(defaults) }, metadata);

  test('is scored by its defaults when the file is empty', () => {
    const { spec, expect: waits } = ready('', MODEL);
    expect(spec).toMatchObject({ model: 'starry-night', input: { images: 'inbox/shots/7/' } });
    expect(waits).toBeUndefined();
  });

  test('is scored as its file says, before the defaults', () => {
    const text = json({ model: 'mosaic', expect: { count: 9 }, output: { images: 'done' } });
    const { spec, expect: waits } = ready(text, { ...MODEL, output: { frameFormat: 'jpg' } });
    expect(spec).toMatchObject({
      model: 'mosaic',
      output: { frameFormat: 'jpg', images: 'outbox/shots/7/done/' },
    });
    expect(waits).toEqual({ count: 9 });
  });

  test('needs no defaults when its file says all', () => {
    expect(ready(json(MODEL)).spec.model).toBe('starry-night');
  });

  test('is refused when nothing says what to do', () => {
    expect(refusal(() => ready(''))).toMatch(/inbox\/shots\/7\/_READY.*"model".*_defaults\.json/);
    expect(refusal(() => ready(json({ ...MODEL, input: { images: 'x' } })))).toMatch(/"input\.images"/);
    expect(refusal(() => ready('done', MODEL))).toMatch(/^inbox\/shots\/7\/_READY is not valid JSON/);
  });

  test('at the top of the inbox is refused', () => {
    expect(refusal(() => jobOfFolder('_READY', json(MODEL), undefined, {}))).toMatch(/folder/);
  });
});
