import { afterAll, describe, expect, test } from 'vitest';
import type { Importance, Line } from '../../../src/telemetry/backlog.js';
import { readInsightsSettings } from '../../../src/telemetry/insights-settings.js';
import { createSender, LIMITS, type SenderPorts } from '../../../src/telemetry/sender.js';
import { until } from '../../support/wait.js';
import { type Ingestion, type ReplyName, startIngestion } from '../../support/ingestion.js';

const QUICK = { ...LIMITS, backOffMs: 20, longestBackOffMs: 400, answerMs: 60_000 };
/** For an endpoint that does not answer; enough for one that does, so that what it takes is not sent again. */
const IMPATIENT = { answerMs: 3000 };
const limitsFor = (name: ReplyName) => (/^(never|after ten seconds)$/.test(name) ? IMPATIENT : {});
const PATIENT_MS = 60_000;
/** Less than the service lets it wait. */
const SOON_MS = 9000;

interface Asked {
  limits?: Partial<typeof LIMITS>;
  credential?: SenderPorts['credential'];
  audience?: string;
}

const opened: Ingestion[] = [];
afterAll(() => Promise.all(opened.map((ingestion) => ingestion.stop())));

/** A sender, and an endpoint of its own. */
async function open({ limits, credential, audience = '' }: Asked = {}) {
  const ingestion = await startIngestion();
  opened.push(ingestion);
  const settings = readInsightsSettings({
    APPLICATIONINSIGHTS_CONNECTION_STRING: ingestion.connectionString + audience,
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: credential && 'Authorization=AAD',
  });
  if (settings === undefined) throw new Error('There is a connection string.');
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  const sender = createSender({ settings, credential, warn }, { ...QUICK, ...limits });
  return { ingestion, sender, warnings, arrived: () => ingestion.accepted.map(({ name }) => name) };
}

const lines = (...names: string[]) => names.map((name) => line(name, 'event'));
const line = (name: string, importance: Importance): Line => ({ importance, json: JSON.stringify({ name }) });
const took = async (work: () => Promise<void>) => {
  const began = performance.now();
  await work();
  return performance.now() - began;
};

test('records arrive once, packed, one a line, in few requests', async () => {
  const { ingestion, sender, warnings, arrived } = await open();
  const names = Array.from({ length: 600 }, (_, index) => `n${index}`);
  for (const name of names) sender.add(lines(name));
  await sender.flush(PATIENT_MS);
  expect(arrived()).toEqual(names);
  expect(ingestion.posts.map(({ envelopes }) => envelopes.length)).toEqual([250, 250, 100]);
  expect(ingestion.posts[0]).toMatchObject({
    path: '/v2.1/track',
    headers: { 'content-type': 'application/x-json-stream', 'content-encoding': 'gzip' },
  });
  expect(ingestion.posts[0]?.headers).not.toHaveProperty('authorization');
  expect(warnings).toEqual([]);
});

test('records go by themselves, soon after they are told', async () => {
  const { sender, arrived } = await open();
  sender.add(lines('first'));
  await expect.poll(arrived).toEqual(['first']);
  sender.add(lines('second'));
  await expect.poll(arrived).toEqual(['first', 'second']);
});

const PASSING: ReplyName[] = [
  'never',
  'after ten seconds',
  '429 with Retry-After',
  '429 without a word of JSON',
  '500',
  '206 with one to send again',
  '206 that breaks off',
  'reset in the middle',
  '401',
  'a page of a proxy',
  'a redirect to a neighbour',
  'a redirect to a stranger',
];

describe.concurrent('an endpoint that misbehaves for a while', () => {
  test.each(PASSING)('gets everything later, and once: %s', async (name) => {
    const { ingestion, sender, warnings, arrived } = await open({ limits: limitsFor(name) });
    ingestion.reply(name, 'ok');
    sender.add(lines('a', 'b', 'c'));
    await sender.flush(PATIENT_MS);
    expect(arrived().toSorted()).toEqual(['a', 'b', 'c']);
    expect(warnings).toEqual([]);
  });

  test('gets everything later, and once: down', async () => {
    const { ingestion, sender, warnings, arrived } = await open();
    await ingestion.down();
    sender.add(lines('a', 'b', 'c'));
    await until('a warning', () => warnings[0]);
    expect(warnings).toEqual([expect.stringMatching(/ECONNREFUSED.*; 3 records wait\.$/)]);
    await ingestion.up();
    await until('the records', () => (arrived().length > 0 ? true : undefined));
    expect(arrived()).toEqual(['a', 'b', 'c']);
  });

  test('is left alone for as long as it asks for', async () => {
    const { ingestion, sender } = await open();
    ingestion.reply('429 with Retry-After', 'ok');
    sender.add(lines('a'));
    const ms = await took(() => sender.flush(PATIENT_MS));
    expect(ms).toBeGreaterThan(200);
    expect(ingestion.posts).toHaveLength(2);
  });
});

describe.concurrent('an endpoint that misbehaves for good', () => {
  const lasting: ReplyName[] = [
    'never',
    'after ten seconds',
    '429 with Retry-After',
    '429 without a word of JSON',
    '500',
    '206 that breaks off',
    'reset in the middle',
    '401',
    'a page of a proxy',
  ];
  test.each(lasting)('holds up a flush no longer than was said: %s', async (name) => {
    const { ingestion, sender, warnings, arrived } = await open({ limits: limitsFor(name) });
    ingestion.reply(name);
    sender.add(lines('a', 'b', 'c'));
    expect(await took(() => sender.flush(250))).toBeLessThan(SOON_MS);
    expect(warnings.at(-1)).toMatch(
      /^Application Insights does not take what it is told of jobs: .*; 3 records wait\.$/,
    );
    ingestion.reply('ok');
    await sender.flush(PATIENT_MS);
    expect(arrived()).toEqual(['a', 'b', 'c']);
  });

  test('does not hold up a flush at all, if it wants to be left alone for longer', async () => {
    const { ingestion, sender } = await open({ limits: { longestBackOffMs: 60_000 } });
    ingestion.reply('429 for a minute');
    sender.add(lines('a'));
    expect(await took(() => sender.flush(3 * SOON_MS))).toBeLessThan(SOON_MS);
  });

  test('is said once a minute, with what is lost', async () => {
    const { ingestion, sender, warnings } = await open({ limits: { items: 4, backOffMs: 1, longestBackOffMs: 1 } });
    ingestion.reply('500');
    sender.add([line('a', 'step'), line('b', 'span'), line('c', 'step'), line('d', 'event'), ...lines('e', 'f')]);
    await until('some posts', () => (ingestion.posts.length > 10 ? true : undefined));
    expect(warnings).toEqual([
      'Application Insights does not take what it is told of jobs: it answers 500; 4 records wait, 2 are lost (2 steps).',
    ]);
    sender.add(lines('g', 'h'));
    await sender.flush(20);
    expect(warnings).toHaveLength(2);
    expect(warnings[1]).toMatch(/4 records wait, 2 are lost \(/);
  });
});

describe.concurrent('records that are refused for good', () => {
  test('one that is to be sent again and again is given up, and others go', async () => {
    const { ingestion, sender, warnings, arrived } = await open({ limits: { backOffMs: 1, longestBackOffMs: 4 } });
    ingestion.reply('206 with one to send again');
    sender.add(lines('a'));
    const others = Array.from({ length: 8 }, (_, index) => `b${index}`);
    for (const other of others) {
      sender.add(lines(other));
      await until(other, () => (arrived().includes(other) ? true : undefined), 5);
    }
    await sender.flush(PATIENT_MS);
    expect(arrived()).toEqual(others);
    expect(warnings.at(-1)).toMatch(/it answers 500 to some records \(not this one\); 0 records wait, 1 is lost/);
    ingestion.reply('ok');
    sender.add(lines('c'));
    await sender.flush(PATIENT_MS);
    expect(arrived()).toEqual([...others, 'c']);
  });

  test.each([
    ['400', 'it answers 400 (Invalid key)'],
    ['402', 'it answers 402 (its daily cap is reached)'],
  ] as const)('are lost, and that is said: %s', async (name, problem) => {
    const { ingestion, sender, warnings } = await open();
    ingestion.reply(name, 'ok');
    sender.add(lines('a', 'b'));
    await sender.flush(PATIENT_MS);
    expect(ingestion.posts).toHaveLength(1);
    expect(warnings).toEqual([
      `Application Insights does not take what it is told of jobs: ${problem}; 0 records wait, 2 are lost (2 events).`,
    ]);
  });

  test('do not take others with them', async () => {
    const { ingestion, sender, warnings, arrived } = await open();
    ingestion.reply('206 with one refused for good', 'ok');
    sender.add(lines('a', 'b', 'c'));
    await sender.flush(PATIENT_MS);
    expect(arrived()).toEqual(['b', 'c']);
    expect(ingestion.posts).toHaveLength(1);
    expect(warnings).toEqual([expect.stringMatching(/it answers 400 to some records \(not this one\); .*1 is lost/)]);
  });
});

describe.concurrent('with a login', () => {
  const hour = () => Date.now() + 3_600_000;

  test('a token of the named cloud goes along, is kept, and is asked for again when it is refused', async () => {
    const scopes: (string | string[])[] = [];
    const credential = {
      getToken: (scope: string | string[]) =>
        Promise.resolve({ token: `token-${scopes.push(scope)}`, expiresOnTimestamp: hour() }),
    };
    const { ingestion, sender, arrived } = await open({
      credential,
      audience: ';AadAudience=https://monitor.azure.us/',
    });
    sender.add(lines('a'));
    await sender.flush(PATIENT_MS);
    ingestion.reply('401', 'ok');
    sender.add(lines('b'));
    await sender.flush(PATIENT_MS);
    expect(ingestion.posts.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer token-1',
      'Bearer token-1',
      'Bearer token-2',
    ]);
    expect(scopes).toEqual(['https://monitor.azure.us/.default', 'https://monitor.azure.us/.default']);
    expect(arrived()).toEqual(['a', 'b']);
  });

  test('a token that ends soon is not used again', async () => {
    let asked = 0;
    const credential = {
      getToken: () => Promise.resolve({ token: `token-${(asked += 1)}`, expiresOnTimestamp: Date.now() + 60_000 }),
    };
    const { sender } = await open({ credential });
    for (const name of ['a', 'b']) {
      sender.add(lines(name));
      await sender.flush(PATIENT_MS);
    }
    expect(asked).toBe(2);
  });

  test.each([
    ['fails', () => Promise.reject(new Error('No managed identity here.')), /No managed identity here; 1 record waits/],
    ['gives nothing', () => Promise.resolve(null), /the login gives no token/],
    ['hangs', () => new Promise<never>(() => undefined), /the login takes too long/],
  ])('that %s nothing is sent, and that is said', async (_, getToken, problem) => {
    const { ingestion, sender, warnings } = await open({ limits: { answerMs: 30 }, credential: { getToken } });
    sender.add(lines('a'));
    await until('a warning', () => warnings[0]);
    expect(ingestion.posts).toEqual([]);
    expect(warnings.at(-1)).toMatch(problem);
  });

  test('a token is not carried to a stranger', async () => {
    const { ingestion, sender, warnings } = await open({
      credential: { getToken: () => Promise.resolve({ token: 't', expiresOnTimestamp: hour() }) },
    });
    ingestion.reply('a redirect to a stranger');
    sender.add(lines('a'));
    await until('a warning', () => warnings[0]);
    expect(warnings).toEqual([expect.stringMatching(/it answers 308; 1 record waits/)]);
  });
});
