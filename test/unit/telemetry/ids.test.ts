import { describe, expect, test } from 'vitest';
import { parseTraceParent, writeTraceParent } from '../../../src/job/trace.js';
import { attemptId, idOf, placeOf } from '../../../src/telemetry/ids.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const PARENT = `00-${TRACE}-${SPAN}-01`;

describe('a traceparent', () => {
  test('is read as it was written', () => {
    expect(parseTraceParent(writeTraceParent(TRACE, SPAN))).toEqual({ traceId: TRACE, parentId: SPAN });
  });

  test('that is not sampled is followed all the same: no job is left out', () => {
    expect(parseTraceParent(`00-${TRACE}-${SPAN}-00`)).toEqual({ traceId: TRACE, parentId: SPAN });
  });

  test('of a later version may say more', () => {
    expect(parseTraceParent(`01-${TRACE}-${SPAN}-01-what-comes`)?.traceId).toBe(TRACE);
  });

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['an empty text', ''],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a span of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['the forbidden version', `ff-${TRACE}-${SPAN}-01`],
    ['capital letters', PARENT.toUpperCase()],
    ['a short trace', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['more than its version has', `${PARENT}-more`],
    ['a line after it', `${PARENT}\nx`],
    ['the id of a request as older hosts write it', '|abc.1.2.'],
  ])('is not read from %s', (_, text) => {
    expect(parseTraceParent(text)).toBeUndefined();
  });
});

describe('an id', () => {
  test('has 16 hexadecimal digits and is the same each time', () => {
    expect(attemptId('coast-k3v9q2xa', 3, 2)).toMatch(/^[0-9a-f]{16}$/);
    expect(attemptId('coast-k3v9q2xa', 3, 2)).toBe(attemptId('coast-k3v9q2xa', 3, 2));
  });

  test('differs for every job, batch and attempt, also where they would read the same side by side', () => {
    const ids = [
      attemptId('a', 1, 11),
      attemptId('a', 11, 1),
      attemptId('a1', 1, 1),
      attemptId('a', 1, 1),
      idOf('a', 1, 1),
      idOf('a,1', 1),
      idOf('a', '1', 1),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('what an invocation does for a job belongs', () => {
  const other = { traceId: 'f'.repeat(32), parentId: 'e'.repeat(16) };
  const here = { traceId: TRACE, parentId: SPAN };

  test('below the invocation, when the host has carried the trace of the job to it', () => {
    expect(placeOf('job', { traceId: TRACE, parentId: '1'.repeat(16) }, PARENT)).toEqual(here);
  });

  test('below the invocation, when the job has no record yet', () => {
    expect(placeOf('job', undefined, PARENT)).toEqual(here);
  });

  test('where the record of the job says, when the invocation is in another trace or in none', () => {
    expect(placeOf('job', other, PARENT)).toEqual(other);
    expect(placeOf('job', other, undefined)).toEqual(other);
  });

  test('in a trace derived from the id of the job, when nobody knows another', () => {
    const derived = placeOf('job', undefined, undefined);
    expect(derived).toEqual({ traceId: expect.stringMatching(/^[0-9a-f]{32}$/) as string });
    expect(placeOf('job', undefined, 'rubbish')).toEqual(derived);
    expect(placeOf('another', undefined, undefined)).not.toEqual(derived);
  });
});
