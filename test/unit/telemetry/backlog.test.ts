import { describe, expect, test } from 'vitest';
import { createBacklog, type Importance, type Line } from '../../../src/telemetry/backlog.js';

const line = (importance: Importance, json: string): Line => ({ importance, json });
const jsons = (lines: Line[]) => lines.map(({ json }) => json);
const ALL = { items: 1000, size: 1_000_000 };

describe('what waits to be sent', () => {
  test('goes by importance, then by age', () => {
    const backlog = createBacklog(ALL);
    for (const [importance, json] of [
      ['step', 's1'],
      ['event', 'e1'],
      ['span', 'a1'],
      ['step', 's2'],
      ['event', 'e2'],
    ] as const)
      backlog.add(line(importance, json));
    expect(jsons(backlog.take({ items: 4, size: 100 }))).toEqual(['e1', 'e2', 'a1', 's1']);
    expect(jsons(backlog.take({ items: 4, size: 100 }))).toEqual(['s2']);
    expect(backlog.take(ALL)).toEqual([]);
  });

  test('goes in portions of a size, and one line at least', () => {
    const backlog = createBacklog(ALL);
    for (const json of ['12345', '123', '12', '1234567890']) backlog.add(line('event', json));
    expect(jsons(backlog.take({ items: 10, size: 8 }))).toEqual(['12345', '123']);
    expect(jsons(backlog.take({ items: 10, size: 8 }))).toEqual(['12']);
    expect(jsons(backlog.take({ items: 10, size: 8 }))).toEqual(['1234567890']);
  });

  test.each([
    ['items', { items: 4, size: 1000 }],
    ['characters', { items: 1000, size: 8 }],
  ])('is bounded in %s: steps are lost before spans, and spans before events, the oldest first', (_, bounds) => {
    const backlog = createBacklog(bounds);
    for (const [importance, json] of [
      ['event', 'e1'],
      ['step', 's1'],
      ['span', 'a1'],
      ['step', 's2'],
      ['event', 'e2'],
      ['event', 'e3'],
      ['span', 'a2'],
    ] as const)
      backlog.add(line(importance, json));
    expect(backlog.waiting).toBe(4);
    expect(backlog.lost()).toEqual({ step: 2, span: 1, event: 0 });
    expect(backlog.lost()).toEqual({ step: 0, span: 0, event: 0 });
    backlog.add(line('event', 'e4'));
    backlog.add(line('event', 'e5'));
    backlog.add(line('step', 's3'));
    expect(jsons(backlog.take(ALL))).toEqual(['e2', 'e3', 'e4', 'e5']);
    expect(backlog.lost()).toEqual({ step: 1, span: 1, event: 1 });
  });

  test('a line that no bound allows is lost', () => {
    const backlog = createBacklog({ items: 10, size: 5 });
    backlog.add(line('event', '123456'));
    expect(backlog.waiting).toBe(0);
    expect(backlog.lost().event).toBe(1);
  });

  test('what is on its way keeps its room until it is settled', () => {
    const backlog = createBacklog({ items: 3, size: 1000 });
    for (const json of ['s1', 's2']) backlog.add(line('step', json));
    const taken = backlog.take(ALL);
    for (const json of ['s3', 's4']) backlog.add(line('step', json));
    expect(backlog.waiting).toBe(1);
    expect(backlog.lost().step).toBe(1);
    backlog.settle(taken, []);
    for (const json of ['s5', 's6', 's7']) backlog.add(line('step', json));
    expect(jsons(backlog.take(ALL))).toEqual(['s5', 's6', 's7']);
  });

  test('what was not delivered waits again, before what came later', () => {
    const backlog = createBacklog(ALL);
    for (const json of ['s1', 's2', 's3']) backlog.add(line('step', json));
    const taken = backlog.take({ items: 2, size: 100 });
    backlog.settle(taken, taken.slice(1));
    expect(backlog.waiting).toBe(2);
    expect(jsons(backlog.take(ALL))).toEqual(['s2', 's3']);
    expect(backlog.lost().step).toBe(0);
  });
});
