import { describe, expect, test } from 'vitest';
import {
  arrivalOf,
  type Claim,
  claimed,
  claimedText,
  decided,
  lineName,
  parseLineName,
  refused,
  started,
} from '../../../../src/job/inbox/claim.js';
import type { MediaEvent } from '../../../../src/job/inbox/media-event.js';
import { parseSpec } from '../../../../src/job/spec.js';

const id = `inbox-${'1f'.repeat(16)}`;
const event = {
  id: 'e1',
  account: 'mymedia',
  container: 'inbox',
  name: 'a/coast.mp4',
  etag: '0x8D',
  time: '2026-11-26T10:15:30.1234567Z',
  bytes: 7,
  type: 'Microsoft.Storage.BlobCreated',
  api: 'PutBlob',
};
const job = {
  jobId: 'coast-k3v9q2xak3v9q2xa',
  spec: parseSpec(JSON.stringify({ input: { video: 'inbox/a/coast.mp4' }, model: 'm' })),
  waits: false,
  items: 0,
  bytes: 7,
};
const refusal = { message: 'There is no model "m"; upload it.' };
const states: Record<Claim['state'], Claim> = {
  claimed: claimed(id, event),
  waiting: decided(claimed(id, event), job),
  started: started(decided(claimed(id, event), job)),
  refused: refused(claimed(id, event), refusal.message),
};

describe('a claim', () => {
  test('goes from claimed to waiting to started, and keeps what is known', () => {
    expect(states.claimed).toEqual({ claim: id, event, state: 'claimed' });
    expect(states.waiting).toEqual({ claim: id, event, state: 'waiting', job });
    expect(states.started).toEqual({ claim: id, event, state: 'started', job });
    expect(states.refused).toEqual({ claim: id, event, state: 'refused', message: refusal.message });
  });

  test.each<[keyof typeof states, (claim: Claim) => Claim, keyof typeof states]>([
    ['waiting', (claim) => decided(claim, { ...job, bytes: 9 }), 'waiting'],
    ['started', (claim) => decided(claim, { ...job, bytes: 9 }), 'started'],
    ['refused', (claim) => decided(claim, job), 'refused'],
    ['started', (claim) => refused(claim, 'x'), 'started'],
    ['refused', (claim) => refused(claim, 'x'), 'refused'],
    ['started', started, 'started'],
    ['refused', started, 'refused'],
    ['claimed', started, 'claimed'],
  ])('that is %s is not undone by whoever comes late', (before, step, after) => {
    expect(step(states[before])).toBe(states[before]);
    expect(states[before].state).toBe(after);
  });

  test('that waits may be refused still, as its input may go away', () => {
    expect(refused(states.waiting, 'gone')).toEqual({ claim: id, event, state: 'refused', job, message: 'gone' });
  });

  test('is one for each version of each blob', () => {
    const texts = [
      event,
      { ...event, etag: '0x8E' },
      { ...event, name: 'a/coast2.mp4' },
      { ...event, container: 'other' },
      { ...event, account: 'other' },
    ].map(claimedText);
    expect(new Set(texts).size).toBe(texts.length);
    const again: MediaEvent = { ...event, id: 'e2', time: '', bytes: undefined, api: 'Sweep' };
    expect(claimedText(again)).toBe(texts[0]);
  });
});

describe('the line', () => {
  test('is in the order of arrival', () => {
    const names = [
      '2026-11-26T10:15:30.1234567Z',
      '2026-11-26T10:15:30.125Z',
      '2026-11-26T10:15:31Z',
      '2027-01-01T00:00:00Z',
    ].map((time) => lineName(id, arrivalOf(time, 0)));
    expect(names.toSorted()).toEqual(names);
    expect(parseLineName(names[0] ?? '')).toBe(id);
    expect(parseLineName('line/x')).toBeUndefined();
  });

  test('takes now for the arrival of what does not say when it came', () => {
    expect(arrivalOf('', 1234)).toBe(1234);
    expect(arrivalOf('yesterday', 1234)).toBe(1234);
    expect(arrivalOf('1900-01-01T00:00:00Z', 1234)).toBe(1234);
    expect(arrivalOf('2999-01-01T00:00:00Z', 1234)).toBe(1234);
  });
});
