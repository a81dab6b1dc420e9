import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { counted } from '../job/failure.js';
import { attempt, type Check, fail, type Group, ok, warn } from './report.js';

const GIB = 1024 ** 3;
const gib = (bytes: number) => `${(bytes / GIB).toFixed(1)} GiB`;

/**
 * @param node range of versions that the package asks for, as in `>=20.19`.
 * @param folders each with what it is for.
 */
export async function checkMachine(node: string, folders: [what: string, folder: string][]): Promise<Group> {
  const disks = await Promise.all(
    folders.map(([what, folder]) => attempt(`disk, ${what}`, () => checkDisk(`disk, ${what}`, folder))),
  );
  return {
    title: 'This machine',
    checks: [checkNode(process.versions.node, node), system(), memory(), ...disks.flat()],
  };
}

export function checkNode(version: string, range: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor = 0, leastMinor = 0] = range.replace(/^>=/, '').split('.').map(Number);
  const isOld = major < leastMajor || (major === leastMajor && minor < leastMinor);
  return isOld ? fail('Node', version, `Install a version ${range}.`) : ok('Node', version);
}

function system(): Check {
  const cores = os.availableParallelism();
  return ok('system', `${os.platform()} ${os.release()} on ${os.arch()}, ${counted(cores, 'core')}`);
}

/** Below this, one container with a larger model, ffmpeg and the app do not fit side by side. */
const LITTLE_MEMORY = 2 * GIB;

function memory(): Check {
  // Of a container: its limit. 0 or more than there is: none.
  const limit = process.constrainedMemory();
  const total = limit > 0 ? Math.min(limit, os.totalmem()) : os.totalmem();
  const found = `${gib(total)}${total < os.totalmem() ? ' (limit of this container)' : ''}, ${gib(os.freemem())} free`;
  return total < LITTLE_MEMORY
    ? warn('memory', found, 'Run one container at a time (--max-parallel 1), or use a machine with more.')
    : ok('memory', found);
}

/** Frames of a minute of 720p take about 4 GB. */
const LITTLE_DISK = 5 * GIB;
const NO_DISK = GIB / 2;

async function checkDisk(about: string, folder: string): Promise<Check> {
  const there = await nearest(folder);
  const refused = await whyNotWritable(there);
  if (refused !== undefined)
    return fail(about, `${folder} cannot be written, as ${refused}`, 'Mend that, or name another folder.');
  const { bavail, bsize } = await statfs(there);
  return judgeDisk(about, bavail * bsize, folder);
}

export function judgeDisk(about: string, free: number, folder: string): Check {
  const found = `${gib(free)} free in ${folder}`;
  if (free < NO_DISK) return fail(about, found, 'Free some space, or name another folder.');
  if (free < LITTLE_DISK)
    return warn(about, found, 'Frames of a video take up to 3 bytes a pixel: long ones may not fit.');
  return ok(about, found);
}

async function whyNotWritable(folder: string): Promise<string | undefined> {
  if (!(await stat(folder)).isDirectory()) return `${folder} is a file`;
  const isWritable = await access(folder, constants.R_OK | constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  return isWritable ? undefined : `your user may not read and write ${folder}`;
}

/** The folder, or the one above it that exists. */
async function nearest(folder: string): Promise<string> {
  try {
    await statfs(folder);
    return folder;
  } catch (error) {
    const above = path.dirname(folder);
    if (above === folder) throw error;
    return nearest(above);
  }
}

/** @param isOurs whether a local stack runs, which has the ports. */
export async function checkPort(port: number, what: string, isOurs: boolean): Promise<Check> {
  const about = `port ${port}`;
  if (await isFree(port)) return ok(about, `free, for ${what}`);
  if (isOurs) return ok(about, 'in use, as the local stack runs');
  return warn(about, `in use by another program`, `The local stack takes the next free one for ${what}.`);
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
