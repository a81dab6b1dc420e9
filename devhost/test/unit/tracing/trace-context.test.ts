import { describe, expect, it } from 'vitest';
import { beginTrace, parseTraceParent, traceParentOf } from '../../../src/tracing/trace-context.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

describe('a traceparent header', () => {
  it('is read and written as W3C says, with its flag for sampling', () => {
    for (const header of [`00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-00`]) {
      const read = parseTraceParent(header, 'vendor=1');
      expect(read).toEqual({ traceId: TRACE, spanId: SPAN, sampled: header.endsWith('1'), state: 'vendor=1' });
      expect(read && traceParentOf(read)).toBe(header);
    }
  });

  it('of a later version is read as far as this one goes, and passed on as one of this version', () => {
    for (const header of [`cc-${TRACE}-${SPAN}-01`, `cc-${TRACE}-${SPAN}-01-what-the-future-brings`]) {
      const read = parseTraceParent(header, undefined);
      expect(read && traceParentOf(read)).toBe(`00-${TRACE}-${SPAN}-01`);
    }
  });

  it('loses the flags that this version does not know', () => {
    const read = parseTraceParent(`00-${TRACE}-${SPAN}-ff`, undefined);
    expect(read && traceParentOf(read)).toBe(`00-${TRACE}-${SPAN}-01`);
  });

  it.each([
    ['is absent', undefined],
    ['is empty', ''],
    ['is no such header', 'hello'],
    ['has a trace id of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['has a span id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['is in upper case', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['has an invalid version', `ff-${TRACE}-${SPAN}-01`],
    ['is longer than its version allows', `00-${TRACE}-${SPAN}-01-more`],
    ['is of a later version and goes on without a dash', `cc-${TRACE}-${SPAN}-01more`],
    ['is too short', `00-${TRACE}-${SPAN}-1`],
    ['has other digits', `00-${TRACE.replace('4', 'g')}-${SPAN}-01`],
    ['has blanks around', ` 00-${TRACE}-${SPAN}-01 `],
    ['was sent twice', `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`],
    ['came as a list', [`00-${TRACE}-${SPAN}-01`]],
    ['is very long', `00-${TRACE}-${SPAN}-01${'-0'.repeat(8000)}`],
  ])('that %s is ignored', (_, header) => {
    expect(parseTraceParent(header, 'vendor=1')).toBeUndefined();
  });
});

it.each([
  ['is longer than 512 characters', 'a='.padEnd(513, 'x')],
  ['has characters that headers do not have', 'a=ä'],
  ['came as a list', ['a=1']],
])('a tracestate header that %s is left out, and the trace goes on', (_, state) => {
  expect(parseTraceParent(`00-${TRACE}-${SPAN}-01`, state)).toMatchObject({ traceId: TRACE, state: '' });
});

it('a trace that begins here is sampled and unlike any other', () => {
  const begun = beginTrace();
  expect(begun.sampled).toBe(true);
  expect(parseTraceParent(traceParentOf(begun), undefined)).toEqual(begun);
  expect(beginTrace().traceId).not.toBe(begun.traceId);
});
