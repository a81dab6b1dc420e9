import { randomBytes } from 'node:crypto';
import { beforeEach, expect, inject, test } from 'vitest';
import { formatLogLine, logLine } from '../../../src/container-contract/log-line.js';
import { type LogPage, type LogQuery, readLogPage } from '../../../src/job-store/batches/log-pages.js';
import { keepLog } from '../../../src/job-store/batches/logs.js';
import { writeSettled } from '../../../src/job-store/batches/settled.js';
import { jobOf, logBlob, taskBlob } from '../../../src/job-store/layout.js';
import { openAzurite } from '../../support/storage.js';
import { until } from '../../support/wait.js';

const storage = openAzurite(inject('storage'));
let jobId = '';
beforeEach(async () => {
  jobId = `pages-${randomBytes(4).toString('hex')}`;
  await jobOf(storage, jobId).create();
});

const write = (blob: string, text: string) =>
  jobOf(storage, jobId).getBlockBlobClient(blob).upload(text, Buffer.byteLength(text));
const launch = (batch: number, attempt: number) => write(taskBlob(batch, attempt), '{}');
/** The scorer stores all that it has said so far. */
const say = (batch: number, attempt: number, ...messages: string[]) =>
  write(logBlob(batch, attempt), messages.map((message) => ownLine(batch, attempt, message)).join(''));
const ownLine = (batch: number, attempt: number, message: string) =>
  formatLogLine(logLine({ job: jobId, batch, attempt }, { time: '2026-11-26T15:00:00Z', level: 'info', message }));
const settle = async (batch: number, attempt: number, state: 'done' | 'retrying', ...output: string[]) => {
  const printed = output.map((text) => ({ text: text.trimEnd(), stream: 'stderr' }) as const);
  await keepLog(storage, { jobId, batch, attempt }, () => Promise.resolve(printed));
  const observation = { state: 'succeeded' } as const;
  const settled = { batch, attempt, done: 1, failed: 0, message: '', observation, phases: [], unscored: [] };
  await writeSettled(storage, jobId, { ...settled, state });
};

const page = (query: Partial<LogQuery>) => readLogPage(storage, jobId, { from: '', isOver: false, ...query });
const shown = ({ lines }: LogPage) => lines.map(({ batch, attempt, message }) => `${batch}.${attempt} ${message}`);

test('a reader gets every line once, while containers run, die, are settled and follow each other', async () => {
  await Promise.all([launch(0, 1), launch(1, 1), say(0, 1, 'a'), say(1, 1, 'x')]);
  const first = await until('the attempts', async () => {
    const seen = await page({});
    return seen.lines.length === 2 ? seen : undefined;
  });
  expect(shown(first)).toEqual(['0.1 a', '1.1 x']);
  let from = first.next ?? '';
  const next = async (isOver = false) => {
    const seen = await page({ from, isOver });
    from = seen.next ?? '';
    return shown(seen);
  };
  expect(await next()).toEqual([]);
  await say(0, 1, 'a', 'b');
  expect(await next()).toEqual(['0.1 b']);
  // It has said more than it stored, and a native library before that.
  const own = ['a', 'b', 'c'].map((message) => ownLine(0, 1, message));
  await settle(0, 1, 'retrying', own[0] ?? '', 'odd', own[1] ?? '', own[2] ?? '', 'Killed');
  expect(await next()).toEqual(['0.1 odd', '0.1 c', '0.1 Killed']);
  await Promise.all([launch(0, 2), settle(1, 1, 'done', 'late')]);
  expect(await next()).toContain('1.1 late');
  // Outputs that were lost are scored again, by an attempt of a batch that was done.
  await Promise.all([say(0, 2, 'again'), launch(1, 2), say(1, 2, 'once more')]);
  expect(await next(true)).toEqual(['0.2 again', '1.2 once more']);
  expect(from).toBe('');
});

test('the logs of a job that is over come in pages, in the order of their batches', async () => {
  const many = Array.from({ length: 1500 }, (_, index) => `line ${index}`);
  const others = Array.from({ length: 12 }, (_, index) => index + 4);
  await Promise.all([
    launch(3, 1),
    say(3, 1, ...many),
    ...others.flatMap((batch) => [launch(batch, 1), say(batch, 1, 'one')]),
    ...[1, 2, 3, 4, 5, 6, 7].flatMap((attempt) => [launch(100_000, attempt), say(100_000, attempt, 'last')]),
  ]);
  await settle(3, 1, 'done');
  const all: string[] = [];
  let from: string | undefined = '';
  let pages = 0;
  while (from !== undefined) {
    const seen: LogPage = await page({ from, isOver: true });
    expect(seen.lines.length).toBeLessThanOrEqual(1000);
    expect(seen.more).toBe(seen.next !== undefined);
    all.push(...shown(seen));
    from = seen.next;
    pages += 1;
  }
  expect(pages).toBe(2);
  expect(all).toEqual([
    ...many.map((message) => `3.1 ${message}`),
    ...others.map((batch) => `${batch}.1 one`),
    ...[1, 2, 3, 4, 5, 6, 7].map((attempt) => `100000.${attempt} last`),
  ]);
  expect(shown(await page({ batch: 100_000, attempt: 7, isOver: true }))).toEqual(['100000.7 last']);
  expect(shown(await page({ batch: 10, isOver: true }))).toEqual(['10.1 one']);
});

test.each(['0', '1.2.3', 'x', '1.2.3.4~', '1.2.3.4~1.1.5.0', '../../..', `1.2.3.4${'~1.1.1.1'.repeat(201)}`])(
  'a place to go on from that no page gave is refused: %.20s',
  async (from) => {
    await Promise.all([launch(1, 1), say(1, 1, 'a')]);
    await expect(page({ from, isOver: true })).rejects.toMatchObject({ blame: 'user', message: /^"from" must be/ });
  },
);

test('a job that has no container yet has no lines, and one that is over has no more to come', async () => {
  expect(await page({})).toMatchObject({ lines: [], more: false, next: expect.any(String) as string });
  expect(await page({ isOver: true })).toEqual({ lines: [], more: false, next: undefined });
  jobId = 'gone-abcd2345';
  expect(await page({ isOver: true })).toEqual({ lines: [], more: false, next: undefined });
});
