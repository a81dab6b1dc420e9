import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { UserFault } from '../../../src/log.js';
import { functionSpan, openSpanFile } from '../../../src/tracing/spans.js';
import { beginTrace } from '../../../src/tracing/trace-context.js';
import { readSpans } from '../../support/trace-tree.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'devhost-spans-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const span = (name: string) =>
  functionSpan(name, { trace: beginTrace(), start: '2026-01-01T00:00:00.000Z' }, { ok: true });
const refuse = (text: string): never => {
  throw new Error(text);
};

it('spans are in the file when the call returns, after those of earlier runs', () => {
  const file = path.join(folder, 'spans');
  const spans = ['one', 'two', 'three\nwith "signs"'].map(span);
  openSpanFile(file, refuse)(spans.slice(0, 2));
  expect(readSpans(file)).toEqual(spans.slice(0, 2));
  const again = openSpanFile(file, refuse);
  again([]);
  again(spans.slice(2));
  expect(readSpans(file)).toEqual(spans);
});

it('half a line that a killed host left does not spoil the next one', () => {
  const file = path.join(folder, 'spans');
  writeFileSync(file, '{"type":"sp');
  openSpanFile(file, refuse)([span('next')]);
  expect(
    readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.slice(0, 12)),
  ).toEqual(['{"type":"sp', '{"type":"spa', '']);
});

it('a disk that is full is said once, and stops nothing', () => {
  const warnings: string[] = [];
  const write = openSpanFile('/dev/full', (text) => warnings.push(text));
  write([span('one')]);
  write([span('two')]);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/\/dev\/full.*ENOSPC/);
});

it.each(['.', 'no/such/folder'])('a path that no file can have is refused by name (%s)', (name) => {
  const file = path.join(folder, name);
  expect(() => openSpanFile(file, refuse)).toThrow(UserFault);
  expect(() => openSpanFile(file, refuse)).toThrow(file);
});
