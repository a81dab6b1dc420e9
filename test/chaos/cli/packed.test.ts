import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeClip } from '../../support/clip.js';

const run = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, '../../..');
const NAME = 'durable-batch-scoring';
const work = mkdtempSync(path.join(os.tmpdir(), 'packed '));
const installed = path.join(work, 'node_modules', NAME);

/** As `npm install` of the packed file, but with the dependencies that the package names taken from the checkout. */
beforeAll(async () => {
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', work];
  const { stdout } = await run('npm', pack, { cwd: ROOT });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  mkdirSync(installed, { recursive: true });
  await run('tar', ['-xzf', path.join(work, filename), '--strip-components=1', '-C', installed]);
  const { dependencies, bin } = JSON.parse(readFileSync(path.join(installed, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
    bin: Record<string, string>;
  };
  for (const name of Object.keys(dependencies)) {
    const place = path.join(work, 'node_modules', name);
    mkdirSync(path.dirname(place), { recursive: true });
    symlinkSync(path.join(ROOT, 'node_modules', name), place);
  }
  mkdirSync(path.join(work, 'node_modules/.bin'));
  await run('chmod', ['+x', path.join(installed, bin[NAME] ?? '')]);
  symlinkSync(path.join(installed, bin[NAME] ?? ''), path.join(work, 'node_modules/.bin', NAME));
});

afterAll(() => rmSync(work, { recursive: true, force: true }));

describe('the command line, packed and installed in another folder', () => {
  test('holds the programs and none of their sources', () => {
    expect(readdirSync(installed).toSorted()).toEqual(
      ['LICENSE', 'README.md', 'dist', 'host.json', 'models', 'package.json', 'samples'].toSorted(),
    );
    const files = readdirSync(path.join(installed, 'dist'), { recursive: true }).map(String);
    expect(files.filter((file) => /\.(ts|map|tsbuildinfo)$/.test(file))).toEqual([]);
  });

  test('brings the licences of the packages that are packed into its programs', () => {
    const notices = readFileSync(path.join(installed, 'dist/THIRD-PARTY-NOTICES.txt'), 'utf8');
    const hasText = (name: string) => new RegExp(`^${name} \\d\\S+ \\(.+\\)\\n-+\\n\\n.*\\S`, 'm').test(notices);
    // Of the page, the scorer, the local Functions host, the emulator of Azure, and Azurite.
    const packed = ['preact', 'jimp', '@azure/data-tables', 'find-my-way', 'azurite', 'lokijs'];
    expect(packed.filter((name) => !hasText(name))).toEqual([]);
  });

  test('scores a video with npx, finds what it brings, and keeps its data out of node_modules', async () => {
    makeClip(path.join(work, 'my clip.mp4'), { seconds: 0.25, size: '64x64', sound: false });
    const env = { ...process.env, XDG_DATA_HOME: path.join(work, 'data'), INIT_CWD: undefined };
    const score = ['--offline', '--no', NAME, 'score', 'my clip.mp4', '--json'];
    const doctor = ['doctor', '--compute', 'aci-emulated'];
    const [{ stdout }, report] = await Promise.all([
      run('npx', score, { cwd: work, env }),
      run(path.join(work, 'node_modules/.bin', NAME), doctor, { cwd: work, env }),
    ]);
    expect(report.stdout).toMatch(/^- ok +aci +rights, quota/m);
    expect(JSON.parse(stdout)).toMatchObject({ frames: 3, failedFrames: 0 });
    expect(existsSync(path.join(work, 'my clip-starry-night.mp4'))).toBe(true);
    expect(existsSync(path.join(work, 'data', NAME))).toBe(true);
    expect(readdirSync(installed)).not.toContain('.local');
  });
});
