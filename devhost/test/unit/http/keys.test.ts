import { expect, it } from 'vitest';
import { givenKey, isSame } from '../../../src/http/keys.js';
import type { Request } from '../../../src/http/http-server.js';

const request = (query: string, headers: Record<string, string> = {}): Request => ({
  method: 'GET',
  url: new URL(`http://localhost/api/f${query}`),
  headers,
  body: Buffer.alloc(0),
});

it.each([
  ['no key', request(''), undefined],
  ['a key in the query', request('?code=a%2Bb'), 'a+b'],
  ['a key in the header', request('', { 'x-functions-key': 'h' }), 'h'],
  ['the header, whatever the query says', request('?code=q', { 'x-functions-key': 'h' }), 'h'],
  ['nothing in the query', request('?code='), undefined],
  ['nothing in the header, though the query has one', request('?code=q', { 'x-functions-key': '' }), undefined],
  ['another parameter', request('?Key=q'), undefined],
])('a request brings its key: %s', (_, given, expected) => {
  expect(givenKey(given)).toBe(expected);
});

it.each([
  ['key', 'key', true],
  ['key', 'Key', false],
  ['key', 'ke', false],
  ['key', 'keyy', false],
  ['', '', false],
  ['ä', 'ä', true],
])('the key %j is given as %j: %s', (key, given, expected) => {
  expect(isSame(key, given)).toBe(expected);
});
