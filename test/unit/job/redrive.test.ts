import { describe, expect, test } from 'vitest';
import { boundPart, changedSince, type MadeOf, parseChanges, withChanges } from '../../../src/job/redrive.js';
import { parseSpec } from '../../../src/job/spec.js';

const spec = (more: object = {}) =>
  parseSpec(JSON.stringify({ input: { video: 'inbox/coast.mp4' }, model: 'starry-night', ...more }));
const change = (body: object, before = spec()) => withChanges(before, parseChanges(JSON.stringify(body)));

describe('a redrive', () => {
  test('changes nothing with an empty body', () => {
    const before = spec({ compute: { kind: 'aci', device: 'cuda' }, batch: { size: 9 }, output: { codec: 'h265' } });
    expect(withChanges(before, parseChanges(''))).toEqual(before);
    expect(change({}, before)).toEqual(before);
    const patient = spec({ timeouts: { itemSeconds: 7000 } });
    expect(change({}, patient)).toEqual(patient);
  });

  test('changes what it names and leaves the rest', () => {
    const before = spec({ batch: { size: 9, pack: 3 }, retry: { maxAttempts: 5 }, timeouts: { stallSeconds: 60 } });
    expect(
      change({ batch: { maxParallel: 2 }, retry: { firstDelaySeconds: 0 }, tolerate: { failedItems: 4 } }, before),
    ).toEqual({
      ...before,
      batch: { size: 9, pack: 3, maxParallel: 2 },
      retry: { ...before.retry, firstDelaySeconds: 0 },
      tolerate: { failedItems: 4, onExceeded: 'cancel' },
    });
  });

  test('names other fallbacks, or none, and with another compute names all of it anew', () => {
    const fallback = [{ region: 'northeurope' }];
    const before = spec({
      compute: { kind: 'aci', region: 'westeurope', memoryGb: 4, fallback, fallbackAfterSeconds: 60 },
    });
    const compute = (asked: object) => change({ compute: asked }, before).compute;
    expect(compute({ memoryGb: 8 })).toEqual({ ...before.compute, memoryGb: 8 });
    expect(compute({ fallback: [{ kind: 'local' }] })).toEqual({ ...before.compute, fallback: [{ kind: 'local' }] });
    expect(compute({ fallback: [] })).toEqual({ kind: 'aci', region: 'westeurope', memoryGb: 4 });
    expect(compute({ kind: 'container-apps' })).toEqual({ kind: 'container-apps' });
    expect(() => compute({ region: 'northeurope' })).toThrow(/In the redrive "compute.fallback.0" asks for nothing/);
  });

  test('names both of stallSeconds and itemSeconds, or one from which the other follows', () => {
    const before = spec({ timeouts: { batchSeconds: 900, stallSeconds: 200 } });
    const timeouts = (asked: object) => change({ timeouts: asked }, before).timeouts;
    expect(timeouts({ itemSeconds: 300 })).toEqual({ ...before.timeouts, itemSeconds: 300, stallSeconds: 400 });
    expect(timeouts({ stallSeconds: 40 })).toEqual({ ...before.timeouts, itemSeconds: 30, stallSeconds: 40 });
    expect(timeouts({ batchSeconds: 60 })).toEqual({ ...before.timeouts, batchSeconds: 60 });
    expect(() => timeouts({ stallSeconds: 40, itemSeconds: 50 })).toThrow(/"timeouts\.itemSeconds" .*less than/);
  });

  test('names all bounds of what it tolerates, or none', () => {
    const before = spec({ tolerate: { failedItems: 2, fill: 'previous' } });
    expect(JSON.parse(JSON.stringify(change({ tolerate: { failedPercent: 5 } }, before).tolerate))).toEqual({
      failedPercent: 5,
      onExceeded: 'cancel',
      fill: 'previous',
    });
    expect(change({ tolerate: { onExceeded: 'finish' } }, before).tolerate).toMatchObject({ failedItems: 2 });
    const images = parseSpec(JSON.stringify({ input: { images: 'inbox/a/' }, model: 'starry-night' }));
    expect(() => change({ tolerate: { fill: 'source' } }, images)).toThrow(/"tolerate\.fill" is for a video/);
    const frames = spec({ input: { images: 'inbox/a/', frameRate: 24 }, tolerate: { fill: 'previous' } });
    expect(change({}, frames)).toEqual(frames);
    expect(() => change({ tolerate: { fill: 'source' } }, frames)).toThrow(/"tolerate\.fill" must be "previous"/);
  });

  test('leaves a folder of images as it is', () => {
    const before = parseSpec(JSON.stringify({ input: { images: 'inbox/a/' }, model: 'starry-night' }));
    expect(change({ batch: { size: 7 } }, before)).toEqual({
      ...before,
      batch: { size: 7, pack: 'auto' },
    });
  });

  test.each([
    [{ kind: 'aci', device: 'cuda' }, { device: 'cpu' }, { kind: 'aci', device: 'cpu' }],
    [{ kind: 'aci' }, { gpu: 'prefer' }, { kind: 'aci', gpu: 'prefer' }],
    [{ kind: 'aci', device: 'cuda' }, { kind: 'local' }, { kind: 'local' }],
    [{ kind: 'local', device: 'cpu' }, { kind: 'local' }, { kind: 'local', device: 'cpu' }],
  ])('runs the rest of a job on %j with %j on %j', (before, compute, after) => {
    const { compute: found } = change({ compute }, spec({ compute: before }));
    expect(JSON.parse(JSON.stringify(found))).toEqual(after);
  });

  test.each([
    ['{"model":"other"}', /cannot change "model"/],
    ['{"batch":{"pack":3}}', /cannot change "batch\.pack"/],
    ['{"output":{"overwrite":true}}', /cannot change "output"/],
    ['{"compute":7}', /"compute" is not valid/],
    ['[]', /the body is not valid/],
    ['{', /not valid JSON/],
    ['{"fromScratch":"yes"}', /"fromScratch" is not valid/],
  ])('refuses %s', (body, sentence) => {
    expect(() => parseChanges(body)).toThrow(sentence);
  });

  test.each([
    [{ batch: { size: 0 } }, /In the redrive "batch\.size"/],
    [{ tolerate: { failed: 1 } }, /"tolerate\.failed" is not a known property/],
    [{ compute: { kind: 'moon' } }, /"compute\.kind"/],
  ])('refuses the values in %j', (body, sentence) => {
    expect(() => change(body)).toThrow(sentence);
  });
});

describe('outputs of earlier runs', () => {
  const blob = (etag: string, md5?: string) => ({ etag, bytes: 7, ...(md5 !== undefined && { md5 }) });
  const made: MadeOf = { model: blob('m', 'sum'), card: 'c', style: blob('s'), video: blob('v') };
  const says = (more: Partial<MadeOf>) => changedSince(made, { ...made, ...more }, spec({ style: 'styles/w.jpg' }));

  test('go with the rest as long as nothing has changed', () => {
    expect(says({})).toBeUndefined();
  });

  test('go with the rest when the same bytes were uploaded again', () => {
    expect(says({ model: blob('m2', 'sum') })).toBeUndefined();
    expect(says({ style: blob('s2') })).toMatch(/style picture styles\/w\.jpg has changed/);
  });

  test('do not when what they are made of has changed, which is named', () => {
    expect(says({ model: blob('m2', 'other') })).toBe('The model "starry-night" has changed');
    expect(says({ card: 'd', style: blob('s2'), video: blob('v2') })).toBe(
      'The card or the labels of the model "starry-night", the style picture styles/w.jpg and the video inbox/coast.mp4 have changed',
    );
  });

  test('do not depend on the description, batches and optimisation that a card names', () => {
    const card = { input: { layout: 'NCHW' as const }, description: 'one', optimize: 'off' as const };
    expect(JSON.stringify(boundPart({ ...card, description: 'two' }))).toBe(JSON.stringify(boundPart(card)));
    expect(JSON.stringify(boundPart({ input: { layout: 'NHWC' } }))).not.toBe(JSON.stringify(boundPart(card)));
  });
});
