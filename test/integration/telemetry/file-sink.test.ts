import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFileSink } from '../../../src/telemetry/file-sink.js';
import type { TelemetryRecord } from '../../../src/telemetry/records.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-telemetry-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const record = (id: string): TelemetryRecord => ({
  type: 'event',
  traceId: 'a'.repeat(32),
  id,
  name: 'job.ended',
  role: 'app',
  dimensions: { job: 'coast' },
  time: '2026-01-01T00:00:00.000Z',
  measurements: { items: 1 },
});

const idsIn = (file: string) =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as TelemetryRecord).id);

test('every record becomes a line of JSON, in order, after what the file has', async () => {
  const file = path.join(folder, 'new/folder/telemetry.jsonl');
  const first = createFileSink(file);
  first.report([record('1')]);
  first.report([record('2'), record('3')]);
  await first.flush();
  const second = createFileSink(file);
  second.report([record('4')]);
  await second.flush();
  expect(idsIn(file)).toEqual(['1', '2', '3', '4']);
});

test('what a disk refuses is lost without a word, and the next record is written when it can be', async () => {
  const file = path.join(folder, 'blocked/telemetry.jsonl');
  writeFileSync(path.join(folder, 'blocked'), 'a file where a folder should be');
  const sink = createFileSink(file);
  sink.report([record('1')]);
  await sink.flush();
  rmSync(path.join(folder, 'blocked'));
  sink.report([record('2')]);
  await sink.flush();
  expect(readFileSync(file, 'utf8').trim()).toBe(JSON.stringify(record('2')));
});

test('half a line that a killed process has left spoils no other line', async () => {
  const file = path.join(folder, 'telemetry.jsonl');
  writeFileSync(file, '{"type":"ev');
  const sink = createFileSink(file);
  sink.report([record('1')]);
  await sink.flush();
  expect(readFileSync(file, 'utf8').split('\n')).toEqual(['{"type":"ev', JSON.stringify(record('1')), '']);
});

test('a pipe that nobody reads holds nobody up', async () => {
  const file = path.join(folder, 'pipe');
  execFileSync('mkfifo', [file]);
  const sink = createFileSink(file);
  sink.report([record('1')]);
  await sink.flush();
});

test('a file stops growing, and so does what waits for it', async () => {
  const file = path.join(folder, 'telemetry.jsonl');
  const sink = createFileSink(file, { mostBytes: 100, mostWaiting: 2 });
  sink.report(['1', '2', '3'].map((id) => record(id)));
  await sink.flush();
  expect(idsIn(file)).toEqual(['1', '2']);
  sink.report([record('4')]);
  await sink.flush();
  expect(idsIn(file)).toEqual(['1', '2']);
});
