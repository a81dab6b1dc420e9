import { expect, test } from 'vitest';
import { isJobId, makeJobId } from '../../../src/job/spec.js';

test.each([
  ['inbox/coast.mp4', 'coast-abcd2345'],
  ['inbox/x/My Holiday (2026).MOV', 'my-holiday-2026-abcd2345'],
  ['inbox/日本.mp4', 'job-abcd2345'],
  ['inbox/---.mp4', 'job-abcd2345'],
  [`inbox/${'long'.repeat(20)}.mp4`, 'longlonglonglonglonglong-abcd2345'],
])('the id of a job on %s is %s', (input, id) => {
  expect(makeJobId(input, 'abcd2345')).toBe(id);
  expect(isJobId(id)).toBe(true);
});

test.each(['', 'A-b', 'a--b', '-ab', 'ab-', 'a/b', '../etc', 'a'.repeat(60), 'ab_c'])(
  '"%s" is not a job id',
  (text) => {
    expect(isJobId(text)).toBe(false);
  },
);
