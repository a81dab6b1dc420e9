import { expect, test } from 'vitest';
import { renderPreview, spread } from '../../../src/cli/score/preview.js';

test('a preview takes frames from the middle of equal parts, and no more than there are', () => {
  expect(spread(3, 168)).toEqual([28, 84, 140]);
  expect(spread(1, 10)).toEqual([5]);
  expect(spread(5, 3)).toEqual([0, 1, 2]);
  expect(spread(3, 0)).toEqual([]);
});

test('a preview says how long all would take on this machine', () => {
  const preview = { contactSheet: 'a.png', previewed: 3, items: 168, device: 'cpu', assumed: [], warnings: ['w'] };
  const said = renderPreview({ ...preview, seconds: { low: 84, high: 7200 } }, 'frame');
  expect(said).toMatch(
    /^Warning: w\n3 frames of about 168 on cpu\. .* this machine would take about 84 s to 2\.0 h\.\n/,
  );
});
