import { describe, expect, it } from 'vitest';
import { inOrder, parsePacket, timingOf } from '../../../src/media/probe/packets.js';
import { pack, timetableOf, unpack } from '../../../src/media/timetable.js';

const packetsOf = (...lines: string[]) => inOrder(lines.flatMap((line) => parsePacket(line)?.packet ?? []));

describe('packets', () => {
  it('without a time count as frames and change no time of the others', () => {
    const packets = packetsOf('N/A,N/A,40,9,K_', '80,80,40,9,__', 'N/A,0,40,9,__', '40,40,40,N/A,__', '');
    const rate = { num: 25, den: 1 };
    const timing = timingOf(packets, { timeBase: { num: 1, den: 1000 }, baseRate: rate, averageRate: rate, end: NaN });
    expect(timing).toMatchObject({ framesEstimate: 4, firstSeconds: 0, durationSeconds: 0.12, lastSeconds: 0.04 });
  });
});

describe('a timetable', () => {
  const facts = { timeBase: { num: 1, den: 1000 }, frameRate: { num: 25, den: 1 }, lastSeconds: 0.04 };

  it.each([
    ['keeps good times', [5, 45, 90], [5, 45, 90], 0],
    ['spreads frames without a time up to the next one', [0, null, null, 90], [0, 30, 60, 90], 2],
    ['spreads frames that stand still', [0, 40, 40, 120], [0, 40, 80, 120], 1],
    ['goes on at the ordinary distance after a step back', [0, 40, 80, 10, 20], [0, 40, 80, 120, 160], 2],
    ['starts at zero when the first has none', [null, 40], [0, 40], 1],
    ['never stands still, however little room there is', [0, null, null, 2, 3], [0, 1, 2, 3, 43], 4],
  ])('%s', (_, raw, times, repaired) => {
    expect(timetableOf(raw, facts)).toMatchObject({ times, repaired });
  });

  it('of a million frames without a time is made at once', () => {
    const raw = Array.from({ length: 1_000_000 }, () => null);
    const began = performance.now();
    expect(timetableOf(raw, facts)).toMatchObject({ repaired: 1_000_000 });
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it('is one step long at a constant rate and comes back whole', () => {
    const even = timetableOf(
      Array.from({ length: 86_400 }, (_, index) => index * 40),
      facts,
    );
    expect(pack(even).steps).toEqual([[86_399, 40]]);
    const odd = timetableOf([3, 7, 11, 90, 91, 92], facts);
    expect([unpack(pack(even)), unpack(pack(odd))]).toEqual([even, odd]);
  });
});
