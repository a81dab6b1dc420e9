import { readFileSync } from 'node:fs';
import path from 'node:path';
import { BlockBlobClient } from '@azure/storage-blob';
import pMap from 'p-map';
import { beforeAll, expect, inject, test } from 'vitest';
import {
  type Answered,
  createDice,
  type Dice,
  hostileText,
  mutatedBody,
  type Sent,
  sendRaw,
} from '../../support/hostile.js';
import { useStack } from '../../support/stack.js';

/** How many requests are sent; the same number always sends the same ones. */
const REQUESTS = Number(process.env['HOSTILE_REQUESTS'] ?? 400);
const AT_ONCE = 8;

const stack = useStack();
/** A folder of no pictures, whose jobs end soon, and a job of it that has ended. */
let folder = '';
let ended = '';

/** What no answer may hold. */
const KEY = 'canary-key-of-a-caller';
const SECRETS = [KEY, inject('canary'), 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq'];

beforeAll(async () => {
  const { path: images, urls } = await stack.client.placeImages('hostile', ['notes.txt'], undefined);
  for (const url of urls) await new BlockBlobClient(url).uploadData(Buffer.from('no picture'));
  folder = images;
  ended = await stack.client.start({ input: { images }, model: 'starry-night' });
  await stack.ended(ended);
});

/** Says all that a specification can say. */
const spec = (images: string) => ({
  input: { images, list: { failedItemsOf: ended }, frameRate: 24, audio: 'inbox/a.wav', onDamage: 'fail' },
  model: 'starry-night',
  style: 'styles/wave.jpg',
  output: {
    images: 'outbox/x/',
    draw: false,
    codec: 'h264',
    quality: 'good',
    frameFormat: 'png',
    keepFrames: true,
    overwrite: true,
  },
  batch: { size: 'auto', maxParallel: 2, pack: 1 },
  compute: { kind: 'local', gpu: 'none', device: 'cpu', memoryGb: 1 },
  retry: { maxAttempts: 1, firstDelaySeconds: 0, escalateMemory: false },
  tolerate: { failedItems: 1, failedPercent: 5, failedBatches: 1, onExceeded: 'finish', fill: 'source' },
  notify: [{ queue: 'jobs-done' }, { webhook: 'https://example.com/x', secret: 'CANARY' }],
  timeouts: { provisionSeconds: 60, batchSeconds: 60, stallSeconds: 20, itemSeconds: 10, jobSeconds: 60 },
});

function jobBody(dice: Dice): Buffer {
  if (dice.chance(0.05)) return Buffer.from(JSON.stringify({ input: { images: folder }, model: 'starry-night' }));
  const full: Record<string, unknown> = spec(dice.chance(0.1) ? folder : 'inbox/none/');
  if (dice.chance(0.5)) return mutatedBody(dice, full);
  const { images, list } = full.input as Record<string, unknown>;
  return mutatedBody(dice, { input: { images, ...(dice.chance(0.2) && { list }) }, model: 'starry-night' });
}

const uploadBody = (dice: Dice) =>
  mutatedBody(
    dice,
    dice.pick<object>([
      { kind: dice.pick(['video', 'audio', 'style', 'model']), name: 'coast.mp4' },
      { kind: 'images', name: 'holiday', names: ['a.jpg', hostileText(dice)], path: folder },
      { kind: 'inbox', name: 'notes.txt', folder: '_hostile' },
    ]),
  );
const redriveBody = (dice: Dice) =>
  mutatedBody(dice, {
    batch: { size: 5 },
    compute: { device: 'cpu' },
    tolerate: { failedItems: 3 },
    fromScratch: true,
    more: 1,
  });

/** As part of a path or a value of a query: escaped, or as it is as far as that can be said at all. */
function escaped(dice: Dice, text: string): string {
  if (dice.chance(0.8)) return encodeURIComponent(Buffer.from(text).toString());
  return text.replaceAll(/[^!-~]/g, '%ed%a0%80');
}

function idOf(dice: Dice): string {
  if (dice.chance(0.4)) return ended;
  return dice.chance(0.2) ? 'none-abcd2345' : escaped(dice, hostileText(dice).slice(0, 3000));
}

function queryOf(dice: Dice, names: string[]): string {
  const values = names.filter(() => dice.chance(0.6)).map((name) => `${name}=${escaped(dice, hostileText(dice))}`);
  return values.length === 0 ? '' : `?${values.join('&')}`;
}

const ROUTES: ((dice: Dice) => Pick<Sent, 'method' | 'target' | 'body'>)[] = [
  (dice) => ({ method: 'POST', target: '/api/jobs', body: jobBody(dice) }),
  (dice) => ({ method: 'POST', target: '/api/jobs', body: jobBody(dice) }),
  (dice) => ({ method: 'POST', target: '/api/uploads', body: uploadBody(dice) }),
  (dice) => ({ method: 'GET', target: `/api/jobs/${idOf(dice)}${queryOf(dice, ['code', 'x'])}` }),
  (dice) => ({ method: 'DELETE', target: `/api/jobs/${idOf(dice)}` }),
  (dice) => ({ method: 'POST', target: `/api/jobs/${idOf(dice)}/redrive`, body: redriveBody(dice) }),
  (dice) => ({ method: 'GET', target: `/api/jobs/${idOf(dice)}/logs${queryOf(dice, ['batch', 'attempt', 'from'])}` }),
  (dice) => ({ method: 'GET', target: `/api/jobs/${idOf(dice)}/frames${queryOf(dice, ['source', 'from'])}` }),
  (dice) => ({ method: 'GET', target: `/api/jobs/${idOf(dice)}/files${queryOf(dice, ['from'])}` }),
  (dice) => ({ method: 'GET', target: `/api/jobs/${idOf(dice)}/batches${queryOf(dice, ['since'])}` }),
  (dice) => ({ method: 'GET', target: `/api/jobs/${idOf(dice)}/pictures${queryOf(dice, ['newest', 'at'])}` }),
  (dice) => ({
    method: 'GET',
    target: `/api/jobs/${idOf(dice)}/files/${dice.pick(['output', 'manifest', 'failed-items', escaped(dice, hostileText(dice))])}`,
  }),
  (dice) => ({ method: 'GET', target: `/api/inbox${queryOf(dice, ['path', 'etag'])}` }),
  (dice) => ({ method: 'GET', target: `/api/inbox?path=${escaped(dice, hostileText(dice))}&etag=x` }),
  (dice) => ({ method: 'GET', target: `/api/caller${queryOf(dice, ['code', 'CODE'])}` }),
  (dice) => ({ method: 'GET', target: `/runtime/webhooks/durabletask/instances/${idOf(dice)}` }),
  (dice) => ({ method: dice.pick(['GET', 'POST']), target: `/${escaped(dice, hostileText(dice))}` }),
];

const METHODS = ['GET', 'POST', 'DELETE', 'PUT', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE', 'BREW', 'get'];
const TYPES = [
  'application/json',
  'application/json; charset=utf-16',
  'text/plain',
  'multipart/form-data; boundary=x',
  'application/jsonp',
  '',
];
const HEADERS: [string, (dice: Dice) => string][] = [
  ['idempotency-key', (dice) => hostileText(dice)],
  ['x-functions-key', (dice) => `${KEY},${hostileText(dice)}`],
  ['x-ms-client-principal-id', () => 'f00d'],
  ['x-ms-client-principal', (dice) => Buffer.from(hostileText(dice)).toString('base64')],
  ['traceparent', (dice) => dice.pick(['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', hostileText(dice)])],
  ['if-none-match', (dice) => hostileText(dice)],
  ['transfer-encoding', (dice) => dice.pick(['chunked', 'gzip', 'x'])],
  ['x-large', (dice) => 'l'.repeat(dice.pick([10, 7000, 30_000]))],
  ['content-encoding', () => 'gzip'],
  ['expect', () => '100-continue'],
];

function requestOf(dice: Dice): Sent {
  const { method, target, body } = dice.pick(ROUTES)(dice);
  const type = dice.chance(0.85) ? 'application/json' : dice.pick(TYPES);
  // A header may hold no line breaks; what else is in it is the server's to refuse.
  const more = HEADERS.filter(() => dice.chance(0.06)).map(([name, value]): [string, string] => [
    name,
    value(dice).replaceAll(/[\r\n]/g, ''),
  ]);
  const headers: [string, string][] = [
    ['content-type', type],
    ...(dice.chance(0.3) ? [['x-functions-key', KEY] as [string, string]] : []),
    ...more,
  ];
  const sent = { method: dice.chance(0.05) ? dice.pick(METHODS) : method, target, headers };
  const isCut = body !== undefined && dice.chance(0.03);
  return { ...sent, ...(body && { body }), ...(isCut && { cut: true }) };
}

/** What is wrong with an answer; undefined when nothing is. */
function faultOf({ target }: Sent, { status, headers, body }: Answered): string | undefined {
  const text = `${headers}\n${body}`;
  if (SECRETS.some((secret) => text.includes(secret))) return 'has a secret';
  if (/\n\s+at .+[:(]\d+|node_modules|\/work\/|\bdist\/|\.[jt]s:\d+/.test(body)) return 'has a trace of the code';
  if (/x-injected/i.test(headers)) return 'has a header that the request made up';
  // Nothing is wrong with storage: whoever is told to come again later would come for ever.
  if (status >= 500) return 'is a fault of the server';
  // What the server itself cannot read, and what no function is there for, has no body.
  if (status < 400 || body === '' || !target.startsWith('/api/')) return undefined;
  const said: unknown = JSON.parse(body);
  const keys = typeof said === 'object' && said !== null ? Object.entries(said) : [];
  const isSentence = keys.length === 1 && keys[0]?.[0] === 'error' && /^[A-Z"].*\.$/s.test(String(keys[0][1]));
  return isSentence ? undefined : 'is no sentence';
}

test(`${REQUESTS} hostile requests get an answer each, which is no fault of the app, holds no secret, and refuses in one sentence`, async () => {
  const dice = createDice(REQUESTS);
  const requests = Array.from({ length: REQUESTS }, () => requestOf(dice));
  const faults: string[] = [];
  const statuses: Record<number, number> = {};
  await pMap(
    requests,
    async (request) => {
      const answer = await sendRaw(stack.url, request);
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
      const fault = faultOf(request, answer);
      if (fault !== undefined) {
        const { method, target, headers, body } = request;
        const sent = `${method} ${target.slice(0, 300)} ${JSON.stringify(headers).slice(0, 300)} ${body?.toString().slice(0, 600) ?? ''}`;
        faults.push(`The answer ${fault}: ${answer.status} ${answer.body.slice(0, 300)}, to ${sent}`);
      }
    },
    { concurrency: AT_ONCE },
  );
  if (process.env['HOSTILE_REQUESTS'] !== undefined) console.log(statuses);
  expect(faults).toEqual([]);
  // The generator reaches what lies behind the checks.
  for (const status of [200, 202, 400, 404, 415]) expect(statuses[status], String(status)).toBeGreaterThan(0);
  expect((await stack.client.status(ended)).id).toBe(ended);
  const log = readFileSync(path.join(stack.data, 'devhost.log'), 'utf8');
  expect(SECRETS.filter((secret) => log.includes(secret))).toEqual([]);
});
