import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Jimp } from 'jimp';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createSharpCodec } from '../../../src/scorer/pictures/sharp-codec.js';
import { cardOf, ROOT, ScorerJob, STARRY_NIGHT } from '../../support/scorer/harness.js';
import { paint } from '../../support/scorer/pictures.js';
import { makeDebian, whyNoDebian } from '../../support/debian-root.js';

const INFRA = path.join(ROOT, 'infra/scorer');
const dockerfile = (name: string) => readFileSync(path.join(INFRA, name), 'utf8');
const read = (pattern: RegExp, text: string) => pattern.exec(text)?.[1] ?? '';

const CPU = dockerfile('Dockerfile');
const release = read(/^FROM debian:(\w+)-slim$/m, CPU);
const user = read(/^USER (\S+)$/m, CPU);
const entryPoint = JSON.parse(read(/^ENTRYPOINT (.*)$/m, CPU)) as string[];
const packages = readFileSync(path.join(INFRA, 'packages.txt'), 'utf8').trim().split('\n');

const why = whyNoDebian();
if (why !== undefined) console.warn(`The scorer's image is not tried in a fresh Debian: ${why}.`);

const folder = mkdtempSync(path.join(os.tmpdir(), 'scorer-'));
/** What goes into the image. */
const app = path.join(folder, 'app');
beforeAll(() => void execFileSync(process.execPath, [path.join(INFRA, 'collect.mjs'), app]));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the image of the scorer', () => {
  test.skipIf(why !== undefined)(
    'scores a batch in a fresh Debian with the packages, user and entry point of its Dockerfile, and nothing else',
    async (context) => {
      const root = await makeDebian(release, packages);
      if (root === undefined) {
        context.skip('Debian’s mirror is out of reach.');
        return;
      }
      try {
        chmodSync(root, 0o755);
        cpSync(app, path.join(root, 'app'), { recursive: true });
        const job = await ScorerJob.create(inject('storage'), {
          model: STARRY_NIGHT,
          card: await cardOf(STARRY_NIGHT),
        });
        const frame = await createSharpCodec().encode(paint(64, 48, 0), 'png');
        await job.addInputs({ 'a.png': frame, 'b.png': frame });
        const environment = await job.nextAttempt(['a.png', 'b.png']);
        const { stdout } = await inRoot(root, environment);
        const { outcome, done, codec } = await job.result();
        expect({ outcome, done: done.toSorted(), codec }).toEqual({
          outcome: 'completed',
          done: ['a', 'b'],
          codec: 'sharp',
        });
        expect(stdout).toContain('completed: 2 scored');
        expect((await job.output('a.png')).length).toBeGreaterThan(0);
      } finally {
        rmSync(root, { recursive: true, force: true });
      }
    },
    600_000,
  );

  test('with CUDA pins the version of ONNX Runtime that the project has', () => {
    const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    const pinned = read(/onnxruntime-node\/package\.json'\)\.version === '([^']+)'/, dockerfile('Dockerfile.cuda'));
    expect(pinned).toBe(manifest.dependencies['onnxruntime-node']);
    expect(dockerfile('Dockerfile.cuda')).toContain(`ENTRYPOINT ${JSON.stringify(entryPoint).replaceAll(',', ', ')}`);
  });

  test.each(['sharp', 'jimp'] as const)(
    'reads and writes with %s whatever it reads and writes elsewhere',
    async (codec) => {
      const files = await pictures(codec);
      const program = path.join(app, 'dist/scorer/bundle/main.js');
      for (const [ending, format] of [
        ['jpg', 'jpeg'],
        ['png', 'png'],
      ] as const) {
        const job = await ScorerJob.create(inject('storage'), {
          model: STARRY_NIGHT,
          card: await cardOf(STARRY_NIGHT),
        });
        await job.addInputs(files);
        // The outputs of a task end as its first input does.
        const names = Object.keys(files).toSorted((one) => (one.endsWith(ending) ? -1 : 1));
        const environment = await job.nextAttempt(names, { SCORER_CODEC: codec });
        await promisify(execFile)(process.execPath, [program], { env: environment, cwd: app });
        const { done, failed, codec: used } = await job.result();
        expect({ failed, used }).toEqual({ failed: [], used: codec });
        expect(done).toHaveLength(names.length);
        for (const name of names) expect((await sharp(await job.output(name)).metadata()).format).toBe(format);
      }
    },
  );

  test('holds the packages that the scorer needs and not those of the app', () => {
    const names = readdirSync(path.join(app, 'node_modules'));
    expect(names).toEqual(expect.arrayContaining(['onnxruntime-node', 'sharp']));
    expect(names).not.toContain('azurite');
    expect(names).not.toContain('jimp');
  });
});

/** One picture of each kind. */
async function pictures(codec: 'sharp' | 'jimp'): Promise<Record<string, Buffer>> {
  const picture = paint(64, 48, 0);
  const source = () => sharp(picture.data, { raw: { width: 64, height: 48, channels: 3 } });
  const made = {
    'jpeg.jpg': source().jpeg().toBuffer(),
    'png.png': source().png().toBuffer(),
    'palette.png': source().png({ palette: true }).toBuffer(),
    'gif.png': source().gif().toBuffer(),
    'tiff.jpg': source().tiff().toBuffer(),
    'bmp.png': new Jimp({ width: 64, height: 48, color: 0x336699ff }).getBuffer('image/bmp'),
    ...(codec === 'sharp' && {
      'webp.png': source().webp().toBuffer(),
      'avif.jpg': source().avif().toBuffer(),
      'cmyk.png': source().toColourspace('cmyk').tiff().toBuffer(),
    }),
  };
  return Object.fromEntries(await Promise.all(Object.entries(made).map(async ([name, file]) => [name, await file])));
}

/** Runs the entry point as a container would: its own root and user, this environment and no other. */
function inRoot(root: string, environment: Record<string, string>): Promise<{ stdout: string }> {
  const mounted = 'mount -t proc proc "$0/proc" && exec chroot --userspec="$1" "$0" "${@:2}"';
  const command = ['--mount', '--', 'bash', '-c', mounted, root, user, ...entryPoint];
  return promisify(execFile)('unshare', command, { env: { PATH: process.env.PATH, ...environment } });
}
