import { describe, expect, test } from 'vitest';
import { uploadRequestSchema } from '../../../src/api/uploads.js';

const isAsked = (request: object) => uploadRequestSchema.safeParse(request).success;

describe('an upload into the inbox', () => {
  test.each([
    { name: 'coast.mp4' },
    { name: '_READY', folder: 'shots/7' },
    { name: '_defaults.json', folder: 'a' },
    { name: 'Tag am Meer.job.json', folder: 'Ferien 2026/東京' },
  ])('may be %j', (more) => {
    expect(isAsked({ kind: 'inbox', ...more })).toBe(true);
  });

  test.each([
    { name: '' },
    { name: 'a/b.mp4' },
    { name: '..' },
    { name: 'a.' },
    { name: 'bell\u0007.mp4' },
    { name: 'a?b.mp4' },
    { name: 'a.mp4', folder: '' },
    { name: 'a.mp4', folder: '../models' },
    { name: 'a.mp4', folder: '/a' },
    { name: 'a.mp4', folder: 'a/' },
    { name: 'a.mp4', folder: 'a\\b' },
    { name: 'a.mp4', more: 1 },
  ])('may not be %j', (more) => {
    expect(isAsked({ kind: 'inbox', ...more })).toBe(false);
  });
});

test('an upload of images goes on only where requests upload', () => {
  const images = { kind: 'images', name: 'a', names: ['b.jpg'] };
  expect(isAsked({ ...images, path: 'inbox/_uploads/abcd2345/a/' })).toBe(true);
  for (const path of ['inbox/abcd2345/a/', 'inbox/a/', 'outbox/_uploads/abcd2345/a/', 'inbox/_uploads/abcd2345/../a/'])
    expect(isAsked({ ...images, path }), path).toBe(false);
});

test('an upload of a video goes on only where requests upload', () => {
  const video = { kind: 'video', name: 'a.mp4' };
  for (const path of ['inbox/_uploads/abcd2345/a.mp4', 'inbox/_uploads/key-1a/abcd2345/a.mp4'])
    expect(isAsked({ ...video, path }), path).toBe(true);
  for (const path of ['inbox/a.mp4', 'inbox/_uploads/abcd2345/', 'inbox/_uploads/abcd2345/../a.mp4', 'outbox/a.mp4'])
    expect(isAsked({ ...video, path }), path).toBe(false);
  expect(isAsked({ kind: 'model', name: 'a.onnx', path: 'inbox/_uploads/abcd2345/a.onnx' })).toBe(false);
});
