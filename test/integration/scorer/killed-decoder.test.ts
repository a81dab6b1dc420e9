import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { guardCodec } from '../../../src/scorer/pictures/guarded-codec.js';
import { createSharpCodec } from '../../../src/scorer/pictures/sharp-codec.js';
import { killNow, runningOn } from '../../support/processes.js';
import { ROOT } from '../../support/scorer/harness.js';
import { paint } from '../../support/scorer/pictures.js';
import { until } from '../../support/wait.js';

const DECODER = path.join(ROOT, 'dist/scorer/pictures/decoder-process.js');
const folder = mkdtempSync(path.join(os.tmpdir(), 'decoder-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const { width, height, data } = paint(64, 48);
const picture = await sharp(data, { raw: { width, height, channels: 3 } })
  .webp()
  .toBuffer();

/** A codec of whose processes the first ones end by a signal as soon as they are given a picture. */
function guarded(name: string, signal: NodeJS.Signals, ends: number) {
  const [program, starts] = [path.join(folder, `${name}.mjs`), path.join(folder, `${name}.starts`)];
  writeFileSync(starts, '');
  const lines = [
    `import { appendFileSync, readFileSync } from 'node:fs';`,
    `appendFileSync(${JSON.stringify(starts)}, '.');`,
    `const isEnding = readFileSync(${JSON.stringify(starts)}).length <= ${ends};`,
    `if (isEnding) process.stdin.once('data', () => process.kill(process.pid, '${signal}'));`,
    `await import(${JSON.stringify(pathToFileURL(DECODER).href)});`,
  ];
  writeFileSync(program, lines.join('\n'));
  const codec = guardCodec(createSharpCodec(), program);
  onTestFinished(() => codec.close());
  return { codec, program, starts: () => readFileSync(starts).length };
}

describe('a process that reads pictures', () => {
  it.each(['SIGKILL', 'SIGTERM'] as const)('that %s from outside ends costs no picture', async (signal) => {
    const { codec, starts } = guarded(signal, signal, 2);
    expect(await codec.decode(picture)).toMatchObject({ width: 64, height: 48 });
    expect(starts()).toBe(3);
  });

  it('that is killed while it has nothing to do costs no picture', async () => {
    const { codec, program, starts } = guarded('idle', 'SIGKILL', 0);
    await codec.decode(picture);
    const [pid] = runningOn(program);
    killNow(pid);
    await until('its end', () => runningOn(program).length === 0 || undefined);
    expect(await codec.decode(picture)).toMatchObject({ width: 64, height: 48 });
    expect(starts()).toBe(2);
  });

  it('that is killed each time it reads a picture is started for it no more, and the picture named with what is known', async () => {
    const { codec, starts } = guarded('always', 'SIGKILL', 3);
    await expect(codec.decode(picture)).rejects.toMatchObject({
      blame: 'item',
      message:
        'the picture cannot be read: the process that reads it was killed 3 times (SIGKILL), perhaps because memory is short',
    });
    expect(starts()).toBe(3);
    expect(await codec.decode(picture)).toMatchObject({ width: 64, height: 48 });
  });

  it('that breaks at a picture breaks once', async () => {
    const { codec, starts } = guarded('crash', 'SIGSEGV', 1);
    await expect(codec.decode(picture)).rejects.toMatchObject({
      blame: 'item',
      message: 'the picture cannot be read: it makes the picture library crash',
    });
    expect(starts()).toBe(1);
  });

  it('is not started again for a picture that is given up', async () => {
    const { codec, program, starts } = guarded('closed', 'SIGKILL', 0);
    await codec.decode(picture);
    const reading = codec.decode(picture);
    codec.close();
    await expect(reading).rejects.toMatchObject({ blame: 'item' });
    await until('its end', () => runningOn(program).length === 0 || undefined);
    expect(starts()).toBe(1);
  });
});
