import { describe, expect, test } from 'vitest';
import { refusalOf } from '../../../src/http/caller-check.js';

/** Whether a request with these headers passes, on a host that listens on loopback unless it says otherwise. */
const passes = (host: string, headers: Record<string, string> = {}, listening = '127.0.0.1') =>
  refusalOf({ host, ...headers }, new URL(`http://${host}`), listening) === undefined;

describe('a host that listens on this machine only', () => {
  test.each([
    'localhost:7071',
    'localhost',
    'LOCALHOST:7071',
    '127.0.0.1:7071',
    '127.1.2.3',
    '[::1]:7071',
    'app.localhost',
  ])('answers requests to %s', (host) => {
    expect(passes(host)).toBe(true);
  });

  test.each([
    'example.com',
    'example.com:7071',
    'localhost.example.com',
    '127.0.0.1.nip.io',
    '127.0.0.1.example.com',
    '192.168.1.5:7071',
    '10.0.0.1',
    '0.0.0.0:7071',
    '[fe80::1]:7071',
    'notlocalhost',
  ])('refuses requests to %s, a name that a page may have pointed at it', (host) => {
    expect(passes(host)).toBe(false);
  });

  test('refuses pages of other origins, whatever they ask', () => {
    for (const origin of ['https://example.com', 'http://localhost:3000', 'https://localhost:7071', 'null', 'file://'])
      expect(passes('localhost:7071', { origin })).toBe(false);
    for (const site of ['cross-site', 'same-site'])
      expect(passes('localhost:7071', { 'sec-fetch-site': site })).toBe(false);
  });

  test('takes requests of its own pages, and of programs, which name no origin', () => {
    expect(passes('localhost:7071', { origin: 'http://localhost:7071', 'sec-fetch-site': 'same-origin' })).toBe(true);
    expect(passes('localhost:7071', { 'sec-fetch-site': 'none' })).toBe(true);
    expect(passes('127.0.0.1:7071', { 'sec-fetch-mode': 'cors' })).toBe(true);
  });
});

describe('a host that listens beyond this machine', () => {
  test.each(['0.0.0.0', '::', '192.168.1.5'])(
    'at %s answers requests to any address, but to no other name',
    (listening) => {
      expect(passes('192.168.1.5:7071', {}, listening)).toBe(true);
      expect(passes('[fe80::1]:7071', {}, listening)).toBe(true);
      expect(passes('localhost:7071', {}, listening)).toBe(true);
      expect(passes('example.com', {}, listening)).toBe(false);
    },
  );

  test('answers to the name that it was given', () => {
    expect(passes('scoring.lan:7071', {}, 'scoring.lan')).toBe(true);
    expect(passes('other.lan:7071', {}, 'scoring.lan')).toBe(false);
  });

  test('still refuses pages of other origins', () => {
    expect(passes('192.168.1.5:7071', { origin: 'https://example.com' }, '0.0.0.0')).toBe(false);
  });
});
