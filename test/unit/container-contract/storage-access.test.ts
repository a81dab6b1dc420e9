import { describe, expect, test } from 'vitest';
import { RestError } from '@azure/storage-blob';
import { again, isPassing } from '../../../src/container-contract/storage-access.js';
import { JobError } from '../../../src/job/failure.js';

const named = (name: string, message = 'The operation was aborted.') => Object.assign(new Error(message), { name });
const coded = (code: string, message = 'it broke') => Object.assign(new Error(message), { code });
const rest = (statusCode?: number, code?: string) => new RestError('refused', { statusCode, code });

describe('an error passes by itself', () => {
  test.each<[string, unknown]>([
    ['a body that was cut half-way, as the SDK calls it', named('AbortError')],
    ['a connection that was reset', coded('ECONNRESET', 'socket hang up')],
    ['a connection that was refused', coded('ECONNREFUSED')],
    ['a pipe that broke', coded('EPIPE')],
    ['a connection that timed out', coded('ETIMEDOUT')],
    ['a name that could not be resolved now', coded('EAI_AGAIN')],
    ['a name that could not be resolved', coded('ENOTFOUND')],
    ['a network without a way', coded('ENETUNREACH')],
    ['a TLS handshake that broke', coded('EPROTO')],
    ['a TLS record that was damaged', coded('ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC')],
    ['an answer that is no HTTP', coded('HPE_INVALID_CONSTANT')],
    ['a stream that ended too soon', coded('ERR_STREAM_PREMATURE_CLOSE')],
    ['a compressed body that ended too soon', coded('Z_BUF_ERROR')],
    ['a fetch whose socket closed', new TypeError('fetch failed', { cause: coded('UND_ERR_SOCKET') })],
    ['all addresses of a host', new AggregateError([coded('ECONNREFUSED'), coded('ENETUNREACH')])],
    ['an answer that ended too soon', rest(200, 'PARSE_ERROR')],
    ['less data than promised', new Error('Data corruption failure: received less data than required')],
    ['an answer without its length', new RangeError("File download response doesn't contain valid content length")],
    ['no answer', rest()],
    ['408', rest(408)],
    ['429', rest(429)],
    ['500', rest(500, 'InternalError')],
    ['503', rest(503, 'ServerBusy')],
    ['a container of this name that is still being deleted', rest(409, 'ContainerBeingDeleted')],
  ])('%s', (_, error) => expect(isPassing(error)).toBe(true));

  test.each<[string, unknown]>([
    ['a refusal', rest(403, 'AuthorizationFailure')],
    ['what is not there', rest(404, 'BlobNotFound')],
    ['a blob that exists', rest(409, 'BlobAlreadyExists')],
    ['a wrong request', rest(400, 'InvalidUri')],
    ['a full disk', coded('ENOSPC')],
    ['a file that is not there', coded('ENOENT')],
    ['a fault of the program', new TypeError('undefined is not a function')],
    ["a user's mistake", new JobError('user', 'There is no video.')],
    ['text', 'ECONNRESET'],
    ['nothing', undefined],
  ])('but not %s', (_, error) => expect(isPassing(error)).toBe(false));
});

test('work that fails with an error that passes is repeated, five times at most', async () => {
  let tries = 0;
  const failing = (times: number) => async () => {
    tries += 1;
    await Promise.resolve();
    if (tries <= times) throw coded('ECONNRESET');
    return tries;
  };
  expect(await again(failing(1))).toBe(2);
  tries = 0;
  await expect(again(failing(Infinity), AbortSignal.timeout(60_000))).rejects.toThrow('it broke');
  expect(tries).toBe(5);
  tries = 0;
  await expect(again(failing(1), AbortSignal.abort())).rejects.toThrow('it broke');
  expect(tries).toBe(1);
});

test('a hundred transfers at a time may share what ends them, without a warning of a leak', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => void warnings.push(warning);
  process.on('warning', note);
  const ending = new AbortController();
  const listening = (signal: AbortSignal) => (): Promise<void> =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  const signal = AbortSignal.any([ending.signal]);
  const transfers = Array.from({ length: 100 }, () => again(listening(signal), signal));
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  process.off('warning', note);
  ending.abort();
  await Promise.all(transfers);
  expect(warnings).toEqual([]);
});
