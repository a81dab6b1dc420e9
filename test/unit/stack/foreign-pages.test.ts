import { describe, expect, test } from 'vitest';
import { isFromElsewhere } from '../../../src/stack/foreign-pages.js';

describe('storage of the local stack', () => {
  test.each([
    { host: '127.0.0.1:10000' },
    { host: 'localhost:10000', origin: 'http://localhost:7071' },
    { host: '[::1]:10000', origin: 'http://127.0.0.1:7071' },
    { host: 'devstoreaccount1.localhost:10000' },
  ])('answers programs and pages of this machine: %j', (headers) => {
    expect(isFromElsewhere({ headers })).toBe(false);
  });

  test.each([
    {},
    { host: '' },
    { host: 'rebound.example.com:10000' },
    { host: 'devstoreaccount1.example.com' },
    { host: '127.0.0.1.example.com' },
    { host: 'localhost.:10000' },
    { host: 'localhost@example.com' },
    { host: '127.0.0.1:10000', origin: 'https://example.com' },
    { host: '127.0.0.1:10000', origin: 'http://localhost.example.com' },
    { host: '127.0.0.1:10000', origin: 'null' },
  ])('does not answer what a page from elsewhere may have sent: %j', (headers) => {
    expect(isFromElsewhere({ headers })).toBe(true);
  });
});
