import { describe, expect, test } from 'vitest';
import { parseSpec } from '../../../src/job/spec.js';
import { type Draft, EMPTY_DRAFT, fieldOf, saidOf, specOf } from '../../../src/page/start/draft.js';

const VIDEO = { kind: 'video', path: 'inbox/_uploads/abcdefgh/coast.mp4' } as const;
const IMAGES = { kind: 'images', path: 'inbox/_uploads/abcdefgh/trip/' } as const;
const draft = (changes: Partial<Draft> = {}): Draft => ({ ...EMPTY_DRAFT, model: 'starry-night', ...changes });

/** The sentence with which the app refuses it; '' when it does not. */
function refusal(spec: object): string {
  try {
    parseSpec(JSON.stringify(spec));
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

describe('the specification of what is chosen', () => {
  test('names nothing that was left alone', () => {
    expect(specOf(draft(), VIDEO, undefined)).toEqual({ input: { video: VIDEO.path }, model: 'starry-night' });
    expect(specOf(draft(), IMAGES, 'styles/a.jpg')).toEqual({
      input: { images: IMAGES.path },
      model: 'starry-night',
      style: 'styles/a.jpg',
    });
  });

  test.each<[Partial<Draft>, object]>([
    [{ codec: 'vp9', quality: 'best' }, { output: { codec: 'vp9', quality: 'best' } }],
    [{ codec: 'ffv1', quality: 'best' }, { output: { codec: 'ffv1' } }],
    [{ maxParallel: ' 4 ', batchSize: '50' }, { batch: { maxParallel: 4, size: 50 } }],
    [{ tolerate: '3' }, { tolerate: { failedItems: 3 } }],
    [{ tolerate: '2.5 %' }, { tolerate: { failedPercent: 2.5 } }],
    [{ draw: true }, { output: { draw: true } }],
    [{ onDamage: 'keep' }, { input: { video: VIDEO.path, onDamage: 'keep' } }],
    [{ output: ' my film.mp4 ', overwrite: true }, { output: { video: 'outbox/my film.mp4', overwrite: true } }],
    [{ output: 'outbox/x.mp4' }, { output: { video: 'outbox/x.mp4' } }],
    [
      { frameFormat: 'png', keepFrames: true, reuse: true },
      { reuse: true, output: { frameFormat: 'png', keepFrames: true } },
    ],
    [{ compute: 'container-apps', gpu: 'require' }, { compute: { kind: 'container-apps', gpu: 'require' } }],
  ])('of a video has %o, and the app takes it', (changes, part) => {
    const spec = specOf(draft(changes), VIDEO, undefined);
    expect(spec).toEqual({ input: { video: VIDEO.path }, model: 'starry-night', ...part });
    expect(refusal(spec)).toBe('');
  });

  test.each<[Partial<Draft>, object]>([
    [{ codec: 'vp9', quality: 'best', draw: true, onDamage: 'keep', frameFormat: 'ppm' }, {}],
    [{ output: 'mine/', frameFormat: 'jpg' }, { output: { images: 'outbox/mine/', frameFormat: 'jpg' } }],
    [
      { frameRate: '24', codec: 'vp9' },
      { input: { images: IMAGES.path, frameRate: 24 }, output: { codec: 'vp9' } },
    ],
    [{ frameRate: '24000/1001' }, { input: { images: IMAGES.path, frameRate: '24000/1001' } }],
  ])('of pictures has %o, and the app takes it', (changes, part) => {
    const spec = specOf(draft(changes), IMAGES, undefined);
    expect(spec).toEqual({ input: { images: IMAGES.path }, model: 'starry-night', ...part });
    expect(refusal(spec)).toBe('');
  });

  test.each<[Partial<Draft>, keyof Draft]>([
    [{ maxParallel: 'many' }, 'maxParallel'],
    [{ maxParallel: '0' }, 'maxParallel'],
    [{ batchSize: '1.5' }, 'batchSize'],
    [{ tolerate: 'some' }, 'tolerate'],
    [{ tolerate: '200%' }, 'tolerate'],
    [{ output: 'film.gif' }, 'output'],
    [{ output: 'a/../b.mp4' }, 'output'],
    [{ codec: 'ffv1', output: 'film.mp4' }, 'output'],
    [{ model: 'no such/model' }, 'model'],
  ])('that the app refuses for %o says so beside the field', (changes, field) => {
    const sentence = refusal(specOf(draft(changes), VIDEO, undefined));
    expect(sentence).not.toBe('');
    expect([sentence, fieldOf(sentence)]).toEqual([sentence, field]);
  });

  test.each(['x', '24 fps', '-1'])('that the app refuses for the frame rate "%s" says so beside it', (frameRate) => {
    expect(fieldOf(refusal(specOf(draft({ frameRate }), IMAGES, undefined)))).toBe('frameRate');
  });

  test('is told of an upload by its name at home, beside where that was chosen', () => {
    const uploads = [
      { field: 'input', path: VIDEO.path, name: 'Küste $& 1.mp4' },
      { field: 'style', path: 'styles/abcdefgh/waves.jpg', name: 'waves.jpg' },
    ] as const;
    expect(saidOf(`${VIDEO.path} is empty (0 bytes); copy or upload it again.`, uploads)).toEqual({
      field: 'input',
      message: 'Küste $& 1.mp4 is empty (0 bytes); copy or upload it again.',
    });
    expect(saidOf('styles/abcdefgh/waves.jpg is no picture.', uploads).field).toBe('style');
    const folder = { field: 'input', path: IMAGES.path, name: 'trip' } as const;
    expect(saidOf(`${IMAGES.path}a.jpg differs.`, [folder])).toEqual({
      field: 'input',
      message: 'trip/a.jpg differs.',
    });
    expect(saidOf('Too much runs already.', uploads).field).toBeUndefined();
  });

  test('of which the app refuses something else says so beside none', () => {
    expect(fieldOf('Too much runs already; try again in a minute.')).toBeUndefined();
  });
});
