import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockFolder } from '../../../src/processes/folder-lock.js';
import type { TelemetryRecord } from '../../../src/telemetry/records.js';
import { JOB, jobRecords, TRACE } from '../../support/trace.js';
import { until } from '../../support/wait.js';

let data: string;
const file = (name: string) => path.join(data, 'telemetry', name);
beforeEach(() => {
  data = mkdtempSync(path.join(os.tmpdir(), 'scoring-traces-'));
  mkdirSync(path.join(data, 'telemetry'));
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

const linesOf = (records: TelemetryRecord[]) => records.map((record) => `${JSON.stringify(record)}\n`).join('');
const RECORDS = jobRecords({ lanes: 2, batches: 2 });
const APP = RECORDS.filter(({ role }) => role !== 'host');
const HOST = RECORDS.filter(({ role }) => role === 'host');
const ofJob = (job: string, records: TelemetryRecord[]) =>
  JSON.parse(JSON.stringify(records).replaceAll(JOB, job).replaceAll(TRACE, `${job}-trace`)) as TelemetryRecord[];

/** What the command prints, and how it ends. */
async function follow() {
  const { followTraces } = await import('../../../dist/cli/trace/follow.js');
  const printed: string[] = [];
  const view = await followTraces(data, (text) => printed.push(text));
  return { printed, stop: view.stop };
}

test('a job is shown once when it has ended, as a table and a page', async () => {
  const { printed, stop } = await follow();
  writeFileSync(file('host.jsonl'), linesOf(HOST));
  writeFileSync(file('app.jsonl'), linesOf(APP));
  await until('the trace', () => Promise.resolve(printed.length > 0 || undefined), 50);
  appendFileSync(file('host.jsonl'), linesOf(HOST.slice(-1)));
  await stop();
  expect(printed).toHaveLength(1);
  expect(printed[0]).toContain(`Job ${JOB}: done in 12.0 s`);
  expect(printed[0]).toContain(`Timeline: ${file(`trace-${JOB}.html`)}`);
  expect(readFileSync(file(`trace-${JOB}.html`), 'utf8')).toContain('attempt 1 of batch 3');
});

test('a job that has not ended is shown when the command ends, with what is missing', async () => {
  const { printed, stop } = await follow();
  writeFileSync(file('host.jsonl'), linesOf(HOST.slice(0, -1)));
  writeFileSync(file('app.jsonl'), linesOf(APP.filter(({ name }) => name !== 'job.ended')));
  await stop();
  expect(printed.join()).toContain(`Job ${JOB}: not ended after`);
});

test('half lines and rubbish are said, and what follows them is read', async () => {
  const { printed, stop } = await follow();
  const [first = '', ...rest] = linesOf(HOST).trim().split('\n');
  writeFileSync(
    file('host.jsonl'),
    `${first.slice(0, 90)}${first}\n\u0000\u0001 []\n{"type":"span"}\nnull\n${rest.join('\n')}\n`,
  );
  writeFileSync(file('app.jsonl'), `${linesOf(APP)}${linesOf(APP).slice(0, 200)}`);
  await stop();
  expect(printed.join()).toMatch(/done in 12\.0 s.*2 lines of the files could not be read/s);
});

test('a start keeps the spans of jobs that go on, and the latest pages', async () => {
  const goesOn = ofJob('goes-on', [...HOST.slice(0, 9), ...APP.filter(({ name }) => name !== 'job.ended')]);
  const now = new Date().toISOString();
  const recent = goesOn.map((record) => (record.type === 'span' ? { ...record, end: now } : record));
  const forgotten = ofJob('forgotten', HOST.slice(0, 9)).map((record) =>
    record.type === 'span' ? { ...record, end: '2026-01-02T03:04:05.006Z' } : record,
  );
  writeFileSync(file('host.jsonl'), `${linesOf([...HOST, ...recent, ...forgotten])}{"half`);
  writeFileSync(file('app.jsonl'), linesOf(APP));
  for (let page = 0; page < 25; page += 1) writeFileSync(file(`trace-${page}.html`), '');
  writeFileSync(file('of-somebody.html'), '');
  const { printed, stop } = await follow();
  await stop();
  expect(printed).toEqual([]);
  expect(readFileSync(file('host.jsonl'), 'utf8')).toBe(linesOf(recent));
  expect(readFileSync(file('app.jsonl'), 'utf8')).toBe('');
  expect(readdirSync(path.join(data, 'telemetry')).filter((name) => name.endsWith('.html'))).toHaveLength(21);
});

test('a second start, which fails, shows nothing of the stack that runs', async () => {
  const lock = await lockFolder(data);
  writeFileSync(file('host.jsonl'), linesOf(HOST));
  writeFileSync(file('app.jsonl'), linesOf(APP));
  const { printed, stop } = await follow();
  await stop();
  await lock.release();
  expect(printed).toEqual([]);
  expect(readFileSync(file('host.jsonl'), 'utf8')).toBe(linesOf(HOST));
});

test('a start without earlier traces makes nothing', async () => {
  rmSync(path.join(data, 'telemetry'), { recursive: true });
  const { stop } = await follow();
  await stop();
  expect(existsSync(path.join(data, 'telemetry'))).toBe(false);
});
