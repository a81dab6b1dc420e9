import { describe, expect, test } from 'vitest';
import { renderTrace, summarizeTrace } from '../../../src/cli/trace/summary.js';
import { buildTrace } from '../../../src/cli/trace/tree.js';
import type { TelemetryRecord } from '../../../src/telemetry/records.js';
import { event, JOB, jobRecords, TRACE } from '../../support/trace.js';

const traceOf = (records: TelemetryRecord[]) => {
  const trace = buildTrace(records, 0);
  if (!trace) throw new Error('There is no trace.');
  return trace;
};
const summaryOf = (records: TelemetryRecord[]) => summarizeTrace(traceOf(records));
const textOf = (records: TelemetryRecord[]) => renderTrace(traceOf(records));

describe('the summary of a trace', () => {
  test('shares the time of the job out among its steps, in their order', () => {
    const { seconds, steps } = summaryOf(jobRecords({ lanes: 2, batches: 3 }));
    expect(seconds).toBe(16);
    expect(steps.map(({ name, count, seconds: each }) => [name, count, each])).toEqual([
      ['before the first step', 1, 0.3],
      ['prepareJob', 1, 0.7],
      ['splitVideo', 1, 1],
      ['scoreLane', 2, 12],
      ['stitchVideo', 1, 1.5],
      ['finishJob', 1, 0.5],
    ]);
    expect(steps.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 6);
  });

  test('counts lanes as lanes whose calls nobody reported, because the job was ended from outside', () => {
    const records = jobRecords({ lanes: 2, batches: 1 }).map((record) =>
      record.name === 'orchestration:scoreLane'
        ? { ...record, parentId: `never reported ${record.id}` }
        : record.name === 'orchestration:scoreJob'
          ? { ...record, ok: false }
          : record,
    );
    const trace = traceOf(records);
    expect(summarizeTrace(trace).steps.find(({ name }) => name === 'scoreLane')).toMatchObject({
      count: 2,
      seconds: 4,
    });
    expect(summarizeTrace(trace).steps.map(({ name }) => name)).not.toContain('between steps');
    expect(trace.notes).toEqual([]);
  });

  test('adds up activities by name', () => {
    const { activities } = summaryOf(jobRecords({ lanes: 2, batches: 3 }));
    const settle = activities.find(({ name }) => name === 'settleBatch');
    expect(settle).toMatchObject({ count: 6, failed: 0 });
    expect(settle?.seconds).toBeCloseTo(6 * 0.38, 6);
    expect(settle?.longest).toBeCloseTo(0.38, 6);
    expect(settle?.waited).toBeCloseTo(6 * 0.02, 6);
  });

  test('has every attempt with its phases, in their order', () => {
    const { attempts, phases } = summaryOf(jobRecords({ lanes: 2, batches: 2 }));
    expect(attempts.map(({ batch, attempt }) => [batch, attempt])).toEqual([
      ['0', '1'],
      ['1', '1'],
      ['2', '1'],
      ['3', '1'],
    ]);
    expect(attempts[0]?.phases).toMatchObject({ pulled: 0.1, modelLoaded: 0.4, lastItem: 2.1 });
    expect(phases.map(({ name }) => name)).toEqual([
      'queued',
      'pulled',
      'started',
      'modelLoaded',
      'firstItem',
      'lastItem',
      'stored',
    ]);
    expect(phases.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 6);
  });

  test('names what took longest, without what only waits', () => {
    const { longest } = summaryOf(jobRecords({ lanes: 1, batches: 1 }));
    expect(longest[0]).toMatchObject({ label: 'lastItem of attempt 1 of batch 0', seconds: 2.1 });
    expect(longest[0]?.share).toBeCloseTo(2.1 / 8, 6);
    expect(longest.map(({ label }) => label)).not.toContain('timer');
  });
});

describe('the table of a trace', () => {
  test('begins with the job, how it ended and how long it took', () => {
    const text = textOf(jobRecords({ lanes: 2, batches: 2 }));
    expect(text.split('\n')[0]).toBe(`Job ${JOB}: done in 12.0 s (trace ${TRACE})`);
    expect(text).toMatch(/stitchVideo\W+1\W+1\.5\W+13 %/);
  });

  test('has a line for each attempt while they are few', () => {
    const text = textOf(jobRecords({ lanes: 2, batches: 4 }));
    for (let batch = 0; batch < 8; batch += 1) expect(text).toMatch(new RegExp(`^│ +${batch} │ +1 │`, 'm'));
  });

  test('stays short when a job has many batches, and shows those that failed', () => {
    const records = jobRecords({ lanes: 4, batches: 15 }).map((record) =>
      record.type === 'span' && record.name === 'attempt' && record.dimensions.batch === '37'
        ? { ...record, ok: false }
        : record,
    );
    const text = textOf(records);
    expect(text.split('\n').length).toBeLessThan(90);
    expect(text).toMatch(/^│ +37 │ 1 failed │/m);
    expect(text).toMatch(/40 more attempts/);
  });

  test('fits a terminal of a hundred columns', () => {
    const widest = Math.max(
      ...textOf(jobRecords({ lanes: 4, batches: 15 }))
        .split('\n')
        .map((line) => line.length),
    );
    expect(widest).toBeLessThanOrEqual(100);
  });

  test('says why the job and its attempts failed', () => {
    const records = jobRecords({ lanes: 1, batches: 1 }).map((record): TelemetryRecord => {
      const failed = { outcome: 'failed', message: `The ${record.name} is lost.` };
      if (record.type === 'event') return { ...record, dimensions: { ...record.dimensions, ...failed } };
      return record.name === 'attempt' ? { ...record, ok: false } : record;
    });
    const text = textOf(records);
    expect(text).toMatch(/^Job .*failed in.*\nThe job\.ended is lost\.$/m);
    expect(text).toContain('Batch 0, attempt 1: The attempt.ended is lost.');
  });

  test('says what is missing', () => {
    expect(textOf(jobRecords({ lanes: 1, batches: 1 }).filter(({ name }) => name !== 'attempt'))).toMatch(
      /never reported/,
    );
  });

  test('of a job that was cancelled before anything ran', () => {
    const text = textOf([...jobRecords({ lanes: 1, batches: 1 }).slice(0, 3), event('job.cancelled', 1)]);
    expect(text).toContain('cancelled');
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });

  test('lets no name steer the terminal', () => {
    const records = jobRecords({ lanes: 1, batches: 1 }).map((record) => ({
      ...record,
      name: record.name.replace('activity:splitVideo', 'activity:\u001B[31m\u202Esplit\u0007\r\nVideo'),
    }));
    // eslint-disable-next-line no-control-regex
    expect(textOf(records)).not.toMatch(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u202E]/);
  });
});
