import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, inject, it } from 'vitest';
import type { Device } from '../../../src/job/compute-choice.js';
import { createModelInspector } from '../../../src/scorer/engine/inspect/inspect.js';
import { createSharpCodec } from '../../../src/scorer/pictures/sharp-codec.js';
import { cardOf, ROOT, ScorerJob, STARRY_NIGHT } from '../../support/scorer/harness.js';
import { paint, psnr } from '../../support/scorer/pictures.js';

const codec = createSharpCodec();
const frame = paint(16, 16);
const inspect = createModelInspector({}, path.join(ROOT, 'dist/scorer/engine/inspect/inspect-main.js'));

/** Prints why the bundled model cannot be loaded. */
const LOAD_WITH_CUDA = `
  import { readFileSync } from 'node:fs';
  import { loadSession } from ${JSON.stringify(pathToFileURL(path.join(ROOT, 'dist/scorer/engine/session.js')))};
  const model = readFileSync(${JSON.stringify(STARRY_NIGHT)});
  await loadSession(model, 'The model', {}, 'cuda').then((session) => session.release(), (error) => console.log(String(error)));`;

async function score(device: Device) {
  const job = await ScorerJob.create(inject('storage'), { model: STARRY_NIGHT, card: await cardOf(STARRY_NIGHT) });
  await job.addInputs({ 'a.png': await codec.encode(frame, 'png') });
  const environment = await job.nextAttempt(['a.png'], {}, device);
  return { job, ...(await job.finish(environment)) };
}

describe('the device', () => {
  it.each([
    ['auto', /^(cpu|cuda)/],
    ['cpu', /^cpu$/],
  ] as const)('%s is named in the result', async (device, ran) => {
    const { result } = await score(device);
    expect(result).toMatchObject({ outcome: 'completed', done: ['a'], device: expect.stringMatching(ran) });
  });

  it.each(['cuda', 'webgpu'] as const)(
    '%s runs, or fails at once with the reason: never the CPU instead',
    async (device) => {
      const usable = await inspect(STARRY_NIGHT, 'mine', device).then(
        () => true,
        () => false,
      );
      const { result, job } = await score(device);
      if (usable) {
        expect(result.device).toMatch(device);
        const expected = await score('cpu');
        const [one, other] = [await job.output('a.png'), await expected.job.output('a.png')];
        expect(psnr((await codec.decode(one)).data, (await codec.decode(other)).data)).toBeGreaterThan(40);
        return;
      }
      expect(result).toMatchObject({ outcome: 'failed', device: 'none', done: [], failed: [] });
      expect(result.failure).toMatchObject({
        blame: 'user',
        message: expect.stringMatching(
          new RegExp(`^The device ${device} was asked for and cannot be used: .*[^.]\\.$`),
        ),
      });
    },
  );

  it('cuda is the first GPU where nobody says which', async () => {
    // In a process of its own, since ONNX Runtime prints what CUDA lacks, whatever the level of its log.
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', LOAD_WITH_CUDA]);
    // Without CUDA's libraries, or without a GPU.
    if (stdout !== '') expect(stdout).toMatch(/shared library|CUDA failure/);
  });

  it('is not blamed for a broken model', async () => {
    const broken = path.join(ROOT, 'package.json');
    expect(readFileSync(broken).length).toBeGreaterThan(0);
    await expect(inspect(broken, 'mine', 'webgpu')).rejects.toThrow('The model "mine" is cut off or no ONNX model');
  });
});
