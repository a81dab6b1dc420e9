import { describe, expect, test } from 'vitest';
import { parseSpec } from '../../../src/job/spec.js';
import { makingOf, wayOf } from '../../../src/job-store/reuse/makers.js';
import type { ImagesJob, ResolvedJob, VideoJob } from '../../../src/job-store/resolved-job.js';
import type { ModelCard } from '../../../src/model-card/schema.js';

const tensor = { layout: 'NCHW', type: 'float32', channels: 'RGB', range: [0, 255], mean: [1, 2, 3], std: [1, 2, 3] };
const input = {
  ...tensor,
  name: 'in',
  size: {
    fixed: [8, 8],
    longestSide: 16,
    multipleOf: 4,
    minimum: 8,
    keepProportions: false,
    tiles: { size: [8, 8], overlap: 2 },
  },
};
const common = {
  description: 'A model.',
  input,
  style: { ...input, name: 'style' },
  constants: { k: [1, 2] },
  batch: 4,
};
const outputs = {
  image: { ...tensor, kind: 'image', name: 'out', fit: 'crop', scale: 2, assumed: true },
  'image of a size': { ...tensor, name: 'out', fit: 'resize', size: [8, 8] },
  classes: { kind: 'classes', name: 'out', top: 5, softmax: true, labels: ['cat', 'dog'] },
  detections: {
    kind: 'detections',
    name: 'out',
    boxes: 'boxes',
    classes: 'classes',
    count: 'count',
    classCount: 3,
    columns: { box: 0, score: 4, class: 5 },
    format: 'ltrb',
    unit: 'pixel',
    transposed: false,
    objectness: true,
    activation: 'none',
    background: [0],
    threshold: 0.5,
    overlap: 0.4,
    top: 100,
    labels: ['cat'],
  },
  mask: { kind: 'mask', name: 'out', layout: 'NCHW', method: 'argmax', threshold: 0.5, fit: 'crop' },
  tensor: { kind: 'tensor', name: 'out' },
};

/** Every value in it, changed one at a time, by its path. */
function* changes(value: unknown, path: string[] = []): Generator<{ path: string; changed: unknown }> {
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    for (const [key, each] of entries)
      for (const { path: below, changed } of changes(each, [...path, key]))
        yield {
          path: below,
          changed: Array.isArray(value) ? value.with(Number(key), changed) : { ...value, [key]: changed },
        };
    if (!Array.isArray(value)) return;
    yield { path: [...path, 'length'].join('.'), changed: [...(value as unknown[]), value[0]] };
  } else if (typeof value === 'string') yield { path: path.join('.'), changed: `${value}x` };
  else if (typeof value === 'number') yield { path: path.join('.'), changed: value + 1 };
  else yield { path: path.join('.'), changed: value !== true };
}

const spec = (more: object = {}) =>
  parseSpec(JSON.stringify({ input: { images: 'inbox/a/' }, model: 'm', style: 'styles/s.png', reuse: true, ...more }));

function imagesJob(card: object, more: Partial<ImagesJob> = {}): ImagesJob {
  const sha256 = { model: 'a'.repeat(64), style: 'b'.repeat(64), card: 'c'.repeat(64), labels: 'd'.repeat(64) };
  const places = { jobId: 'a-1', images: 'inbox/a/', output: 'outbox/a/', pack: 1, parallel: 1, createdAt: '' };
  return { ...places, spec: spec(), sha256, card: card as ModelCard, ...more };
}

describe.each(Object.entries(outputs))('what a card with %s as its output says', (_, output) => {
  const card = { ...common, output };
  const making = (changed: object) => makingOf(imagesJob(changed, { spec: spec({ batch: { pack: 1 } }) }));

  test('changes how items are made, but for what outputs do not depend on', () => {
    const same = [...changes(card)].filter(({ changed }) => making(changed as object) === making(card));
    expect(same.map(({ path }) => path)).toEqual(['description', 'batch']);
  });

  test('is made in the same way in whatever order it is said', () => {
    const reversed = Object.fromEntries(Object.entries(card).toReversed());
    expect(making({ ...reversed, optimize: 'off' })).toBe(making(card));
  });
});

const card = { ...common, output: outputs.image };
const base = imagesJob(card);
const other = 'e'.repeat(64);

test.each<[string, Partial<ImagesJob>]>([
  ['other model bytes', { sha256: { ...base.sha256, model: other } }],
  ['another style picture', { sha256: { model: 'a'.repeat(64), style: other } }],
  ['no style picture', { sha256: { model: 'a'.repeat(64) } }],
  ['another format of the pictures', { spec: spec({ output: { frameFormat: 'jpg' } }) }],
  ['a device that is asked for', { spec: spec({ compute: { device: 'cpu' } }) }],
  ['a compute elsewhere', { spec: spec({ compute: { kind: 'aci' } }) }],
  ['a GPU', { gpu: true }],
])('images are made in another way with %s', (_, change) => {
  expect(makingOf({ ...base, ...change })).not.toBe(makingOf(base));
});

test.each<[string, Partial<ImagesJob>]>([
  ['another text of the same card', { sha256: { ...base.sha256, model: 'a'.repeat(64), card: other } }],
  ['another folder', { images: 'inbox/b/', output: 'outbox/b/', spec: spec({ input: { images: 'inbox/b/' } }) }],
  ['other batches', { spec: spec({ batch: { size: 3, maxParallel: 2 } }), parallel: 2 }],
  [
    'another patience',
    { spec: spec({ retry: { maxAttempts: 5 }, timeouts: { jobSeconds: 60 }, tolerate: { failedItems: 3 } }) },
  ],
  ['what is kept or replaced', { spec: spec({ output: { overwrite: true, keepFrames: true }, reuse: false }) }],
  ['more memory', { memory: { gb: 8 } }],
  ['another run', { run: 2, createdAt: 'later', jobId: 'b-2' }],
])('images are made in the same way with %s', (_, change) => {
  expect(makingOf({ ...base, ...change })).toBe(makingOf(base));
});

test('callers who are kept apart share nothing', () => {
  const makings = ['one', 'other', undefined].map((owner) => makingOf(base, { owner }));
  expect(new Set(makings).size).toBe(3);
});

test('what other programs read and write is made in another way', () => {
  const makings = ['jimp', 'sharp', undefined].map((codec) => makingOf(base, { codec }));
  expect(new Set(makings).size).toBe(3);
  expect(makingOf(base, { codec: 'auto' })).toBe(makings[2]);
});

test('the two computes of Azure make the same', () => {
  const on = (kind: string) => makingOf({ ...base, spec: spec({ compute: { kind } }) });
  expect(on('aci')).toBe(on('container-apps'));
});

describe('the frames of a video', () => {
  const videoJob = (more: object = {}, pack = 8) =>
    ({
      ...imagesJob(card),
      video: {},
      images: undefined,
      spec: parseSpec(JSON.stringify({ input: { video: 'inbox/a.mp4' }, model: 'm', ...more })),
      pack,
    }) as unknown as VideoJob;
  const making = makingOf(videoJob(), { video: other });

  test.each<[string, string | undefined]>([
    ['other bytes of the video', makingOf(videoJob(), { video: 'f'.repeat(64) })],
    [
      'another choice on damage',
      makingOf(videoJob({ input: { video: 'inbox/a.mp4', onDamage: 'keep' } }), { video: other }),
    ],
    [
      'frames that are stored as something else',
      makingOf(videoJob({ output: { frameFormat: 'png' } }), { video: other }),
    ],
  ])('are scored in another way with %s', (_, changed) => expect(changed).not.toBe(making));

  test.each<[string, string | undefined]>([
    ['other packs', makingOf(videoJob({}, 9), { video: other })],
    ['another name of the video', makingOf(videoJob({ input: { video: 'inbox/b.mp4' } }), { video: other })],
    [
      'another codec and place',
      makingOf(videoJob({ output: { codec: 'h265', video: 'outbox/b.mp4' } }), { video: other }),
    ],
  ])('are scored in the same way with %s', (_, changed) => expect(changed).toBe(making));
});

test.each<[string, ResolvedJob, ReturnType<typeof wayOf>]>([
  ['pictures', base, 'files'],
  ['masks', imagesJob({ ...common, output: outputs.mask }), 'files'],
  ['lines', imagesJob({ ...common, output: outputs.classes }, { pack: 1000 }), 'lines'],
  ['arrays in archives', imagesJob({ ...common, output: outputs.tensor }, { pack: 1000 }), undefined],
  ['arrays', imagesJob({ ...common, output: outputs.tensor }, { spec: spec({ batch: { pack: 1 } }) }), 'files'],
])('%s are found later as they are delivered, if at all', (_, job, way) => {
  expect(wayOf(job)).toBe(way);
  expect(makingOf(job) === undefined).toBe(way === undefined);
});
