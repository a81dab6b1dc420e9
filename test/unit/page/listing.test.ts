import { describe, expect, test } from 'vitest';
import type { ListedJob } from '../../../src/api/jobs.js';
import { append, changesIn, find, renew } from '../../../src/page/jobs/listing.js';

const job = (number: number, more: Partial<ListedJob> = {}): ListedJob => ({
  id: `job-${number}`,
  run: 1,
  state: 'done',
  stage: null,
  items: { total: 1, done: 1, failed: 0 },
  itemsPerSecond: null,
  secondsLeft: null,
  output: null,
  createdAt: new Date(number * 1000).toISOString(),
  cost: null,
  now: 'scored 1 item',
  input: `inbox/${number}.mp4`,
  model: 'starry-night',
  compute: 'local',
  endedAt: null,
  thumbnail: null,
  ...more,
});
const ids = (jobs: ListedJob[]) => jobs.map(({ id }) => Number(id.slice(4)));

describe('the list of jobs', () => {
  test('takes new jobs in, and keeps older pages', () => {
    const known = [job(5), job(4), job(3), job(2)];
    expect(ids(renew(known, { jobs: [job(7), job(6), job(5)], next: 'x' }))).toEqual([7, 6, 5, 4, 3, 2]);
  });

  test('shows of a job what was said last', () => {
    const [first] = renew([job(5, { state: 'running' }), job(4)], { jobs: [job(5)], next: 'x' });
    expect(first?.state).toBe('done');
  });

  test('lets go what is not among the newest any more, and all that is not there when there is nothing older', () => {
    expect(ids(renew([job(5), job(4), job(3)], { jobs: [job(6), job(4)], next: 'x' }))).toEqual([6, 4, 3]);
    expect(ids(renew([job(5), job(4)], { jobs: [job(5)], next: null }))).toEqual([5]);
    expect(ids(renew([job(5)], { jobs: [], next: null }))).toEqual([]);
  });

  test('keeps what it has when an answer had no room for any', () => {
    expect(ids(renew([job(5)], { jobs: [], next: 'x' }))).toEqual([5]);
  });

  test('has no job twice when it moved to an older page meanwhile', () => {
    expect(ids(append([job(3), job(2)], { jobs: [job(2), job(1)], next: null }))).toEqual([3, 2, 1]);
  });

  test.each([
    ['', [2, 1]],
    ['  BEACH ', [1]],
    ['beach candy', []],
    ['candy 2', [2]],
    ['.*', []],
  ])('is searched for each word of "%s"', (text, found) => {
    const jobs = [job(2, { model: 'Candy' }), job(1, { input: 'inbox/beach/' })];
    expect(ids(find(jobs, text))).toEqual(found);
  });

  test('tells of jobs that changed their state, and of no others', () => {
    const before = [job(3, { state: 'running' }), job(2, { state: 'running' }), job(1)];
    const after = [job(4), job(3), job(2, { state: 'running' }), job(1)];
    expect(changesIn(before, after, (path) => path.slice(6))).toBe('3.mp4 is done.');
  });
});
