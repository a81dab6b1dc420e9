import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { JobError, messageOf } from '../job/failure.js';
import { findFfmpeg } from '../media/media.js';
import { runChild } from '../processes/child-process.js';
import { createModelInspector } from '../scorer/engine/inspect/inspect.js';
import { loadCodec } from '../scorer/pictures/load-codec.js';
import type { Environment } from '../settings.js';
import { attempt, type Check, fail, type Group, ok, warn } from './report.js';

/** With what jobs encode, and what for. */
const ENCODERS = {
  libx264: 'codec h264, the default',
  libx265: 'codec h265',
  'libvpx-vp9': 'codec vp9',
  ffv1: 'codec ffv1',
  aac: 'sound',
};

/** @param model an .onnx file that runs on every device. */
export async function checkPrograms(env: Environment, model: string): Promise<Group> {
  const checks = await Promise.all([
    attempt('FFmpeg', () => checkFfmpeg(env)),
    attempt('pictures', checkPictures),
    ...DEVICES.map((device) => attempt(device, () => checkDevice(device, model))),
  ]);
  return { title: 'Programs and devices', checks: checks.flat() };
}

async function checkFfmpeg({ FFMPEG_PATH, FFPROBE_PATH, PATH = '' }: Environment): Promise<Check[]> {
  const setting = {
    ...(FFMPEG_PATH && { ffmpegPath: FFMPEG_PATH }),
    ...(FFPROBE_PATH && { ffprobePath: FFPROBE_PATH }),
  };
  const { ffmpeg, ffprobe } = findFfmpeg(setting, PATH);
  const [version, probe, encoders] = await Promise.all([
    run(ffmpeg, ['-hide_banner', '-version']),
    run(ffprobe, ['-hide_banner', '-version']),
    run(ffmpeg, ['-hide_banner', '-encoders']),
  ]);
  return [describe('FFmpeg', ffmpeg, version), describe('ffprobe', ffprobe, probe), judgeEncoders(encoders)];
}

const run = async (program: string, args: string[]): Promise<string> =>
  (await runChild(program, args, { env: {} })).stdout.toString();

function describe(about: string, program: string, said: string): Check {
  const [, version] = /version (\S+)/.exec(said) ?? [];
  const found = `${version ?? 'of no known version'} at ${program}`;
  return program.includes(`${path.sep}node_modules${path.sep}`)
    ? warn(about, found, 'It is the old one of the npm package; a current FFmpeg on PATH is faster.')
    : ok(about, found);
}

export function judgeEncoders(listed: string): Check {
  const has = (encoder: string) => new RegExp(`^ [A-Z.]{6} ${encoder}\\s`, 'm').test(listed);
  const missing = Object.entries(ENCODERS).filter(([encoder]) => !has(encoder));
  const found = Object.keys(ENCODERS).filter(has).join(', ');
  if (missing.length === 0) return ok('encoders', found);
  const what = missing.map(([encoder, purpose]) => `${encoder} (${purpose})`).join(', ');
  const help = `This FFmpeg has no ${what}; install another one.`;
  return has('libx264') ? warn('encoders', found, help) : fail('encoders', found || 'none that is needed', help);
}

async function checkPictures(): Promise<Check> {
  let why = '';
  await loadCodec('auto', (sentence) => (why = sentence));
  return why === ''
    ? ok('pictures', 'sharp reads and writes them')
    : warn('pictures', why, 'Install sharp for this platform.');
}

const DEVICES = ['cpu', 'cuda', 'webgpu'] as const;

/** Loads the model there as a scorer would, in a process of its own, as a driver that is broken may bring it down. */
async function checkDevice(device: (typeof DEVICES)[number], model: string): Promise<Check> {
  try {
    await createModelInspector()(model, path.basename(model), device);
    return ok(device, 'runs models');
  } catch (error) {
    if (device === 'cpu') throw error;
    const [, reason] = /cannot be used: (.*?)\.?$/s.exec(messageOf(error)) ?? [];
    if (error instanceof JobError && reason !== undefined) return ok(device, `not here: ${reason}`);
    return warn(device, messageOf(error), `Leave out --device ${device}.`);
  }
}

/** Those whose versions decide what a job makes, and how. */
const PACKAGES = [
  'onnxruntime-node',
  'sharp',
  'jimp',
  '@azure/functions',
  'durable-functions',
  '@azure/storage-blob',
  'azurite',
];

/** @param folder of this package, with its package.json. */
export async function checkPackages(folder: string): Promise<Group> {
  const { dependencies = {} } = await manifestIn(folder);
  const checks = await Promise.all(
    PACKAGES.map((name) => attempt(name, () => checkPackage(folder, name, dependencies[name] ?? ''))),
  );
  return { title: 'Packages', checks: checks.flat() };
}

async function checkPackage(folder: string, name: string, wanted: string): Promise<Check> {
  const version = await installedVersion(folder, name);
  if (version === undefined) return fail(name, 'not installed', 'Install this package again.');
  return version === wanted
    ? ok(name, version)
    : warn(name, `${version}, not ${wanted}, with which it was tested`, 'Install this package again.');
}

/** Where Node looks for a package: in `node_modules` of the folder and of those above it. */
async function installedVersion(folder: string, name: string): Promise<string | undefined> {
  const found = await manifestIn(path.join(folder, 'node_modules', name)).catch(() => undefined);
  if (found?.version !== undefined) return found.version;
  const above = path.dirname(folder);
  return above === folder ? undefined : installedVersion(above, name);
}

interface PackageManifest {
  version?: string;
  dependencies?: Record<string, string>;
}

const manifestIn = async (folder: string): Promise<PackageManifest> =>
  JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8')) as PackageManifest;
