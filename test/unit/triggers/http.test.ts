import { HttpRequest, type HttpResponseInit, InvocationContext } from '@azure/functions';
import { RestError } from '@azure/storage-blob';
import { describe, expect, test } from 'vitest';
import { JobError } from '../../../src/job/failure.js';
import { answerErrors, answerVersion } from '../../../src/triggers/http.js';

const request = new HttpRequest({ method: 'GET', url: 'http://127.0.0.1/api/jobs/a' });
const context = new InvocationContext({ logHandler: () => undefined });
const answerTo = (error: unknown) => {
  const handle = answerErrors(() => {
    throw error;
  });
  return handle(request, context);
};

test.each<[string, unknown, number, RegExp]>([
  ['a mistake of the user', new JobError('user', 'There is no video.'), 400, /^There is no video\.$/],
  ['a failure of the platform', new JobError('platform', 'It is full.'), 503, /^It is full\.$/],
  [
    'storage that refuses connections',
    Object.assign(new Error('no'), { code: 'ECONNREFUSED' }),
    503,
    /storage account/,
  ],
  ['storage that is busy', new RestError('busy', { statusCode: 503 }), 503, /storage account/],
  ['an answer that was cut', Object.assign(new Error('x'), { name: 'AbortError' }), 503, /storage account/],
  ['a fault of the app', new TypeError('x is not a function'), 500, /its log says why/],
])('an HTTP function answers %s', async (_, error, status, sentence) => {
  const answer = await answerTo(error);
  expect(answer).toMatchObject({ status, jsonBody: { error: expect.stringMatching(sentence) as string } });
  if (status === 503) expect(Number(new Headers(answer?.headers).get('retry-after'))).toBeGreaterThan(0);
});

describe('an answer that the client has already', () => {
  const asking = (known?: string) =>
    new HttpRequest({
      method: 'GET',
      url: 'http://127.0.0.1/api/jobs/a',
      ...(known !== undefined && { headers: { 'if-none-match': known } }),
    });
  const etagOf = (answer: { headers?: HttpResponseInit['headers'] }) => new Headers(answer.headers).get('etag') ?? '';

  test('is not sent again, in whichever form it names the version', () => {
    const first = answerVersion(asking(), { done: 1, at: 'now' }, { done: 1 });
    expect(first).toMatchObject({ jsonBody: { done: 1, at: 'now' } });
    const etag = etagOf(first);
    expect(etag).toMatch(/^W\/"[\w-]{22}"$/);
    for (const known of [etag, etag.slice(2), `"x", ${etag}`, '*'])
      expect(answerVersion(asking(known), { done: 1, at: 'later' }, { done: 1 })).toEqual({
        status: 304,
        headers: first.headers,
      });
  });

  test('is sent again once it is another one', () => {
    const etag = etagOf(answerVersion(asking(), { done: 1 }));
    expect(answerVersion(asking(etag), { done: 2 })).toMatchObject({ jsonBody: { done: 2 } });
    for (const known of ['', '""', 'W/', etag.slice(0, -2)])
      expect(answerVersion(asking(known), { done: 1 })).toMatchObject({ jsonBody: { done: 1 } });
  });
});
