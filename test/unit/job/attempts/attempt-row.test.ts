import { describe, expect, test } from 'vitest';
import {
  type AttemptRow,
  endedRow,
  fromAscii,
  inAscii,
  MOST_MESSAGE_LENGTH,
  MOST_ROWS_LENGTH,
  packRows,
  timedRow,
  unpackRows,
} from '../../../../src/job/attempts/attempt-row.js';

const phases = {
  attempt: 2,
  launched: '2026-11-27T07:00:00.000Z',
  ended: {
    queued: '2026-11-27T07:00:01.000Z',
    started: '2026-11-27T07:00:09.500Z',
    modelLoaded: '2026-11-27T07:00:11.000Z',
    firstItem: '2026-11-27T07:00:11.250Z',
  },
  seconds: {},
  endedAt: '2026-11-27T07:01:00.000Z',
};
const row: AttemptRow = timedRow(
  endedRow({ attempt: 2, place: 'aci in westeurope', end: 'failed', blame: 'platform', message: 'evicted' }),
  phases,
);

describe('the row of a container run', () => {
  test('has the times of its phases, and none where nobody saw them', () => {
    expect(row).toMatchObject({
      launchedAt: Date.parse('2026-11-27T07:00:00Z'),
      placedAt: Date.parse('2026-11-27T07:00:01Z'),
      pulledAt: null,
      startedAt: Date.parse('2026-11-27T07:00:09.5Z'),
      lastItemAt: null,
      endedAt: Date.parse('2026-11-27T07:01:00Z'),
    });
  });

  test('comes back as it was from what a listing brings along', () => {
    const helper = { ...row, attempt: 3, helps: 2, end: 'complete', blame: null, message: '' } as const;
    const unknown = endedRow({ attempt: 4, end: null, message: '' });
    expect(unpackRows(packRows([row, helper, unknown]))).toEqual([row, helper, unknown]);
    expect(unpackRows(packRows([]))).toEqual([]);
  });

  test.each(['größer als 5 %, "quoted" \\ and\nbroken', '<img src=x onerror=alert(1)>', '漢字', '\ud83d half'])(
    'holds any text in ASCII: %j',
    (message) => {
      const packed = packRows([{ ...row, message, place: message }]);
      expect(packed).toMatch(/^[\x20-\x7e]*$/);
      const kept = message.replace('\ud83d', '\ufffd');
      expect(unpackRows(packed)).toEqual([{ ...row, message: kept, place: kept }]);
    },
  );

  test('is left out where there is no room for it: the newest stay', () => {
    const rows = Array.from({ length: 400 }, (_, k) => ({ ...row, attempt: k + 1, message: `evicted, take ${k % 3}` }));
    const packed = packRows(rows);
    expect(packed.length).toBeLessThanOrEqual(MOST_ROWS_LENGTH);
    const kept = unpackRows(packed);
    expect(kept.length).toBeGreaterThan(20);
    expect(kept).toEqual(rows.slice(-kept.length));
  });

  test('has a message that is too long without its end, and never half a letter', () => {
    const short = inAscii('漢'.repeat(500));
    expect(short.length).toBeLessThanOrEqual(MOST_MESSAGE_LENGTH);
    expect(fromAscii(short)).toMatch(/^漢+…$/);
  });
});
