import { expect, it } from 'vitest';
import { pauseAfter } from '../../../src/triggers/queue-listener.js';
import { decodeMessage, queueInput } from '../../../src/triggers/queue-message.js';

const base64 = (bytes: string | number[]) => Buffer.from(bytes as string).toString('base64');

it.each([
  ['{"a":1}', '{"a":1}'],
  ['', ''],
  ['ä€😀\u0000\uFEFF', 'ä€😀\u0000\uFEFF'],
  ['\uFEFFmarked', '\uFEFFmarked'],
])('a message in Base64 arrives as its text: %j', (text, expected) => {
  expect(decodeMessage(base64(text), 'base64')).toBe(expected);
});

it('white space in Base64 does not matter', () => {
  expect(decodeMessage(` ${base64('folded').slice(0, 3)}\r\n${base64('folded').slice(3)}\t`, 'base64')).toBe('folded');
});

it.each(['{"a":1}', 'plain', 'abc', 'YQ=', 'YQ===', 'a-_b', '=YQ='])('%j is refused as Base64', (text) => {
  expect(() => decodeMessage(text, 'base64')).toThrow('not Base64');
});

it.each([[[0xff, 0xfe]], [[0xc3]], [[0xed, 0xa0, 0x80]]])('bytes that are no UTF-8 are refused: %j', (bytes) => {
  expect(() => decodeMessage(base64(bytes), 'base64')).toThrow('not of UTF-8');
});

it.each(['{"a":1}', base64('left alone'), ' ', ''])('without encoding a message arrives as it is: %j', (text) => {
  expect(decodeMessage(text, 'none')).toBe(text);
});

const message = {
  messageId: 'm1',
  popReceipt: 'r1',
  dequeueCount: 1,
  messageText: 'ignored',
  insertedOn: new Date(0),
  expiresOn: new Date(0),
  nextVisibleOn: new Date(0),
};

it('members of a message that is a JSON object are among the metadata, and hide those of the same name', () => {
  const event = { id: 'e1', DEQUEUECOUNT: 9, type: 'Created', data: { url: 'u' }, ok: true, list: [1], none: null };
  const text = JSON.stringify({ ...event, time: '2026-01-02T03:04:05Z' });
  expect(queueInput(message, text).triggerMetadata).toMatchObject({
    Id: { string: 'e1' },
    DequeueCount: { string: '9' },
    type: { string: 'Created' },
    data: { string: '{"url":"u"}' },
    ok: { string: 'True' },
    time: { string: '01/02/2026 03:04:05' },
    PopReceipt: { string: 'r1' },
  });
  const names = Object.keys(queueInput(message, text).triggerMetadata ?? {});
  for (const absent of ['id', 'list', 'none']) expect(names).not.toContain(absent);
});

it.each(['[1]', '"text"', '7', 'null', '{broken', ''])('%s has no members', (text) => {
  expect(Object.keys(queueInput(message, text).triggerMetadata ?? {})).toHaveLength(7);
});

it('a function is told what the queue knows about a message', () => {
  const at = (second: number) => new Date(Date.UTC(2026, 0, 2, 3, 4, second));
  const times = { insertedOn: at(1), expiresOn: at(2), nextVisibleOn: at(3) };
  expect(queueInput({ ...message, ...times, dequeueCount: 3 }, '7')).toEqual({
    data: { string: '7' },
    triggerMetadata: {
      QueueTrigger: { string: '7' },
      Id: { string: 'm1' },
      PopReceipt: { string: 'r1' },
      DequeueCount: { int: 3 },
      InsertionTime: { json: '"2026-01-02T03:04:01+00:00"' },
      ExpirationTime: { json: '"2026-01-02T03:04:02+00:00"' },
      NextVisibleTime: { json: '"2026-01-02T03:04:03+00:00"' },
    },
  });
});

it('looks into an empty queue come at growing distances, up to the longest', () => {
  const pauses = [0, 1, 2, 3, 4, 5, 6, 1000].map((looks) => pauseAfter(looks, 2000, 0.5));
  expect(pauses).toEqual([100, 200, 400, 800, 1600, 2000, 2000, 2000]);
  expect([pauseAfter(3, 2000, 0), pauseAfter(3, 2000, 1)].map(Math.round)).toEqual([660, 940]);
  expect(pauseAfter(0, 100)).toBe(100);
});
