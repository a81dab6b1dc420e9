import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HostProcess, newHub } from '../../../devhost/test/support/host-process.js';
import { createJobClient } from '../../../src/cli/client/client.js';
import { makeClip } from '../../support/clip.js';
import { LOOK_MS, until } from '../../support/wait.js';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const PACKAGE = path.join(ROOT, 'infra/app/package.mjs');
const DEVHOST = path.join(ROOT, 'dist/stack/devhost/main.js');

/** Prints what an app registers with the worker that loads it: every function with its bindings. */
const METADATA = `
import Module from 'node:module';
const functions = [];
const original = Module.prototype.require;
const core = {
  version: '3.9.1', setProgrammingModel: () => {}, registerHook: () => ({ dispose: () => {} }),
  registerFunction: (metadata) => functions.push(metadata),
};
Module.prototype.require = function (id) { return id === '@azure/functions-core' ? core : original.call(this, id); };
await import(process.argv[1]);
console.log(JSON.stringify(functions.map(({ functionId, ...rest }) => rest)));
process.exit(0);
`;

/** Prints which names these modules do not have. */
const LACKING = `
const lacking = [];
for (const [name, part] of JSON.parse(process.argv[1])) if ((await import(part))[name] === undefined) lacking.push(name);
console.log(JSON.stringify(lacking));
process.exit(0);
`;

/** Whatever the tests' own stack uses: a packaged app finds its own. */
const FOUND_BY_ITSELF = { PATH: '', FFMPEG_PATH: '', FFPROBE_PATH: '' };

function metadataOf(app: string): { name: string }[] {
  const env = { ...FOUND_BY_ITSELF, AzureWebJobsStorage: 'UseDevelopmentStorage=true' };
  const args = ['--input-type=module', '--eval', METADATA, path.join(app, 'dist/app.js')];
  const functions = JSON.parse(execFileSync(process.execPath, args, { cwd: app, env, encoding: 'utf8' })) as {
    name: string;
  }[];
  return functions.toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

const folder = mkdtempSync(path.join(os.tmpdir(), 'package-'));
const app = path.join(folder, 'app');
const pack = () => execFileSync(process.execPath, [PACKAGE, '--no-zip', '--out', app], { stdio: 'pipe' });
beforeAll(() => void pack());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the package of the app', () => {
  test('has the functions of the app with the same bindings', () => {
    const functions = metadataOf(app);
    expect(functions).toEqual(metadataOf(ROOT));
    expect(functions.map(({ name }) => name)).toEqual(expect.arrayContaining(['startJob', 'scoreJob', 'takeMedia']));
  });

  test('finds in each part that it loads late what it takes from there', async () => {
    const dist = path.join(app, 'dist');
    const asked = readdirSync(dist)
      .filter((file) => file.endsWith('.js'))
      .flatMap((file) => [
        ...readFileSync(path.join(dist, file), 'utf8').matchAll(/const \{ (\w+) \} = await import\("\.\/([^"]+)"\)/g),
      ]);
    const parts = asked.map(([, name, part = '']) => [name, pathToFileURL(path.join(dist, part)).href]);
    const lacking = execFileSync(process.execPath, ['--input-type=module', '--eval', LACKING, JSON.stringify(parts)]);
    expect(asked.map(([, name]) => name)).toEqual(
      expect.arrayContaining(['ContainerAppsAPIClient', 'ContainerInstanceManagementClient', 'DefaultAzureCredential']),
    );
    expect(JSON.parse(lacking.toString())).toEqual([]);
  });

  test('scores a video where there is nothing but the package', async () => {
    const hub = newHub();
    const env = { ...FOUND_BY_ITSELF, TEMP_FOLDER: folder };
    const host = new HostProcess({ app, hub, program: DEVHOST, args: ['--hub', hub], env });
    try {
      await host.ready();
      const client = createJobClient(host.url, undefined);
      const clip = path.join(folder, 'clip.mp4');
      makeClip(clip, { seconds: 0.25 });
      const video = await client.upload('video', clip, {});
      const id = await client.start({ input: { video }, model: 'starry-night' });
      const ended = async () => {
        const status = await client.status(id);
        return status.state === 'running' || status.state === 'queued' ? undefined : status;
      };
      expect(await until('the end of the job', ended, LOOK_MS)).toMatchObject({
        state: 'done',
        items: { done: 3 },
      });
    } finally {
      await host.stop();
    }
  });

  test('holds packages for Linux on x64, and nothing of what tests, measures or stands in for Azure', () => {
    expect(readdirSync(app).toSorted()).toEqual(
      '.funcignore LICENSE THIRD-PARTY-NOTICES.txt dist host.json models node_modules package.json sbom.spdx.json'.split(
        ' ',
      ),
    );
    const files = readdirSync(app, { recursive: true, encoding: 'utf8' });
    expect(files.filter((file) => /azurite|devhost|emulator|vitest|typescript|\.map$|\.d\.ts$/i.test(file))).toEqual(
      [],
    );
    expect(files.filter((file) => /(darwin|win32|arm64|musl)[^/]*$/.test(file))).toEqual([]);
    const code = readFileSync(path.join(app, 'dist/app.js'), 'utf8');
    expect(code).not.toMatch(/node_modules\/(azurite|cli-progress|commander)\//);
    const bill = JSON.parse(readFileSync(path.join(app, 'sbom.spdx.json'), 'utf8')) as { packages: { name: string }[] };
    const names = bill.packages.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(['sharp', '@azure/storage-blob', 'jimp', '@ffmpeg-installer/linux-x64']),
    );
    expect(names).not.toContain('azurite');
  });

  test('is not written over a folder that holds something else', () => {
    const other = path.join(folder, 'other');
    mkdirSync(other);
    writeFileSync(path.join(other, 'thesis.txt'), '');
    expect(() => execFileSync(process.execPath, [PACKAGE, '--no-zip', '--out', other], { stdio: 'pipe' })).toThrow(
      /holds something else than a package of the app/,
    );
    expect(readdirSync(other)).toEqual(['thesis.txt']);
  });

  test.each([['--bogus'], ['extra'], ['--out']])('is not made for %s, in one sentence', (...args) => {
    const { status, stderr } = spawnSync(process.execPath, [PACKAGE, ...args], { encoding: 'utf8' });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^.+; there are --out FOLDER and --no-zip\.\n$/);
  });
});
