import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Jimp } from 'jimp';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { completeCard } from '../../../src/model-card/complete-card.js';
import { operatorNode } from '../../../src/scorer/onnx/model-messages.js';
import { cardOf, ROOT, ScorerJob, STARRY_NIGHT } from '../../support/scorer/harness.js';
import { cardFor } from '../../support/scorer/one-model.js';
import { paint } from '../../support/scorer/pictures.js';
import { modelFile, tensorInfo, tinyModel } from '../../support/scorer/tiny-model.js';
import { makeDebian, whyNoDebian } from '../../support/debian-root.js';

const INFRA = path.join(ROOT, 'infra/scorer');
const dockerfile = (name: string) => readFileSync(path.join(INFRA, name), 'utf8');
const read = (pattern: RegExp, text: string) => pattern.exec(text)?.[1] ?? '';

const CPU = dockerfile('Dockerfile');
const release = read(/^ARG DEBIAN=debian:(\w+)-slim$/m, CPU);
const user = read(/^USER (\S+)$/m, CPU);
const entryPoint = JSON.parse(read(/^ENTRYPOINT (.*)$/m, CPU)) as string[];
const harden = JSON.parse(read(/^RUN (\[.*harden\.sh.*\])$/m, CPU)) as string[];
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
    'scores batches of every kind in a fresh Debian that has no more than the image, can be written nowhere, and is run by no shell',
    async (context) => {
      const root = await makeDebian(release, packages);
      if (root === undefined) {
        context.skip('Debian’s mirror is out of reach.');
        return;
      }
      try {
        chmodSync(root, 0o755);
        cpSync(path.join(INFRA, 'harden.sh'), path.join(root, 'tmp/harden.sh'));
        execFileSync('chroot', [root, ...harden]);
        expect(readdirSync(path.join(root, 'usr/bin')).filter((name) => !/^node(js)?$/.test(name))).toEqual([]);
        cpSync(app, path.join(root, 'app'), { recursive: true });
        for (const kind of KINDS) {
          const { stdout } = await scoreAll(kind, 'sharp', (environment) => inRoot(root, environment));
          expect(stdout).toMatch(/completed: \d+ scored/);
        }
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

  // Where a fresh Debian can be made, sharp has shown there what it can.
  test.each(why === undefined ? (['jimp'] as const) : (['sharp', 'jimp'] as const))(
    'reads and writes with %s whatever it reads and writes elsewhere',
    async (codec) => {
      const program = path.join(app, 'dist/scorer/bundle/main.js');
      for (const kind of KINDS.filter(({ ending }) => ending !== 'json' && ending !== 'npy'))
        await scoreAll(kind, codec, (env) => promisify(execFile)(process.execPath, [program], { env, cwd: app }));
    },
  );

  test('holds the packages that the scorer needs and not those of the app', () => {
    const names = readdirSync(path.join(app, 'node_modules'));
    expect(names).toEqual(expect.arrayContaining(['onnxruntime-node', 'sharp']));
    expect(names).not.toContain('azurite');
    expect(names).not.toContain('jimp');
  });
});

const SHAPE = [1, 3, 48, 64];
const pooling = modelFile({
  node: [operatorNode('GlobalAveragePool', ['x'], 'pooled', {}), operatorNode('Flatten', ['pooled'], 'y', {})],
  input: [tensorInfo('x', SHAPE)],
  output: [tensorInfo('y', [1, 3])],
});
const tensors = (shape: number[]) => [{ name: 'y', type: 'float32', shape }];
const classes = completeCard(
  { output: { kind: 'classes' } },
  { inputs: [{ name: 'x', type: 'float32', shape: SHAPE }], outputs: tensors([1, 3]) },
);
const passing = tinyModel({ operator: 'Identity', shape: SHAPE });

/** Every kind of output, and what tells it. */
const KINDS = [
  { ending: 'png', model: STARRY_NIGHT, card: await cardOf(STARRY_NIGHT), isRight: isPicture('png') },
  { ending: 'jpg', model: passing, card: cardFor({}, SHAPE), isRight: isPicture('jpeg') },
  { ending: 'mask', model: passing, card: cardFor({ output: { kind: 'mask' } }, SHAPE), isRight: isPicture('png', 1) },
  { ending: 'json', model: pooling, card: classes, isRight: (bytes: Buffer) => /"class/.test(bytes.toString()) },
  {
    ending: 'npy',
    model: passing,
    card: cardFor({ output: { kind: 'tensor' } }, SHAPE),
    isRight: (bytes: Buffer) => bytes.subarray(1, 6).toString() === 'NUMPY',
  },
];

function isPicture(kind: string, depth = 3) {
  return async (bytes: Buffer) => {
    const { format, channels } = await sharp(bytes).metadata();
    return format === kind && channels === depth;
  };
}

/** Scores a picture of each kind into outputs of one kind, and looks at each. */
async function scoreAll(
  { ending, model, card, isRight }: (typeof KINDS)[number],
  codec: 'sharp' | 'jimp',
  run: (environment: Record<string, string>) => Promise<{ stdout: string }>,
): Promise<{ stdout: string }> {
  const files = await pictures(codec);
  const job = await ScorerJob.create(inject('storage'), { model, card });
  await job.addInputs(files);
  // Pictures end as the first input does.
  const names = Object.keys(files).toSorted((one) => (one.endsWith(ending) ? -1 : 1));
  const printed = await run(await job.nextAttempt(names, { SCORER_CODEC: codec }));
  const { done, failed, codec: used } = await job.result();
  expect({ failed, used }).toEqual({ failed: [], used: codec });
  expect(done).toHaveLength(names.length);
  for (const name of names) expect(await isRight(await job.output(name)), `${name} as ${ending}`).toBe(true);
  return printed;
}

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

/** Runs the entry point as a container would: its own root, which it cannot write to, its user, this environment and no other. */
function inRoot(root: string, environment: Record<string, string>): Promise<{ stdout: string }> {
  const mounts = ['mount --bind "$0" "$0"', 'mount -t proc proc "$0/proc"', 'mount -o remount,bind,ro "$0"'];
  const mounted = [...mounts, 'exec chroot --userspec="$1" "$0" "${@:2}"'].join(' && ');
  const command = ['--mount', '--', 'bash', '-c', mounted, root, user, ...entryPoint];
  return promisify(execFile)('unshare', command, { env: { PATH: process.env.PATH, ...environment } });
}
