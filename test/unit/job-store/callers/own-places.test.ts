import { expect, test } from 'vitest';
import { parseSpec } from '../../../../src/job/spec.js';
import { whatIsOutside } from '../../../../src/job-store/callers/own-places.js';

const ME = 'key-0123';
const outside = (spec: object) => whatIsOutside(ME, parseSpec(JSON.stringify({ model: 'm', ...spec })));
const video = `inbox/_uploads/${ME}/abc/a.mp4`;
const images = `inbox/_uploads/${ME}/abc/`;

test.each<[string, object]>([
  ['a video', { input: { video } }],
  ['images with a list', { input: { images, list: `${images}list.txt` } }],
  ['what an earlier job failed to score', { input: { images, list: { failedItemsOf: 'coast-k3v9q2xa' } } }],
  ['frames with sound', { input: { images, frameRate: 24, audio: `${images}a.wav` } }],
  ['styles', { input: { video }, style: `styles/${ME}/wave.jpg` }],
  ['a style among the uploads', { input: { video }, style: `inbox/_uploads/${ME}/wave.jpg` }],
  ['outputs', { input: { video }, output: { video: `outbox/${ME}/a.mp4` } }],
])('a caller may name its own %s', (_, spec) => {
  expect(outside(spec)).toBeUndefined();
});

test.each<[string, object]>([
  ['input.video', { input: { video: 'inbox/coast.mp4' } }],
  ['input.video', { input: { video: 'inbox/_uploads/key-9999/abc/a.mp4' } }],
  ['input.video', { input: { video: `inbox/_uploads/${ME}0/a.mp4` } }],
  ['input.video', { input: { video: `inbox/${ME}/a.mp4` } }],
  ['input.images', { input: { images: 'inbox/_uploads/' } }],
  ['input.images', { input: { images: 'inbox/_uploads' } }],
  ['input.images', { input: { images: 'inbox/_uploads/key-' } }],
  ['input.audio', { input: { images, frameRate: 24, audio: 'inbox/_uploads/key-9999/a.wav' } }],
  ['input.list', { input: { images, list: 'inbox/_uploads/key-9999/list.txt' } }],
  ['style', { input: { video }, style: 'styles/wave.jpg' }],
  ['style', { input: { video }, style: `styles/key-9999/${ME}/wave.jpg` }],
  ['output.video', { input: { video }, output: { video: 'outbox/a.mp4' } }],
  ['output.images', { input: { images }, output: { images: 'outbox/key-9999/a' } }],
  ['output.predictions', { input: { video }, output: { predictions: `outbox/${ME}a/` } }],
])('a caller may not name what is another’s as %s: %j', (member, spec) => {
  expect(outside(spec)).toMatch(new RegExp(`^"${member.replace('.', '\\.')}" must be below .*/${ME}/`));
});
