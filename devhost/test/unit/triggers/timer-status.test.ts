import { describe, expect, it } from 'vitest';
import { parseSchedule } from '../../../src/triggers/ncrontab.js';
import { parseStatus, statusAfterRun, statusAtStart, statusMembers } from '../../../src/triggers/timer-status.js';

const at = (time: string) => new Date(`2026-01-01T${time}Z`);
const hourly = parseSchedule('0 0 * * * *');
const status = (last: string | undefined, next: string, lastUpdated = last ?? '00:00:00') => ({
  last: last === undefined ? undefined : at(last),
  next: at(next),
  lastUpdated: at(lastUpdated),
});

describe('when the host starts', () => {
  it('a timer that it does not know waits for its next time', () => {
    expect(statusAtStart(hourly, undefined, at('10:30:00'))).toEqual({
      status: status(undefined, '11:00:00', '10:30:00'),
      isPastDue: false,
    });
  });

  it.each([
    ['before its time', '10:59:59', false],
    ['at its time', '11:00:00', false],
    ['a moment after its time', '11:00:00.001', true],
    ['after many of its times', '23:30:00', true],
  ])('a timer that ran is past due only where a time went by: %s', (_, now, isPastDue) => {
    const stored = status('10:00:00', '11:00:00');
    expect(statusAtStart(hourly, stored, at(now))).toEqual({ status: stored, isPastDue });
  });

  it('a timer that never ran is past due when its first time went by', () => {
    const stored = status(undefined, '11:00:00', '10:30:00');
    expect(statusAtStart(hourly, stored, at('11:30:00'))).toEqual({ status: stored, isPastDue: true });
  });

  it('a time that was missed under another schedule is not caught up with', () => {
    const stored = status('10:00:00', '10:05:00');
    expect(statusAtStart(hourly, stored, at('12:30:00'))).toEqual({
      status: status(undefined, '13:00:00', '12:30:00'),
      isPastDue: false,
    });
  });

  it('a new schedule is reckoned from the last run where its time is still to come', () => {
    const stored = status('10:00:00', '10:05:00');
    expect(statusAtStart(hourly, stored, at('10:30:00'))).toEqual({
      status: status(undefined, '11:00:00', '10:00:00'),
      isPastDue: false,
    });
  });

  it('a time span counts from the last run', () => {
    const stored = status('10:00:30', '10:05:30');
    const schedule = parseSchedule('00:05:00');
    expect(statusAtStart(schedule, stored, at('10:05:00')).isPastDue).toBe(false);
    expect(statusAtStart(schedule, stored, at('10:05:31'))).toEqual({ status: stored, isPastDue: true });
  });
});

describe('after a run', () => {
  it('on schedule, the next time follows', () => {
    const after = statusAfterRun(hourly, status('10:00:00', '11:00:00'), at('11:00:00.004'), true);
    expect(after).toEqual(status('11:00:00.004', '12:00:00'));
  });

  it('that began a moment early, its own time does not come again', () => {
    const after = statusAfterRun(hourly, status('10:00:00', '11:00:00'), at('10:59:59.998'), true);
    expect(after).toEqual(status('11:00:00', '12:00:00'));
  });

  it('that caught up, or came with the start, its time still comes', () => {
    const after = statusAfterRun(hourly, status('10:00:00', '11:00:00'), at('10:30:00'), false);
    expect(after).toEqual(status('10:30:00', '11:00:00'));
  });

  it('that caught up with many times, one status stands for them all', () => {
    const caughtUp = statusAfterRun(hourly, status('02:00:00', '03:00:00'), at('10:30:00'), false);
    expect(statusAtStart(hourly, caughtUp, at('10:59:00'))).toEqual({ status: caughtUp, isPastDue: false });
  });
});

describe('a stored status', () => {
  it.each([status('10:00:00', '11:00:00'), status(undefined, '11:00:00', '10:30:00.250')])(
    'is read as it was written: %j',
    (each) => expect(parseStatus(JSON.stringify(statusMembers(each)))).toEqual(each),
  );

  it("of the real host is read, seven digits of a second and .NET's first moment included", () => {
    const text =
      '{"Last":"0001-01-01T00:00:00","Next":"2026-01-01T11:00:00+00:00","LastUpdated":"2026-01-01T10:00:00.1234567+00:00"}';
    expect(parseStatus(text)).toEqual(status(undefined, '11:00:00', '10:00:00.123'));
  });

  it.each(['', 'null', '{}', '[]', '{"Last":"x","Next":"y"}', '{"Next":"2026-01-01T11:00:00Z"}', '{"Next":7}'])(
    'that is none is as if there were none: %s',
    (text) => expect(parseStatus(text)).toBeUndefined(),
  );
});
