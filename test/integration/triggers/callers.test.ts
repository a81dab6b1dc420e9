import { BlockBlobClient } from '@azure/storage-blob';
import { beforeAll, describe, expect, test } from 'vitest';
import type { JobStatus } from '../../../src/api/jobs.js';
import { createJobClient } from '../../../src/cli/client/client.js';
import { useStack } from '../../support/stack.js';
import { until } from '../../support/wait.js';

/** It keeps callers with keys apart; who sends none sees everything. */
const stack = useStack();

/** What a caller with a key of its own sends; a local host takes any key. */
function callerWith(key: string | undefined) {
  const headers = { ...(key !== undefined && { 'x-functions-key': key }), 'content-type': 'application/json' };
  const send = (method: string, route: string, body?: object, more: Record<string, string> = {}) =>
    fetch(`${stack.url}/api/${route}`, {
      method,
      redirect: 'manual',
      headers: { ...headers, ...more },
      ...(body && { body: JSON.stringify(body) }),
    });
  return {
    send,
    get: (route: string) => send('GET', route),
    start: (spec: object, more?: Record<string, string>) => send('POST', 'jobs', spec, more),
    ended: (id: string) =>
      until(`the end of job ${id}`, async () => {
        const status = (await (await send('GET', `jobs/${id}`)).json()) as JobStatus;
        return ['running', 'queued'].includes(status.state) ? undefined : status;
      }),
    /** A folder with such files of the caller's own. */
    async folder(...names: string[]): Promise<string> {
      const { path, urls } = await createJobClient(stack.url, key).placeImages('folder', names, undefined);
      for (const url of urls) await new BlockBlobClient(url).uploadData(Buffer.from('no picture'));
      return path;
    },
  };
}
const bodyOf = async (answer: Response) => (await answer.json()) as Record<string, string>;
const refusalOf = async (answer: Response) => ({ status: answer.status, error: (await bodyOf(answer)).error });

const alice = callerWith('alice-0123456789');
const bob = callerWith('bob-0123456789');
const operator = callerWith(undefined);
/** A job of Alice's that has ended, as its folder has no picture. */
let job = '';
let folder = '';

beforeAll(async () => {
  folder = await alice.folder('notes.txt');
  const started = await alice.start({ input: { images: folder }, model: 'starry-night' });
  const answer = await bodyOf(started);
  job = answer.id ?? '';
  expect(started.status, answer.error).toBe(202);
  // The standard URLs open every job.
  expect(answer).toEqual({ id: job, jobUrl: `${stack.url}/api/jobs/${job}` });
  expect(started.headers.get('location')).toBe(answer.jobUrl);
  await alice.ended(job);
});

describe('a job of another caller', () => {
  const routes: [string, string, object?][] = [
    ['GET', ''],
    ['DELETE', ''],
    ['POST', '/redrive', {}],
    ['GET', '/logs'],
    ['GET', '/batches'],
    ['GET', '/pictures?newest=1'],
    ['GET', '/frames'],
    ['GET', '/files'],
    ['GET', '/files/manifest'],
  ];

  test('is not there, by every route and in the words for a job that is none, and its owner sees it', async () => {
    for (const [method, route, body] of routes) {
      const other = await refusalOf(await bob.send(method, `jobs/${job}${route}`, body));
      const none = await refusalOf(await bob.send(method, `jobs/none-abcd2345${route}`, body));
      expect({ ...other, error: other.error?.replace(job, 'none-abcd2345') }, `${method} ${route}`).toEqual(none);
      expect(none.status).toBe(404);
    }
    expect((await alice.get(`jobs/${job}`)).status).toBe(200);
    expect((await alice.get(`jobs/${job}/files/manifest`)).status).toBe(302);
    expect((await alice.send('DELETE', `jobs/${job}`)).status).toBe(410);
    expect((await stack.client.status(job)).id).toBe(job);
  });

  test('is none that the same request with the same Idempotency-Key finds', async () => {
    const spec = { input: { images: await bob.folder('a.txt') }, model: 'starry-night' };
    const once = { 'idempotency-key': 'k' };
    const answers = await Promise.all([bob, bob, operator].map((caller) => caller.start(spec, once)));
    const ids = await Promise.all(answers.map(async (answer) => (await bodyOf(answer)).id));
    expect(ids[1]).toBe(ids[0]);
    expect(ids[2]).not.toBe(ids[0]);
  });

  test('neither gives its failed items to a list, nor its files to a job or an upload, nor its place to an output', async () => {
    const images = await bob.folder('a.txt');
    const list = { failedItemsOf: job };
    const specs = [
      { input: { images, list }, model: 'starry-night' },
      { input: { images: folder }, model: 'starry-night' },
      { input: { images: 'inbox/_uploads/' }, model: 'starry-night' },
      { input: { images }, model: 'starry-night', output: { images: `outbox/${job}/`, overwrite: true } },
    ];
    for (const spec of specs) expect(await refusalOf(await bob.start(spec))).toMatchObject({ status: 400 });
    const upload = { kind: 'images', name: 'x', names: ['a.jpg'], path: folder };
    expect(await refusalOf(await bob.send('POST', 'uploads', upload))).toMatchObject({ status: 400 });
    const inbox = { kind: 'inbox', name: 'a.mp4' };
    expect(await refusalOf(await bob.send('POST', 'uploads', inbox))).toMatchObject({ status: 403 });
    expect(await refusalOf(await bob.get('inbox?path=inbox/a.mp4&etag=x'))).toMatchObject({ status: 403 });
  });
});

test('GET /api/caller tells who the app takes the caller for', async () => {
  const answers = [await bodyOf(await alice.get('caller')), await bodyOf(await operator.get('caller'))];
  expect(answers).toMatchObject([
    { id: expect.stringMatching(/^key-[0-9a-f]{24}$/) as string, sees: 'own', limits: { jobs: null } },
    { id: 'nobody', sees: 'all', version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string },
  ]);
});
