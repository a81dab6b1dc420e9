import { once } from 'node:events';
import { createServer, request, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createJobClient } from '../../../src/cli/client/client.js';
import { runCli } from '../../support/cli.js';
import { makeClip } from '../../support/clip.js';
import { useStack } from '../../support/stack.js';

const stack = useStack();
let server: Server | undefined;
afterEach(() => server?.close());

async function listen(handler: RequestListener): Promise<string> {
  server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A proxy in front of the app that answers the first `refused` looks at a job with 503 or not at all, in turn, and keeps the keys it is sent. */
async function wayTo(app: string, refused: number): Promise<{ url: string; keys: Set<string>; looks: () => number }> {
  const keys = new Set<string>();
  let looks = 0;
  const url = await listen((incoming, outgoing) => {
    keys.add(String(incoming.headers['x-functions-key']));
    if (/^\/api\/jobs\/[^/]+$/.test(incoming.url ?? '') && looks < refused) {
      looks += 1;
      if (looks % 2 === 0) incoming.socket.destroy();
      else outgoing.writeHead(503).end();
      return;
    }
    const { method, headers } = incoming;
    const onward = request(new URL(incoming.url ?? '/', app), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(onward);
  });
  return { url, keys, looks: () => looks };
}

const HOSTILE = `-映像 it's "50%" #1?\n&$HOME`;

test('score uses a deployed app with its key, whatever a video is called, and looks again when it does not answer for a moment', async () => {
  makeClip(path.join(stack.folder, `${HOSTILE}.mp4`), { size: '64x48' });
  const { url, keys, looks } = await wayTo(stack.url, 3);
  const { code, stdout, stderr } = await runCli(
    ['score', '--url', url, '--key', 'secret-key', '--json', '--', `${HOSTILE}.mp4`],
    {
      cwd: stack.folder,
    },
  );
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    output: path.join(stack.folder, `${HOSTILE}-starry-night.mp4`),
    frames: 24,
  });
  expect([...keys]).toEqual(['secret-key']);
  expect(looks()).toBe(3);
});

test('score interrupted while files are uploaded starts no job', async () => {
  const clip = makeClip(path.join(stack.folder, 'long.mp4'), { size: '64x48' });
  let interrupt: (signal: NodeJS.Signals) => void = () => undefined;
  const asked: string[] = [];
  const url = await listen((incoming, outgoing) => {
    asked.push(incoming.url ?? '');
    interrupt('SIGINT');
    // An upload that never ends.
    if (incoming.method === 'POST')
      outgoing.writeHead(201).end(JSON.stringify({ path: 'inbox/a.mp4', url: `${url}/account/inbox/a.mp4` }));
  });
  const ended = runCli(['score', clip, '--url', url], { cwd: stack.folder, onSpawn: (kill) => (interrupt = kill) });
  expect(await ended).toEqual({ code: 130, stdout: '', stderr: 'Interrupted before the job was started.\n' });
  expect(asked).not.toContain('/api/jobs');
});

test.each<[string, RequestListener]>([
  [
    'cut off',
    (incoming, outgoing) =>
      outgoing.writeHead(200, { 'content-length': 99 }).write('{', () => incoming.socket.destroy()),
  ],
  ['cut short', (_, outgoing) => outgoing.writeHead(200, { 'content-type': 'application/json' }).end('{"id":')],
  ['that it is too much', (_, outgoing) => outgoing.writeHead(429).end()],
  ['that it took too long', (_, outgoing) => outgoing.writeHead(408).end()],
])('an answer %s is blamed on the platform', async (_, handler) => {
  const client = createJobClient(await listen(handler), undefined);
  await expect(client.status('coast-k3v9q2xa')).rejects.toMatchObject({ blame: 'platform' });
});

test('score says so when something other than the app answers', async () => {
  const clip = makeClip(path.join(stack.folder, 'other.mp4'), { size: '64x48' });
  const url = await listen((_, outgoing) => outgoing.end('<!doctype html>'));
  expect(await runCli(['score', clip, '--url', url], { cwd: stack.folder })).toEqual({
    code: 2,
    stdout: '',
    stderr: `${url} does not answer as this app does; check the address.\n`,
  });
  const { code, stderr } = await runCli(['score', clip, '--url', 'my-app'], { cwd: stack.folder });
  expect(stderr).toBe('"my-app" is not the address of an app; it looks like https://my-app.azurewebsites.net.\n');
  expect(code).toBe(2);
});

test('doctor says of a deployed app whether it answers, and ends with 1 where it does not', async () => {
  const { code, stdout } = await runCli(['doctor', '--url', stack.url, '--key', 'secret-key']);
  expect(code, stdout).toBe(0);
  for (const about of ['app', 'key', 'version', 'storage']) expect(stdout).toMatch(new RegExp(`^- ok +${about} `, 'm'));
  const none = await runCli(['doctor', '--url', 'http://127.0.0.1:9', '--json']);
  expect(none.code).toBe(1);
  expect(JSON.parse(none.stdout)).toMatchObject({
    healthy: false,
    groups: [{ checks: [{ about: 'app', state: 'fail' }] }],
  });
});
