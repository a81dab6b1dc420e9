import { expect, test } from 'vitest';
import type { JobStatus } from '../../../src/api/jobs.js';
import { bottleneckOf, renderSeconds, renderSummary, summarise } from '../../../src/cli/score/summary.js';
import { describeTime } from '../../../src/job/attempts/bottleneck.js';

const status: JobStatus = {
  id: 'coast-k3v9q2xa',
  run: 1,
  cancelled: null,
  cost: null,
  bottleneck: null,
  state: 'done',
  stage: 'finish',
  items: { total: 168, done: 168, failed: 0 },
  batches: { total: 2, pending: 0, running: 0, done: 2, failed: 0 },
  attempts: 2,
  retries: 1,
  ranOn: { local: 2 },
  waiting: [],
  itemsPerSecond: 7.6,
  framesPerSecond: 7.6,
  secondsLeft: null,
  containerTime: describeTime({ storage: 6, inference: 94 }),
  phases: {},
  stages: { score: 22 },
  warnings: [],
  error: null,
  output: 'outbox/coast.mp4',
  predictions: null,
  createdAt: '2026-11-23T06:00:00.000Z',
  spec: null,
  reportedAt: null,
};
const summaryOf = (containerTime: JobStatus['containerTime']) =>
  summarise(
    { ...status, containerTime },
    { start: 1, upload: 1, download: 1, total: 25 },
    { output: 'coast-painted.mp4', predictions: null, contactSheet: null },
  );

test('the summary of a job names the bottleneck, and its JSON has the shares', () => {
  const summary = summaryOf(status.containerTime);
  expect(renderSummary(summary)).toContain('94 % of the container time is inference; 6 % waits for storage.');
  expect(summary.containerTime).toMatchObject({ percent: { inference: 94, storage: 6 } });
});

test('the summary says nothing of containers when none ran', () => {
  expect(renderSummary(summaryOf(null))).not.toMatch(/container time|%/);
});

test('the summary says what would help where most of the time went', () => {
  const bottleneck = '88 % of the time went into making the output video.';
  const files = { output: 'coast-painted.mp4', predictions: null, contactSheet: null };
  const said = (own: { start: number; upload: number; download: number; total: number }) =>
    renderSummary(summarise({ ...status, bottleneck }, own, files));
  expect(said({ start: 1, upload: 1, download: 1, total: 25 })).toContain(`Bottleneck: ${bottleneck}`);
  // What the command does itself the app does not know.
  expect(said({ start: 1, upload: 60, download: 1, total: 87 })).toMatch(
    /^Bottleneck: 69 % of the time went into upl/m,
  );
  expect(said({ start: 1, upload: 1, download: 60, total: 87 })).toMatch(/^Bottleneck: 69 % .* saving the result/m);
  expect(said({ start: 5, upload: 1, download: 1, total: 9 })).toMatch(/^Bottleneck: 56 % .*"npm start"/m);
});

test('what would help a folder of images is nothing that only a video has', () => {
  const own = { start: 0, upload: 1, download: 1, total: 10 };
  const said = (more: Partial<typeof own>, predictions: string | null = null) =>
    bottleneckOf({ bottleneck: null, predictions }, { ...own, ...more }, 'images');
  expect(said({ upload: 9 })).toMatch(/^90 % of the time went into uploading\. .*input\.images/);
  expect(said({ download: 9 })).toMatch(/saving the result\. .*frameFormat jpg/);
  expect(said({ download: 9 }, 'outbox/a/')).toBe('90 % of the time went into saving the result.');
  for (const each of [said({ upload: 9 }), said({ download: 9 })]) expect(each).not.toMatch(/video/);
});

test("says which time is the command's own: a job that it went on with may have taken longer", () => {
  const rows = renderSeconds({ seconds: { start: 3, score: 74.4, download: 0.3 }, totalSeconds: 33 }).split('\n');
  expect(rows.at(-2)).toMatch(/this command +│ +33\.0/);
});
