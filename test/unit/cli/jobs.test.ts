import { describe, expect, test } from 'vitest';
import type { JobStatus, ListedJob } from '../../../src/api/jobs.js';
import { renderJobs } from '../../../src/cli/jobs/jobs.js';
import { noBatch } from '../../../src/cli/jobs/open.js';
import { renderStatus } from '../../../src/cli/jobs/status.js';
import { ageInWords, costInWords } from '../../../src/cli/jobs/words.js';

const now = Date.parse('2026-11-27T12:00:00Z');

const listed: ListedJob = {
  id: 'coast-k3v9q2xa',
  run: 1,
  state: 'running',
  stage: 'score',
  items: { total: 240, done: 120, failed: 0 },
  itemsPerSecond: 36.42,
  secondsLeft: 4,
  output: null,
  createdAt: '2026-11-27T11:57:00Z',
  cost: { soFar: 0.0042, inAll: null },
  now: 'scores 240 items in 8 batches, 3 at a time',
  input: 'inbox/a.mp4',
  model: 'starry-night',
  compute: 'aci',
  endedAt: null,
  thumbnail: null,
};

const status: JobStatus = {
  ...listed,
  batches: { total: 8, pending: 2, running: 3, done: 3, failed: 0 },
  attempts: 4,
  retries: 1,
  ranOn: { local: 4 },
  waiting: ['Batch 3: no room'],
  framesPerSecond: 36.42,
  containerTime: null,
  phases: {},
  stages: {},
  warnings: ['It was cut.'],
  error: null,
  bottleneck: null,
  cancelled: null,
  predictions: null,
  spec: null,
  reportedAt: null,
};

describe('a batch that a job has not got', () => {
  const batches = { total: 0, pending: 0, running: 0, done: 0, failed: 0 };

  test.each(['queued', 'running'] as const)('may come while the job is %s', (state) => {
    expect(noBatch({ ...status, state, batches }, 0)).toMatch(/^Job coast-k3v9q2xa has no batches yet; /);
  });

  test.each(['done', 'failed', 'cancelled'] as const)('will not come once the job ended as %s', (state) => {
    expect(noBatch({ ...status, state, batches }, 0)).toMatch(`ended as ${state} before it had batches`);
  });

  test('is told from one that it has', () => {
    expect(noBatch(status, 8)).toMatch(/^Job coast-k3v9q2xa has 8 batches, counted from 0, so there is no batch 8\.$/);
    expect(noBatch(status, 7)).toBeUndefined();
  });
});

describe('the list of jobs', () => {
  test('has a line for each: id, state, items, rate, age, cost, and what it does', () => {
    const [head, line] = renderJobs([listed], { now, columns: undefined }).split('\n');
    expect(head?.split(/ {2,}/)).toEqual(['JOB', 'STATE', 'ITEMS', 'RATE', 'AGE', 'COST', 'NOW']);
    for (const part of [listed.id, 'running', '120/240', '36.4/s', '3 min', '$0.0042', listed.now])
      expect(line).toContain(part);
  });

  test('leaves out what nobody knows, and cuts what a terminal has no room for', () => {
    const unknown = { ...listed, items: { total: 0, done: 0, failed: 0 }, itemsPerSecond: null, cost: null };
    const lines = renderJobs([{ ...unknown, now: 'failed: '.repeat(40) }], { now, columns: 80 }).split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[1]).not.toMatch(/0\/0|null|\$/);
    expect(lines[1]?.endsWith('…')).toBe(true);
    expect(lines[1]?.length).toBeLessThan(80);
  });

  test('is not steered by what a job says', () => {
    const text = renderJobs([{ ...listed, now: 'failed:\n\u001b]0;title\u0007' }], { now, columns: undefined });
    expect(text.split('\n')).toHaveLength(2);
    expect(text).not.toContain('\u001b');
  });
});

describe('a job in words', () => {
  test('says what it does, how far it is, what it waits for, and what one may do next', () => {
    const said = renderStatus(status, now);
    for (const part of [/^Job: +coast-k3v9q2xa: running$/m, /^Now: +scores$/m, /120 of 240 done/, /36\.4 items\/s/])
      expect(said).toMatch(part);
    for (const part of [/8 batches: 3 done, 3 running, 2 to come, 4 container runs ended \(4 on local\), 1 retry$/m])
      expect(said).toMatch(part);
    for (const part of [/^Waits: +Batch 3: no room$/m, /^Warning: +It was cut\.$/m, /^Cost: +\$0\.0042$/m])
      expect(said).toMatch(part);
    expect(said).toMatch(/^Next: .*watch.* coast-k3v9q2xa$/m);
  });

  test('that has failed says why and whose failure that is', () => {
    const error = { kind: 'user', message: 'There is no model "x".' } as const;
    const said = renderStatus({ ...status, state: 'failed', run: 2, waiting: [], error }, now);
    expect(said).toMatch(/^Job: +coast-k3v9q2xa, run 2: failed$/m);
    expect(said).toMatch(/^Why: +There is no model "x"\. \(this is for you to mend\)$/m);
    expect(said).toMatch(/^Next: .*redrive/m);
    expect(said).not.toMatch(/^Now:/m);
  });

  test('that is done says where its output is', () => {
    const said = renderStatus({ ...status, state: 'done', waiting: [], output: 'outbox/a.mp4' }, now);
    expect(said).toMatch(/^Output: +outbox\/a\.mp4$/m);
    expect(said).toMatch(/^Next: .*--redrive coast-k3v9q2xa$/m);
  });
});

test.each([
  [0, '0 s'],
  [59, '59 s'],
  [60, '1 min'],
  [7199, '1 h'],
  [200_000, '2 d'],
  [-5, '0 s'],
])('what began %i seconds ago is %s old', (seconds, words) => {
  expect(ageInWords(new Date(now - seconds * 1000).toISOString(), now)).toBe(words);
});

test.each([
  [null, ''],
  [0, '$0.00'],
  [0.004_231, '$0.0042'],
  [12.345, '$12.35'],
])('a cost of %s is said as "%s"', (soFar, words) => {
  expect(costInWords(soFar === null ? null : { soFar, inAll: null })).toBe(words);
});
