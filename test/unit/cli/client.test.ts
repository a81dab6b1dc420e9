import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createJobClient } from '../../../src/cli/client/client.js';

const spec = { input: { video: 'inbox/a.mp4' }, model: 'starry-night' };
let server: Server;

/** An app that gives these answers in turn, the last one from then on, and what it was sent. */
async function appThat(...answers: ((answer: ServerResponse) => void)[]) {
  const asked: IncomingMessage[] = [];
  server = createServer((request, answer) => {
    const act = answers[Math.min(asked.length, answers.length - 1)];
    asked.push(request);
    request.resume().on('end', () => act?.(answer));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { client: createJobClient(url, undefined), asked, url };
}
afterEach(() => server.close());

const workerDied = (answer: ServerResponse) => answer.writeHead(500).end();
const connectionLost = (answer: ServerResponse) => answer.destroy();
const started = (answer: ServerResponse) => answer.writeHead(202).end('{"id":"a-22222222"}');
const refuses = (answer: ServerResponse) => answer.writeHead(503).end('{"error":"Storage is busy."}');

test.each([
  ["the app's process dies", workerDied],
  ['the connection is cut', connectionLost],
])('a start whose answer is lost, as %s, is sent again as the same request', async (_, lose) => {
  const { client, asked } = await appThat(lose, started);
  expect(await client.start(spec)).toBe('a-22222222');
  const keys = asked.map(({ headers }) => headers['idempotency-key']);
  expect(keys).toHaveLength(2);
  expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
  expect(keys[1]).toBe(keys[0]);
});

test('two starts of the same job are two requests', async () => {
  const { client, asked } = await appThat(started);
  await client.start(spec);
  await client.start(spec);
  expect(new Set(asked.map(({ headers }) => headers['idempotency-key'])).size).toBe(2);
});

test('a look at a job and a request for a place are repeated too', async () => {
  const { client, asked } = await appThat(workerDied, (answer) => answer.writeHead(200).end('{"id":"a"}'));
  expect(await client.status('a')).toEqual({ id: 'a' });
  expect(asked.map(({ url }) => url)).toEqual(['/api/jobs/a', '/api/jobs/a']);
});

test("an app that goes on failing is not blamed on the user's address", async () => {
  const { client, url, asked } = await appThat(workerDied);
  await expect(client.start(spec)).rejects.toMatchObject({
    blame: 'platform',
    message: `${url}/api/jobs answered HTTP 500 four times in a row; the log of the app says why.`,
  });
  expect(asked).toHaveLength(4);
});

test("the app's own sentence is an answer, and nothing is repeated", async () => {
  const { client, asked } = await appThat(refuses);
  await expect(client.start(spec)).rejects.toMatchObject({ blame: 'platform', message: 'Storage is busy.' });
  expect(asked).toHaveLength(1);
});

test("the address of the app's page is one of the app, too", async () => {
  const { url, asked } = await appThat(started);
  for (const page of [`${url}/api/`, `${url}/api`, `${url}/api/#/jobs/a-22222222`, `${url}/`])
    await createJobClient(page, undefined).start(spec);
  expect(asked.map((request) => request.url)).toEqual(Array(4).fill('/api/jobs'));
});

test('an app that refuses a key is said to, and one that was sent none asks for it', async () => {
  const { client, url } = await appThat((answer) => answer.writeHead(401).end());
  await expect(client.status('a')).rejects.toMatchObject({
    blame: 'user',
    message: expect.stringContaining('with --key') as string,
  });
  const error: unknown = await createJobClient(url, 'wrong-key')
    .status('a')
    .catch((cause: unknown) => cause);
  expect(String(error)).toMatch(/\(HTTP 401\); the key is not one of the app\.$/);
  expect(String(error)).not.toContain('wrong-key');
});

test('what the app refuses to a caller whose key it takes is not blamed on the key', async () => {
  const { url } = await appThat((answer) =>
    answer.writeHead(403, { 'content-type': 'application/json' }).end('{"error":"The inbox is for operators."}'),
  );
  await expect(createJobClient(url, 'right-key').status('a')).rejects.toMatchObject({
    blame: 'user',
    message: 'The inbox is for operators.',
  });
});
