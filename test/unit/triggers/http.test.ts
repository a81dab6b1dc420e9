import { HttpRequest, InvocationContext } from '@azure/functions';
import { RestError } from '@azure/storage-blob';
import { expect, test } from 'vitest';
import { JobError } from '../../../src/job/failure.js';
import { answerErrors } from '../../../src/triggers/http.js';

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
