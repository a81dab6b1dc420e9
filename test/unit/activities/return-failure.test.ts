import { RestError } from '@azure/storage-blob';
import { expect, test } from 'vitest';
import { failureOf } from '../../../src/activities/return-failure.js';
import { isPassing } from '../../../src/container-contract/storage-access.js';

test.each<[string, unknown, RegExp]>([
  ['a body that was cut', Object.assign(new Error('The operation was aborted.'), { name: 'AbortError' }), /was cut/],
  ['a connection that was reset', Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }), /ECONNRESET/],
  ['a busy service', new RestError('url?sig=secret', { statusCode: 503, code: 'ServerBusy' }), /HTTP 503 ServerBusy/],
])('%s is blamed on the platform, with a sentence without URLs', (_, error, reason) => {
  const failure = failureOf(error, isPassing);
  expect(failure.blame).toBe('platform');
  expect(failure.message).toMatch(/^Storage or the network failed \(.+\)\.$/);
  expect(failure.message).toMatch(reason);
  expect(failure.message).not.toMatch(/sig=/);
});
