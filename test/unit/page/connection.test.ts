import { describe, expect, test } from 'vitest';
import { createConnection, Refusal } from '../../../src/page/connection.js';

/** An app that knows one key, or none. */
function createApp(answer: (path: string, init: RequestInit) => Response | Error) {
  const asked: { path: string; key: string | null; init: RequestInit }[] = [];
  const kept = new Map<string, string>();
  const ask: typeof fetch = (input, init = {}) => {
    const path = typeof input === 'string' ? input : '';
    asked.push({ path, key: new Headers(init.headers).get('x-functions-key'), init });
    const given = answer(path, init);
    return given instanceof Error ? Promise.reject(given) : Promise.resolve(given);
  };
  const storage = {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
  };
  return { asked, kept, connection: createConnection({ ask, kept: storage }) };
}

const json = (value: unknown, init?: ResponseInit) => new Response(JSON.stringify(value), init);
const settled = () => new Promise((resolve) => setImmediate(resolve));
const withKey =
  (key: string) =>
  (_: string, { headers }: RequestInit) =>
    new Headers(headers).get('x-functions-key') === key ? json({ jobs: [] }) : new Response(null, { status: 401 });

describe('the connection to the app', () => {
  test('asks for a key when the app does, repeats what waited for it, and has it in no address', async () => {
    const { connection, asked, kept } = createApp(withKey('s3cret'));
    const both = Promise.all([connection.get('jobs'), connection.get('models')]);
    await settled();
    expect(connection.lacks.value).toBe('key');
    connection.useKey('wrong');
    await settled();
    expect(connection.lacks.value).toBe('right key');
    connection.useKey('s3cret');
    expect(await both).toEqual([{ jobs: [] }, { jobs: [] }]);
    expect(connection.lacks.value).toBe('nothing');
    await connection.get('jobs');
    expect(asked.at(-1)?.key).toBe('s3cret');
    expect(asked.map(({ path }) => path).join()).not.toContain('s3cret');
    expect([...kept.values()]).toEqual(['s3cret']);
  });

  test.each(['s3crét', 's3 cret', 's3cret\u200b', '…'])(
    'takes no key that a header cannot carry: "%s"',
    async (key) => {
      const { connection, asked, kept } = createApp(withKey('s3cret'));
      const answer = connection.get('jobs');
      await settled();
      connection.useKey(key);
      await settled();
      expect([connection.lacks.value, kept.size, asked.length]).toEqual(['right key', 0, 1]);
      connection.useKey('s3cret');
      expect(await answer).toEqual({ jobs: [] });
    },
  );

  test('asks for no key where the app asks for a login', async () => {
    const sentence = 'Nobody knows who sends this request.';
    const { connection } = createApp(() => json({ error: sentence }, { status: 401 }));
    await expect(connection.get('jobs')).rejects.toThrow(sentence);
    expect(connection.lacks.value).toBe('login');
  });

  test.each<[string, Response | Error, Partial<Refusal>]>([
    [
      'the sentence of the app',
      json({ error: 'There is no job "x".' }, { status: 404 }),
      { message: 'There is no job "x".', status: 404 },
    ],
    [
      'that it is to wait',
      json({ error: 'Wait.' }, { status: 429, headers: { 'retry-after': '7' } }),
      { status: 429, retryAfter: 7 },
    ],
    [
      'no page of a gateway',
      new Response('<h1>Bad gateway</h1>', { status: 502 }),
      { message: expect.stringContaining('HTTP 502') as string },
    ],
    [
      'no JSON of another kind',
      json(['x'], { status: 500 }),
      { message: expect.stringContaining('HTTP 500') as string },
    ],
    [
      'that there is no answer',
      new TypeError('Failed to fetch'),
      { message: expect.stringContaining('does not answer') as string, status: 0 },
    ],
    [
      'that the answer makes no sense',
      new Response('<html>'),
      { message: expect.stringContaining('cannot be read') as string },
    ],
  ])('tells %s', async (_, answer, refusal) => {
    const { connection } = createApp(() => answer);
    const error: unknown = await connection.get('jobs/x').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Refusal);
    expect(error).toMatchObject(refusal);
  });

  test('tells what has not changed from what has', async () => {
    const { connection, asked } = createApp((_, { headers }) =>
      new Headers(headers).get('if-none-match') === '"1"'
        ? new Response(null, { status: 304 })
        : json(5, { headers: { etag: '"1"' } }),
    );
    expect(await connection.getSince('jobs/a', undefined)).toEqual({ data: 5, etag: '"1"' });
    expect(await connection.getSince('jobs/a', '"1"')).toBeUndefined();
    expect(asked).toHaveLength(2);
  });

  test('sends JSON as such', async () => {
    const { connection, asked } = createApp(() => json({ id: 'a' }, { status: 202 }));
    expect(await connection.send('POST', 'jobs', { model: 'm' }, { 'idempotency-key': 'k' })).toEqual({ id: 'a' });
    const init = asked[0]?.init;
    const headers = new Headers(init?.headers);
    expect([init?.method, init?.body, headers.get('content-type'), headers.get('idempotency-key')]).toEqual([
      'POST',
      '{"model":"m"}',
      'application/json',
      'k',
    ]);
  });
});
