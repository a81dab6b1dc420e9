import { describe, expect, test } from 'vitest';
import { PHASES } from '../../../src/job/attempts/phases.js';
import { buildTrace, type Trace, type TraceSpan } from '../../../src/cli/trace/tree.js';
import type { TelemetryRecord } from '../../../src/telemetry/records.js';
import { activity, event, idOf, JOB, jobRecords, span, TRACE } from '../../support/trace.js';

const lines = (spans: TraceSpan[], depth = 0): string[] =>
  spans.flatMap((one) => [`${'  '.repeat(depth)}${one.label}`, ...lines(one.children, depth + 1)]);
const outline = (trace: Trace) => lines(trace.roots);
const traceOf = (records: TelemetryRecord[]) => {
  const trace = buildTrace(records, 0);
  if (!trace) throw new Error('There is no trace.');
  return trace;
};
const without = (records: TelemetryRecord[], ...names: string[]) => records.filter(({ name }) => !names.includes(name));

describe('the tree of a job', () => {
  test('goes from the request over lanes and batches to attempts and their phases', () => {
    expect(outline(traceOf(jobRecords({ lanes: 1, batches: 1 })))).toEqual([
      'POST /api/jobs',
      '  start scoreJob',
      '    create scoreJob',
      '      scoreJob',
      '        prepareJob',
      '        splitVideo',
      '        scoreLane 0',
      '          scoreBatch 0',
      '            launchBatch',
      '            attempt 1 of batch 0',
      '              queued',
      '              pulled',
      '              started',
      '              modelLoaded',
      '              firstItem',
      '              lastItem',
      '              stored',
      '            timer',
      '            observeBatch',
      '            settleBatch',
      '        stitchVideo',
      '        finishJob',
    ]);
  });

  test('says when an activity was called and when it ran in one row', () => {
    const [request] = traceOf([
      span('POST /api/jobs', [0, 3], { key: 'request' }),
      ...activity('prepareJob', [1, 2], idOf('request'), 'prepare'),
    ]).roots;
    expect(request?.children).toHaveLength(1);
    const [prepare] = request?.children ?? [];
    expect(
      prepare && [prepare.calledMs, prepare.startMs, prepare.endMs].map((ms) => (ms ?? NaN) - request!.startMs),
    ).toEqual([1000, 1020, 2000]);
  });

  test('does not depend on the order in which the files hold it', () => {
    const records = jobRecords({ lanes: 2, batches: 3 });
    expect(outline(traceOf(records.toReversed()))).toEqual(outline(traceOf(records)));
  });

  test('shows what is there twice once', () => {
    const records = jobRecords({ lanes: 2, batches: 2 });
    const once = traceOf(records);
    const twice = traceOf([...records, ...records]);
    expect(outline(twice)).toEqual(outline(once));
    expect(twice.notes).toEqual([]);
    const events = (spans: TraceSpan[]): number =>
      spans.reduce((sum, one) => sum + one.events.length + events(one.children), 0);
    expect(events(twice.roots)).toBe(5);
  });

  test('says how the job ended, and how long it took from request to end', () => {
    const records = jobRecords({ lanes: 2, batches: 3 });
    expect(traceOf(records)).toMatchObject({ job: JOB, traceId: TRACE, state: 'done', notes: [] });
    const trace = traceOf(records);
    expect(trace.endMs - trace.startMs).toBe(16_000);
    const failed = [
      ...without(records, 'job.ended'),
      event('job.ended', 16, { dimensions: { job: JOB, outcome: 'failed' } }),
    ];
    expect(traceOf(failed).state).toBe('failed');
  });

  test('has lanes in the order of their numbers, whichever started first', () => {
    const records = jobRecords({ lanes: 3, batches: 1 }).map((record) =>
      record.type === 'span' && record.dimensions['durabletask.task.instance_id'] === `${JOB}-lane-02`
        ? { ...record, start: '2026-11-26T10:00:01.900Z' }
        : record,
    );
    expect(outline(traceOf(records)).filter((line) => line.includes('scoreLane'))).toEqual([
      '        scoreLane 0',
      '        scoreLane 1',
      '        scoreLane 2',
    ]);
  });

  test('there is none without spans', () => {
    expect(buildTrace([], 0)).toBeUndefined();
    expect(buildTrace([event('job.started', 0)], 0)).toBeUndefined();
  });
});

describe('what is missing is said, and the rest is shown', () => {
  test('spans whose parent was never reported hang below a row that says so', () => {
    const trace = traceOf(
      without(jobRecords({ lanes: 2, batches: 1 }), 'orchestration:scoreLane', 'orchestration:scoreBatch'),
    );
    expect(outline(trace).filter((line) => /not reported/.test(line))).toEqual([
      '        batch 0 (not reported)',
      '        batch 1 (not reported)',
    ]);
    expect(trace.notes.join(' ')).toMatch(/2 spans .*never reported/);
    expect(outline(trace)).toContain('          attempt 1 of batch 1');
  });

  test('a job whose end nobody reported', () => {
    const trace = traceOf(without(jobRecords({ lanes: 1, batches: 1 }), 'job.ended', 'orchestration:scoreJob'));
    expect(trace.state).toBe('not ended');
    expect(trace.notes.join(' ')).toMatch(/end of the job was not reported/);
    expect(outline(trace).slice(2, 5)).toEqual([
      '    create scoreJob',
      '      scoreJob (not reported)',
      '        prepareJob',
    ]);
  });

  test('a job that was cancelled while containers ran', () => {
    const records = without(jobRecords({ lanes: 1, batches: 1 }), 'job.ended', 'orchestration:scoreJob', 'attempt');
    const trace = traceOf([...records, event('job.cancelled', 3)]);
    expect(trace.state).toBe('cancelled');
    expect(outline(trace)).toContain('  batch 0, attempt 1 (not reported)');
  });

  test('containers that were launched, and whose end nobody reported', () => {
    const trace = traceOf(without(jobRecords({ lanes: 2, batches: 1 }), 'attempt', ...PHASES, 'activity:settleBatch'));
    expect(trace.notes.join(' ')).toMatch(/2 batches launched a container whose end was not reported/);
  });

  test('lines that could not be read', () => {
    expect(buildTrace(jobRecords({ lanes: 1, batches: 1 }), 2)?.notes.join(' ')).toMatch(
      /2 lines .* could not be read/,
    );
  });

  test('one of the files', () => {
    const records = jobRecords({ lanes: 1, batches: 1 });
    expect(traceOf(records.filter(({ role }) => role === 'host')).notes.join(' ')).toMatch(/app reported nothing/);
    expect(traceOf(records.filter(({ role }) => role !== 'host')).notes.join(' ')).toMatch(/host reported nothing/);
  });

  test('containers whose clock differs, which leave the length of the job as it is', () => {
    const shifted = jobRecords({ lanes: 1, batches: 1 }).map((record) =>
      record.type === 'span' && record.role === 'scorer'
        ? { ...record, start: later(record.start), end: later(record.end) }
        : record,
    );
    const trace = traceOf(shifted);
    expect(trace.notes.join(' ')).toMatch(/clocks differ by at least 119\.\d s/);
    expect(trace.endMs - trace.startMs).toBe(8000);
  });

  test('a lane that went on when its job was ended from outside says nothing of clocks', () => {
    const ended = jobRecords({ lanes: 1, batches: 1 }).map((record) =>
      record.name === 'orchestration:scoreJob' ? { ...record, end: '2026-11-26T10:00:03.000Z', ok: false } : record,
    );
    expect(traceOf(ended).notes).toEqual([]);
  });

  test('a span that ends before it starts takes no time', () => {
    const [one] = traceOf([span('POST /api/jobs', [2, 1])]).roots;
    expect(one && one.endMs - one.startMs).toBe(0);
  });

  test('spans that hang below themselves or each other', () => {
    const trace = traceOf([
      span('POST /api/jobs', [0, 5], { key: 'request' }),
      span('own child', [1, 2], { key: 'own', parentId: idOf('own') }),
      span('one', [1, 2], { key: 'one', parentId: idOf('other') }),
      span('other', [2, 3], { key: 'other', parentId: idOf('one') }),
    ]);
    expect(
      outline(trace)
        .map((line) => line.trim())
        .toSorted(),
    ).toEqual(['POST /api/jobs', 'one', 'other', 'own child']);
    expect(trace.notes.join(' ')).toMatch(/2 spans .*below themselves/);
  });
});

const later = (time: string) => new Date(Date.parse(time) + 120_000).toISOString();
