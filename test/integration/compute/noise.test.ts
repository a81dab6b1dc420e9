import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, inject, test } from 'vitest';
import { parseLogLine } from '../../../src/container-contract/log-line.js';
import { keepLog } from '../../../src/job-store/batches/logs.js';
import { jobOf, logBlob } from '../../../src/job-store/layout.js';
import { readText } from '../../../src/storage/storage.js';
import { aciCompute, launchOf, useEmulator } from '../../support/aci.js';
import { openAzurite } from '../../support/storage.js';
import { until } from '../../support/wait.js';

const azure = useEmulator();
const storage = openAzurite(inject('storage'));
const folder = mkdtempSync(path.join(os.tmpdir(), 'noise-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Once this file is there, the container goes on: two streams are read in no order. */
const HEARD = path.join(folder, 'heard');

/** Prints all that a log cannot hold as it is, says that it is done, and stays; the last line is half a line. */
const NOISE = `
  console.log('\\u001b[0;93m2026 [W:onnxruntime:, graph.cc:1] odd node\\u001b[m');
  console.error('see ' + process.env.JOB_CONTAINER_URL);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while (!require('node:fs').existsSync(${JSON.stringify(HEARD)})) Atomics.wait(pause, 0, 0, 10);
  process.stdout.write(Buffer.from([0, 1, 2, 255, 254, 7, 10]));
  console.log('one\\u2028line');
  console.log('x'.repeat(1e6));
  for (let i = 0; i < 40000; i += 1) console.log('flood ' + i);
  console.log('the end');
  process.stdout.write('half a li');
  setInterval(() => undefined, 1000);
`;

test('whatever a container prints before it is killed is kept as lines of a log: clean, bounded, and once', async () => {
  const jobId = `noise-${randomBytes(4).toString('hex')}`;
  await jobOf(storage, jobId).create();
  const request = launchOf(NOISE);
  const aci = aciCompute(azure.emulator.url);
  await aci.launch(request);
  const hears = (sought: string) => async () =>
    (await aci.logs(request.name)).some(({ text }) => text.includes(sought)) || undefined;
  await until('its first words', hears('odd node'));
  await until('its words on stderr', hears('see http'));
  writeFileSync(HEARD, '');
  await until('its last words', async () =>
    (await aci.logs(request.name)).at(-1)?.text === 'half a li' ? true : undefined,
  );
  const attempt = { jobId, batch: 0, attempt: 1 };
  await keepLog(storage, attempt, () => aci.logs(request.name));
  const log = (await readText(jobOf(storage, jobId), logBlob(0, 1))) ?? '';
  expect(log.length).toBeLessThan(4 * 1024 * 1024);
  expect(log).not.toMatch(/sig=|top-secret/);
  const lines = log.trimEnd().split('\n');
  const said = lines.map((line) => parseLogLine(line, { job: jobId, batch: 0, attempt: 1 }));
  expect(said).not.toContain(undefined);
  const messages = said.map((line) => line?.message);
  const first = messages.findIndex((message) => message?.includes('odd node'));
  expect(said[first]).toMatchObject({
    level: 'warn',
    stream: 'platform',
    message: '2026 [W:onnxruntime:, graph.cc:1] odd node',
  });
  expect(messages.find((message) => message?.includes('see http'))).toMatch(
    /see https:\/\/a\.blob\.core\.windows\.net\/job\?\[hidden\]$/,
  );
  expect(messages).toContain('\ufffd'.repeat(6));
  expect(messages).toContain('one line');
  expect(messages.find((message) => message?.startsWith('xxx'))).toMatch(/^x+ … \(the rest of the line is left out\)$/);
  const leftOut = messages.flatMap(
    (message) => /^\((\d+) lines of the output are left out here\.\)$/.exec(message ?? '')?.[1] ?? [],
  );
  const floods = messages.filter((message) => message?.startsWith('flood '));
  expect(floods.length + Number(leftOut[0])).toBe(40_000);
  expect(messages.slice(-2)).toEqual(['the end', 'half a li']);
  await keepLog(storage, attempt, () => aci.logs(request.name));
  expect(await readText(jobOf(storage, jobId), logBlob(0, 1))).toBe(log);
});
