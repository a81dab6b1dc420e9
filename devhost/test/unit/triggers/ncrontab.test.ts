import { describe, expect, it } from 'vitest';
import { parseSchedule } from '../../../src/triggers/ncrontab.js';

/** The first times after a Thursday's midnight. */
const runs = (schedule: string, from = '2026-01-01T00:00:00Z', count = 3): string[] => {
  const { next } = parseSchedule(schedule);
  const times: Date[] = [new Date(from)];
  for (let each = 0; each < count; each++) times.push(next(times.at(-1) ?? new Date()));
  return times.slice(1).map((time) => time.toISOString().replace(':00.000Z', '').replace('.000Z', ''));
};

describe('a schedule', () => {
  it.each([
    ['* * * * * *', ['2026-01-01T00:00:01', '2026-01-01T00:00:02', '2026-01-01T00:00:03']],
    ['0 */5 * * * *', ['2026-01-01T00:05', '2026-01-01T00:10', '2026-01-01T00:15']],
    ['*/5 * * * *', ['2026-01-01T00:05', '2026-01-01T00:10', '2026-01-01T00:15']],
    ['0 50/5 * * * *', ['2026-01-01T00:50', '2026-01-01T00:55', '2026-01-01T01:50']],
    ['15,45 59 23 * * *', ['2026-01-01T23:59:15', '2026-01-01T23:59:45', '2026-01-02T23:59:15']],
    ['0 0 9-17/4 * * Mon-Fri', ['2026-01-01T09:00', '2026-01-01T13:00', '2026-01-01T17:00']],
    ['0 0 0 * * 0', ['2026-01-04T00:00', '2026-01-11T00:00', '2026-01-18T00:00']],
    ['0 0 0 * * sunday', ['2026-01-04T00:00', '2026-01-11T00:00', '2026-01-18T00:00']],
    ['0 0 0 31 * *', ['2026-01-31T00:00', '2026-03-31T00:00', '2026-05-31T00:00']],
    ['0 0 0 29 2 *', ['2028-02-29T00:00', '2032-02-29T00:00', '2036-02-29T00:00']],
    ['0 0 0 1 Jan,JUL *', ['2026-07-01T00:00', '2027-01-01T00:00', '2027-07-01T00:00']],
    ['  0   30  12 * * *  ', ['2026-01-01T12:30', '2026-01-02T12:30', '2026-01-03T12:30']],
    ['0 5-3 * * * *', ['2026-01-01T00:03', '2026-01-01T00:04', '2026-01-01T00:05']],
    ['00:05:00', ['2026-01-01T00:05', '2026-01-01T00:10', '2026-01-01T00:15']],
    ['1.00:00:00', ['2026-01-02T00:00', '2026-01-03T00:00', '2026-01-04T00:00']],
  ])('%s', (schedule, expected) => {
    expect(runs(schedule)).toEqual(expected);
  });

  it('of a day of the month and of the week means both, as NCRONTAB has it', () => {
    expect(runs('0 0 0 13 * Fri')).toEqual(['2026-02-13T00:00', '2026-03-13T00:00', '2026-11-13T00:00']);
  });

  it('goes over the century in which 2100 has no leap day', () => {
    expect(runs('0 0 0 29 2 *', '2096-03-01T00:00:00Z', 1)).toEqual(['2104-02-29T00:00']);
  });

  it('comes after a time between two seconds, never at it', () => {
    expect(runs('* * * * * *', '2026-01-01T00:00:00.001Z', 1)).toEqual(['2026-01-01T00:00:01']);
    expect(runs('0 0 0 1 1 *', '2025-12-31T23:59:59.999Z', 1)).toEqual(['2026-01-01T00:00']);
    expect(runs('0 0 0 1 1 *', '2026-01-01T00:00:00Z', 1)).toEqual(['2027-01-01T00:00']);
  });

  it('finds the same times as a walk through every second', () => {
    const schedule = parseSchedule('*/20 7,*/29 1-3 * * *');
    const end = Date.parse('2026-01-02T00:00:00Z');
    const walked: number[] = [];
    for (let time = Date.parse('2026-01-01T00:00:00Z'); time < end; time += 1000) {
      const at = new Date(time);
      const [hour, minute, second] = [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()];
      if (hour >= 1 && hour <= 3 && [0, 7, 29, 58].includes(minute) && second % 20 === 0) walked.push(time);
    }
    const found: number[] = [];
    for (let at = schedule.next(new Date('2025-12-31T23:59:59Z')); at.getTime() < end; at = schedule.next(at))
      found.push(at.getTime());
    expect(found).toEqual(walked);
  });
});

it.each([
  ['0 0 * * * *', true],
  ['30 * * * * *', true],
  ['* 1-5 * * * *', true],
  ['* * 12 * * Mon', true],
  ['*/30 * * * * *', false],
  ['* * * * * *', false],
  ['00:01:00', true],
  ['00:00:59', false],
])('whether the host remembers the runs of %s: %s', (schedule, isMonitored) => {
  expect(parseSchedule(schedule).isMonitored).toBe(isMonitored);
});

it.each([
  ['', /six fields/],
  ['* * * *', /six fields.*time span/],
  ['* * * * * * *', /six fields/],
  ['@daily', /six fields/],
  ['60 * * * * *', /"60" is no second: it takes 0 to 59/],
  ['* * 24 * * *', /"24" is no hour/],
  ['* * * 0 * *', /"0" is no day: it takes 1 to 31/],
  ['* * * * 13 *', /"13" is no month.*"Jan"/],
  ['* * * * * 7', /"7" is no day of week/],
  ['* * * * Foo *', /"Foo" is no month/],
  ['* * * L * *', /"L" is no day/],
  ['* * * ? * *', /"\?" is no day/],
  ['* */0 * * * *', /"\*\/0" is no minute/],
  ['* *-5 * * * *', /"\*-5" is no minute/],
  ['* 1- * * * *', /"1-" is no minute/],
  ['* -1 * * * *', /"-1" is no minute/],
  ['* 1,,2 * * * *', /"" is no minute/],
  ['0 0 0 30 2 *', /no year has such a day/],
  ['0 0 0 31 4,6,9,11 *', /no year has such a day/],
  ['00:00:00', /no time span/],
  ['25:00:00', /no time span/],
])('the schedule "%s" is refused with its reason', (schedule, reason) => {
  expect(() => parseSchedule(schedule)).toThrow(reason);
});
