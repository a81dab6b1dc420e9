import { describe, expect, test } from 'vitest';
import { JobError } from '../../../src/job/failure.js';
import { checkInputSize, inputOf, parseSpec } from '../../../src/job/spec.js';
import { withFetchedVideo } from '../../../src/job-store/videos/fetched-video.js';

const minimal = { input: { video: 'inbox/coast.mp4' }, model: 'starry-night' };

function refusal(spec: unknown): string {
  try {
    parseSpec(typeof spec === 'string' ? spec : JSON.stringify(spec));
  } catch (error) {
    expect(error).toBeInstanceOf(JobError);
    expect((error as JobError).blame).toBe('user');
    return (error as JobError).message;
  }
  throw new Error('the specification was accepted');
}

describe('a job specification', () => {
  test('needs only the input and the model; everything else has a default', () => {
    expect(parseSpec(JSON.stringify(minimal))).toEqual({
      ...minimal,
      input: { ...minimal.input, onDamage: 'fail' },
      output: { draw: false, codec: 'h264', frameFormat: 'ppm', keepFrames: false, overwrite: false },
      batch: { size: 'auto', pack: 'auto' },
      compute: { kind: 'local' },
      retry: { maxAttempts: 3, firstDelaySeconds: 5, escalateMemory: true },
      tolerate: { failedItems: 0, onExceeded: 'cancel' },
      timeouts: { provisionSeconds: 900, batchSeconds: 3600, stallSeconds: 120, itemSeconds: 90 },
    });
  });

  test('names a folder of images with or without its last slash', () => {
    const spec = { ...minimal, input: { images: 'inbox/batch7' }, output: { images: 'outbox/batch7/painted/' } };
    expect(parseSpec(JSON.stringify(spec))).toMatchObject({
      input: { images: 'inbox/batch7/' },
      output: { images: 'outbox/batch7/painted/' },
    });
  });

  test('has the pictures of a folder stored as they are delivered, as PNG', () => {
    const spec = { ...minimal, input: { images: 'inbox/batch7' } };
    expect(parseSpec(JSON.stringify(spec)).output.frameFormat).toBe('png');
    const jpg = { ...spec, output: { frameFormat: 'jpg' } };
    expect(parseSpec(JSON.stringify(jpg)).output.frameFormat).toBe('jpg');
  });

  test.each([24, '24', '24000/1001', '1/2'])(
    'has the images of a folder become a video with %j of them a second',
    (frameRate) => {
      const spec = { ...minimal, input: { images: 'inbox/shots', frameRate, audio: "inbox/it's music.m4a" } };
      const output = { video: 'outbox/a.mp4', codec: 'h265', quality: 'best', draw: true };
      expect(parseSpec(JSON.stringify({ ...spec, output }))).toMatchObject({
        input: { images: 'inbox/shots/', frameRate, audio: "inbox/it's music.m4a" },
        output: { ...output, frameFormat: 'ppm' },
      });
    },
  );

  test('has the place of a frame that is a file and fails filled with the one before it', () => {
    const spec = { ...minimal, input: { images: 'inbox/a/', frameRate: 24 } };
    const previous = { ...spec, tolerate: { failedItems: 3, fill: 'previous' } };
    expect(parseSpec(JSON.stringify(previous)).tolerate).toMatchObject({ failedItems: 3 });
    expect(refusal({ ...spec, tolerate: { fill: 'source' } })).toMatch(
      /"tolerate\.fill" must be "previous" where frames are/,
    );
  });

  test.each([
    [{ images: 'inbox/a/', frameRate: 23.976 }, {}, /"input\.frameRate" must be a whole number .*"24000\/1001"/],
    [{ images: 'inbox/a/', frameRate: true }, {}, /"input\.frameRate" must be a whole number /],
    [{ images: 'inbox/a/', frameRate: 0 }, {}, /"input\.frameRate" must be a whole number /],
    [{ video: 'inbox/a.mp4', frameRate: 24 }, {}, /"input\.frameRate" is for "images"; a video has its own/],
    [
      { images: 'inbox/a/', audio: 'inbox/a.mp3' },
      {},
      /"input\.audio" is for "images" that become a video; set "frameRate"/,
    ],
    [{ images: 'inbox/a/', frameRate: 24, audio: 'outbox/a.mp3' }, {}, /"input\.audio" must look like "inbox\/NAME"/],
    [
      { images: 'inbox/a/', frameRate: 24 },
      { images: 'outbox/a/' },
      /"output\.images" does not go with "input\.frameRate"/,
    ],
    [
      { images: 'inbox/a/' },
      { video: 'outbox/a.mp4' },
      /"output\.video" does not go with .*, or set "input\.frameRate"/,
    ],
  ])('has no frame rate as in %j', (input, output, sentence) => {
    expect(refusal({ ...minimal, input, output })).toMatch(sentence);
  });

  test('says where the end of its job is told', () => {
    const notify = [{ queue: 'jobs-done' }, { webhook: 'https://example.com/hook', secret: 'MAIN' }];
    expect(parseSpec(JSON.stringify({ ...minimal, notify })).notify).toEqual(notify);
    const wrong = { ...minimal, notify: [{ webhook: 'http://example.com', secret: 'MAIN' }] };
    expect(refusal(wrong)).toMatch(/"notify\.0/);
  });

  test('keeps what it says', () => {
    const full = {
      ...minimal,
      input: { ...minimal.input, onDamage: 'keep' },
      style: 'styles/a/wave.jpg',
      output: {
        video: 'outbox/painted.webm',
        predictions: 'outbox/found/',
        draw: true,
        codec: 'vp9',
        quality: 'best',
        frameFormat: 'jpg',
        keepFrames: true,
        overwrite: true,
      },
      batch: { size: 7, maxParallel: 2, pack: 4, splitStragglers: false },
      compute: { kind: 'local', memoryGb: 8 },
      retry: { maxAttempts: 1, firstDelaySeconds: 0, escalateMemory: false },
      tolerate: { failedItems: 3, failedPercent: 0.5, failedBatches: 1, onExceeded: 'finish', fill: 'previous' },
      timeouts: { provisionSeconds: 10, batchSeconds: 20, stallSeconds: 30, itemSeconds: 25, jobSeconds: 3600 },
    };
    expect(parseSpec(JSON.stringify(full))).toEqual(full);
  });

  test('lets a scorer end before its container is ended: three quarters of the time, or as it says', () => {
    const timeouts = (given: object) => parseSpec(JSON.stringify({ ...minimal, timeouts: given })).timeouts;
    expect(timeouts({ stallSeconds: 600 })).toMatchObject({ stallSeconds: 600, itemSeconds: 450 });
    expect(timeouts({ itemSeconds: 300 })).toMatchObject({ stallSeconds: 400, itemSeconds: 300 });
    expect(timeouts({ itemSeconds: 5 })).toMatchObject({ stallSeconds: 120, itemSeconds: 5 });
    expect(refusal({ ...minimal, timeouts: { stallSeconds: 60, itemSeconds: 60 } })).toMatch(
      /"timeouts.itemSeconds" must be less than "timeouts.stallSeconds"/,
    );
  });

  test.each([
    ['an unknown property at the top', { ...minimal, stlye: 'x' }, '"stlye" is not a known property'],
    [
      'an unknown property inside another',
      { ...minimal, retry: { maxAttemps: 2 } },
      '"retry.maxAttemps" is not a known property',
    ],
    ['two unknown properties', { ...minimal, a: 1, b: 2 }, '"a", "b" are not known properties'],
    ['no input', { ...minimal, input: {} }, '"input" must name either a "video" or "images"'],
    [
      'two inputs',
      { ...minimal, input: { video: 'inbox/a.mp4', images: 'inbox/a/' } },
      '"input" must name either a "video" or "images"',
    ],
    [
      'raw pictures for a folder of images',
      { ...minimal, input: { images: 'inbox/a/' }, output: { frameFormat: 'ppm' } },
      '"output.frameFormat" is "ppm", which is for the frames of a video; set it to "png" or "jpg"',
    ],
    [
      'images outside the inbox',
      { ...minimal, input: { images: 'styles/a/' } },
      '"input.images" must look like "inbox/FOLDER/"',
    ],
    ['the whole inbox', { ...minimal, input: { images: 'inbox/' } }, '"input.images" must look like "inbox/FOLDER/"'],
    [
      'a video of images',
      { ...minimal, input: { images: 'inbox/a/' }, output: { video: 'outbox/a.mp4' } },
      '"output.video" does not go with "input.images"; leave it out',
    ],
    [
      'a codec for images',
      { ...minimal, input: { images: 'inbox/a/' }, output: { codec: 'h264' } },
      '"output.codec" does not go with "input.images"; leave it out',
    ],
    [
      'a quality for images',
      { ...minimal, input: { images: 'inbox/a/' }, output: { quality: 'best' } },
      '"output.quality" does not go with "input.images"; leave it out',
    ],
    [
      'predictions of images',
      { ...minimal, input: { images: 'inbox/a/' }, output: { predictions: 'outbox/a/' } },
      '"output.predictions" does not go with "input.images"; leave it out',
    ],
    [
      'drawing into images',
      { ...minimal, input: { images: 'inbox/a/' }, output: { draw: true } },
      '"output.draw" does not go with "input.images"; leave it out',
    ],
    [
      'images of a video',
      { ...minimal, output: { images: 'outbox/a/' } },
      '"output.images" does not go with "input.video"; leave it out',
    ],
    ['a missing input', { model: 'starry-night' }, '"input" is missing'],
    ['a missing model', { input: minimal.input }, '"model" is missing'],
    [
      'a video outside the inbox',
      { ...minimal, input: { video: 'outbox/x.mp4' } },
      '"input.video" must look like "inbox/NAME"',
    ],
    [
      'a video path that climbs',
      { ...minimal, input: { video: 'inbox/../secrets' } },
      '"input.video" must have no parts that are empty or end in a dot',
    ],
    [
      'an output outside the outbox',
      { ...minimal, output: { video: 'inbox/x.mp4' } },
      '"output.video" must look like "outbox/NAME"',
    ],
    ['a codec that is not there', { ...minimal, output: { codec: 'gif' } }, '"output.codec" is not valid'],
    [
      'a codec that the file cannot hold',
      { ...minimal, output: { video: 'outbox/x.webm' } },
      '"output" asks for h264, which .webm cannot hold; name it .mp4 or .m4v or .mov or .mkv, or set "codec" to vp9',
    ],
    [
      'an ending that is not written',
      { ...minimal, output: { video: 'outbox/x.avi' } },
      '"output" has a "video" that must end in .mp4, .m4v, .mov, .mkv, .webm',
    ],
    ['a quality for a lossless codec', { ...minimal, output: { codec: 'ffv1', quality: 'best' } }, 'ffv1 is lossless'],
    ['a style path with a query', { ...minimal, style: 'styles/a.jpg?sv=1' }, '"style" must look like'],
    ['a model name that is a path', { ...minimal, model: '../x' }, '"model" must be a model name'],
    ['packs of none', { ...minimal, batch: { pack: 0 } }, '"batch.pack" is not valid: expected number to be >=1'],
    [
      'a batch size of zero',
      { ...minimal, batch: { size: 0 } },
      '"batch.size" is not valid: expected number to be >=1',
    ],
    ['too many attempts', { ...minimal, retry: { maxAttempts: 11 } }, '"retry.maxAttempts" is not valid'],
    ['a compute that is not there', { ...minimal, compute: { kind: 'mainframe' } }, '"compute.kind" is not valid'],
    [
      'a fraction of a failed item',
      { ...minimal, tolerate: { failedItems: 0.5 } },
      '"tolerate.failedItems" is not valid',
    ],
    [
      'more than all items',
      { ...minimal, tolerate: { failedPercent: 101 } },
      '"tolerate.failedPercent" is not valid: expected number to be <=100',
    ],
    [
      'a list for a video',
      { ...minimal, input: { ...minimal.input, list: 'inbox/a.txt' } },
      '"input.list" is for "images" that are scored each by itself; leave it out',
    ],
    ['a list from elsewhere', { ...minimal, input: { images: 'inbox/a/', list: 'outbox/a.txt' } }, '"input.list" must'],
    [
      'the failed items of no job',
      { ...minimal, input: { images: 'inbox/a/', list: { failedItemsOf: '../x' } } },
      '"input.list.failedItemsOf" must be the id of a job',
    ],
    ['part of a batch', { ...minimal, tolerate: { failedBatches: 1.5 } }, '"tolerate.failedBatches" is not valid'],
    ['an end of no kind', { ...minimal, tolerate: { onExceeded: 'wait' } }, '"tolerate.onExceeded" is not valid'],
    [
      'frames to fill in a folder of images',
      { ...minimal, input: { images: 'inbox/a/' }, tolerate: { fill: 'previous' } },
      '"tolerate.fill" is for a video; leave it out',
    ],
    ['a list', [], 'the body is not valid'],
    ['text that is no JSON', '{"input":', 'not valid JSON'],
  ])('with %s is refused by a sentence that names it', (_, spec, sentence) => {
    expect(refusal(spec)).toContain(sentence);
  });

  test('over the size limit is refused with both sizes', () => {
    expect(refusal(JSON.stringify({ ...minimal, model: 'm'.repeat(5000) }))).toMatch(/\d{4} bytes long.* 4096/);
    const long = (letter: string) => parseSpec(JSON.stringify({ ...minimal, style: `styles/${letter.repeat(290)}` }));
    const startedBy = (letter: string) => ({ path: `inbox/${letter.repeat(290)}`, etag: '0x8DE' });
    expect(() => checkInputSize({ spec: long('海'), startedBy: startedBy('海') })).not.toThrow();
    expect(() => checkInputSize({ spec: long('\u2028'), startedBy: [startedBy('海'), startedBy('海')] })).toThrow(
      /takes \d{4} bytes; at most 3100 are accepted, .*4096.*: use shorter names/,
    );
  });
});

describe('a path of a job', () => {
  const refused = /must look like|must have no parts|is longer|is not valid/;
  test.each([
    'outbox/./a.mp4',
    'outbox/../a.mp4',
    'outbox/b/../a.mp4',
    'outbox//a.mp4',
    'outbox/b./a.mp4',
    'outbox/a%2emp4',
    'outbox/%2e%2e/a.mp4',
    'outbox/b\\a.mp4',
    'outbox/a?.mp4',
    'outbox/a#.mp4',
    'outbox/a\0.mp4',
    'outbox/a\n.mp4',
    'outbox/a\u0085.mp4',
    'outbox/a\ud800.mp4',
    'outbox/\udc00a.mp4',
    'outbox/a\uffff.mp4',
    `outbox/${'a'.repeat(300)}.mp4`,
    '/outbox/a.mp4',
    'OUTBOX/a.mp4',
    'outbox',
    'outbox/',
    '',
  ])('cannot be %j', (path) => {
    expect(refusal({ ...minimal, output: { video: path } })).toMatch(refused);
  });

  test.each(['outbox/ä 😀.mp4', 'outbox/.hidden/a.mp4', 'outbox/a..b.mp4', "outbox/it's (1) & [2].mp4"])(
    'can be %j',
    (path) => {
      expect(parseSpec(JSON.stringify({ ...minimal, output: { video: path } })).output.video).toBe(path);
    },
  );
});

test.each([
  ['many arrays in one another', '['.repeat(4000)],
  ['many closed arrays in one another', '['.repeat(2000) + ']'.repeat(2000)],
  ['many objects in one another', '{"input":'.repeat(400) + '1' + '}'.repeat(400)],
  ['null', 'null'],
  ['text', '"inbox/a.mp4"'],
  ['nothing', ''],
  ['a list', '[]'],
  ['a prototype', '{"__proto__":{"input":{"video":"inbox/a.mp4"}},"model":"m"}'],
  ['a prototype beside the rest', '{"input":{"video":"inbox/a.mp4"},"model":"m","__proto__":{"style":"styles/a.jpg"}}'],
  ['a constructor', '{"input":{"video":"inbox/a.mp4"},"model":"m","constructor":1}'],
  ['a number that is none', '{"input":{"video":"inbox/a.mp4"},"model":"m","tolerate":{"failedItems":1e999}}'],
  ['a time that never ends', '{"input":{"video":"inbox/a.mp4"},"model":"m","timeouts":{"batchSeconds":1e999}}'],
  ['a number beyond all counting', '{"input":{"video":"inbox/a.mp4"},"model":"m","tolerate":{"failedItems":1e300}}'],
  ['a list in place of text', '{"input":{"video":["inbox/a.mp4"]},"model":"m"}'],
  ['an object in place of text', '{"input":{"video":{"toString":"inbox/a.mp4"}},"model":"m"}'],
  ['half a character in a name', '{"input":{"video":"inbox/a.mp4"},"model":"\\ud800"}'],
  ['half a character in a property', '{"input":{"video":"inbox/a.mp4"},"model":"m","\\ud800":1}'],
  ['JSON that is cut short', '{"input":{"video":"inbox/a.mp4"},"mod'],
])('a specification of %s is refused with one sentence', (_, text) => {
  const sentence = refusal(text);
  expect(sentence).toMatch(/^(In the|The) job specification .+\.$/s);
  expect(sentence.length).toBeLessThan(400);
});

test('of a property that is named twice, the last one counts, as in all of JSON', () => {
  expect(parseSpec('{"input":{"video":"inbox/a.mp4"},"model":"m","model":"n"}').model).toBe('n');
});

describe('a video by its URL', () => {
  const ofUrl = (url: string, more: object = {}) =>
    parseSpec(JSON.stringify({ input: { url, ...more }, model: 'starry-night' }));

  test('is an input like a video, and the job keeps it where nobody else’s files are', () => {
    const spec = ofUrl('https://media.example.com/films/coast%20line.mp4');
    expect(inputOf(spec)).toBe('https://media.example.com/films/coast%20line.mp4');
    const { input } = withFetchedVideo(spec, 'coast-k3v9q2xa');
    expect(input.video).toBe('work-coast-k3v9q2xa/_uploads/coast-20line.mp4');
    expect(withFetchedVideo({ ...spec, input }, 'coast-k3v9q2xa').input).toEqual(input);
    expect(withFetchedVideo(ofUrl('https://media.example.com/..%2f..%2f..'), 'a').input.video).toMatch(
      /^work-a\/_uploads\/[^/]+[^./]$/,
    );
  });

  test.each([
    'http://media.example.com/a.mp4',
    'ftp://media.example.com/a.mp4',
    'file:///etc/passwd',
    'https://user:secret@media.example.com/a.mp4',
    'https://media.example.com:8443/a.mp4',
    'https://media.example.com/a.mp4?sig=secret',
    'https://media.example.com/a.mp4?',
    'https://media.example.com/a.mp4#t=1',
    'https://media.example.com/',
    'https://media.example.com\\@10.0.0.1/a.mp4',
    'https://media.example.com/a\n.mp4',
    'media.example.com/a.mp4',
    `https://media.example.com/${'a'.repeat(300)}`,
  ])('is refused when it may hold a secret or is no plain https URL: %j', (url) => {
    expect(() => ofUrl(url)).toThrow(/"input\.url" must be the https URL of a file, without login/);
    expect(() => ofUrl(url)).not.toThrow(/secret/);
  });

  test('does not go with a video or images', () => {
    const url = 'https://media.example.com/a.mp4';
    for (const other of [{ video: 'inbox/a.mp4' }, { images: 'inbox/a/' }])
      expect(() => ofUrl(url, other)).toThrow(/"input" must name either/);
    expect(() => ofUrl(url, { frameRate: 24 })).toThrow(/"input\.frameRate" is for "images"/);
  });
});
