import { JobError } from '../failure.js';
import { type JobSpec, readSpec } from '../spec.js';
import { type Expectation, expectationSchema } from './expectation.js';
import { DEFAULTS_FILE } from './what-starts.js';

/** The job that new media asks for, and what has to be there before it begins. */
export interface MediaJob {
  spec: JobSpec;
  expect?: Expectation;
}

/** A file of the inbox: its name there and its text. */
export interface InboxFile {
  name: string;
  text: string;
}

/** Longer files are read by nobody: a job file lists at most some ten thousand names. */
export const MOST_FILE_BYTES = 4 * 1024 * 1024;

/** Where the defaults for a blob may be, the nearest first; the first that is there counts, alone. */
export function defaultsPlaces(name: string): string[] {
  const folders = name.split('/').slice(0, -1);
  return [...folders.keys(), folders.length]
    .toReversed()
    .map((depth) => [...folders.slice(0, depth), DEFAULTS_FILE].join('/'));
}

/**
 * The job of a job file, which says all by itself: paths are relative to the file, those of outputs to a folder of the same name in the
 * outbox, unless they begin with `inbox/`, `styles/` or `outbox/`.
 * @throws JobError `user`: one sentence that names the file.
 */
export function jobOfFile(name: string, text: string): MediaJob {
  const file = pathOf(name);
  const { expect, ...said } = readObject(file, text);
  return checked(file, placed(name, said), expect);
}

/**
 * The job of a bare video: the nearest defaults, and over them the metadata of its blob.
 * @throws JobError `user`: one sentence that names the file to correct.
 */
export function jobOfVideo(name: string, defaults: InboxFile, metadata: Record<string, string>): MediaJob {
  // A frame rate is for the folders of frames that the defaults are for, too.
  const usual = readDefaults(defaults);
  const { frameRate: _, ...input } = isObject(usual.input) ? usual.input : {};
  const layers = [{ ...usual, input }, fromMetadata(name, metadata), { input: { video: pathOf(name) } }];
  return layered(name, layers, defaults);
}

/**
 * The job of a folder whose trigger file has come: the nearest defaults, over them what the file says, and over that its metadata.
 * @throws JobError `user`: one sentence that names the file to correct.
 */
export function jobOfFolder(
  name: string,
  text: string,
  defaults: InboxFile | undefined,
  metadata: Record<string, string>,
): MediaJob {
  const file = pathOf(name);
  const folder = file.slice(0, file.lastIndexOf('/') + 1);
  if (folder === 'inbox/')
    throw new JobError('user', `${file} is in no folder; put it into the folder whose images are ready.`);
  const { expect, ...said } = text.trim() === '' ? {} : readObject(file, text);
  const own = placed(name, said);
  for (const key of ['video', 'images'])
    if (memberOf(own.input, key) !== undefined)
      throw new JobError(
        'user',
        `In ${file} "input.${key}" is not needed, as it starts a job for its own folder; remove it.`,
      );
  const layers = [defaults ? readDefaults(defaults) : {}, own, fromMetadata(name, metadata)];
  if (layers.every(({ model }) => model === undefined))
    throw new JobError(
      'user',
      `${file} starts a job without a "model"; name one in it, or in a ${DEFAULTS_FILE} in its folder or above.`,
    );
  return layered(name, [...layers, { input: { images: folder } }], defaults, expect);
}

type Json = Record<string, unknown>;

const pathOf = (name: string) => `inbox/${name}`;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const memberOf = (value: unknown, key: string): unknown => (isObject(value) ? value[key] : undefined);

function readObject(file: string, text: string): Json {
  const json = text.replace(/^\uFEFF/, '').trim();
  if (json === '') throw new JobError('user', `${file} is empty; write a job specification into it.`);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new JobError('user', `${file} is not valid JSON; correct it and upload it again.`, { cause });
  }
  if (isObject(value)) return value;
  throw new JobError('user', `${file} must be an object, as in {"model": "starry-night"}.`);
}

/** What would be the same for every job of the folder. */
const NOT_DEFAULTS = [
  ['input', 'video'],
  ['input', 'images'],
  ['input', 'audio'],
  ['output', 'video'],
  ['output', 'images'],
  ['output', 'predictions'],
] as const;

function readDefaults({ name, text }: InboxFile): Json {
  const file = pathOf(name);
  if (Buffer.byteLength(text) > MOST_FILE_BYTES)
    throw new JobError('user', `${file} is longer than ${MOST_FILE_BYTES} bytes; at most so many are read.`);
  const said = readObject(file, text);
  const wrong = NOT_DEFAULTS.find(([group, key]) => memberOf(said[group], key) !== undefined)?.join('.');
  const only = wrong ?? ('expect' in said ? 'expect' : undefined);
  if (only !== undefined)
    throw new JobError('user', `In ${file} "${only}" would be the same for every job of the folder; remove it.`);
  return placed(name, said);
}

/** Names of metadata that say something of a job; all others are their owner's own. */
const METADATA = {
  model: ['model'],
  style: ['style'],
  codec: ['output', 'codec'],
  quality: ['output', 'quality'],
  draw: ['output', 'draw'],
  overwrite: ['output', 'overwrite'],
  compute: ['compute', 'kind'],
  device: ['compute', 'device'],
  gpu: ['compute', 'gpu'],
} as const;

function fromMetadata(name: string, metadata: Record<string, string>): Json {
  const given = new Map(Object.entries(metadata).map(([key, value]) => [key.toLowerCase(), value]));
  let said: Json = {};
  for (const [key, [group, member]] of Object.entries(METADATA)) {
    const text = given.get(key);
    if (text === undefined) continue;
    const value = key === 'draw' || key === 'overwrite' ? truthOf(text) : text;
    said = merged(said, { [group]: member === undefined ? value : { [member]: value } });
  }
  return placed(name, said);
}

const truthOf = (text: string) => ({ true: true, false: false })[text.toLowerCase()] ?? text;

function layered(name: string, layers: Json[], defaults: InboxFile | undefined, expect?: unknown): MediaJob {
  const said = layers.reduce(merged, {});
  const others = defaults ? [`the defaults of ${pathOf(defaults.name)}`] : [];
  return checked(`${pathOf(name)} with ${[...others, 'its metadata'].join(' and ')}`, said, expect);
}

/** What `above` says counts, down to the members of objects. */
function merged(below: Json, above: Json): Json {
  const both = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const other = below[key];
    both[key] = isObject(value) && isObject(other) ? merged(other, value) : value;
  }
  return both;
}

/** @param source names what was read, for sentences. */
function checked(source: string, said: Json, expect: unknown): MediaJob {
  const spec = readSpec(said, source);
  if (expect === undefined) return { spec };
  if (spec.input.images === undefined)
    throw new JobError('user', `In ${source} "expect" is for "input.images"; leave it out for a video.`);
  const read = expectationSchema.safeParse(expect);
  if (!read.success) {
    const { path = [], message = 'is wrong' } = read.error.issues[0] ?? {};
    throw new JobError('user', `In ${source} "${['expect', ...path].join('.')}" ${message}.`, { cause: read.error });
  }
  if (!Array.isArray(read.data)) return { spec, expect: read.data };
  return { spec, expect: read.data.map((each) => nameBelow(source, each)) };
}

function nameBelow(source: string, name: string): string {
  const parts = joined([], name);
  if (parts !== undefined && parts.length > 0) return parts.join('/');
  throw new JobError(
    'user',
    `In ${source} "expect" names ${name.slice(0, 80)}, which is not below the folder of the images.`,
  );
}

/** Members that are paths, the containers that they may begin with, and the one that they else are in. */
const PATHS = [
  { at: ['input', 'video'], containers: ['inbox'] },
  { at: ['input', 'images'], containers: ['inbox'] },
  { at: ['input', 'audio'], containers: ['inbox'] },
  { at: ['style'], containers: ['inbox', 'styles'] },
  { at: ['output', 'video'], containers: ['outbox'] },
  { at: ['output', 'images'], containers: ['outbox'] },
  { at: ['output', 'predictions'], containers: ['outbox'] },
] as const;

/** Names of containers, so that no path begins with a folder of that name by accident. */
const CONTAINERS = ['inbox', 'styles', 'outbox'];

/** What a file says, with its paths from the container. */
function placed(name: string, said: Json): Json {
  let result = said;
  for (const { at, containers } of PATHS) {
    const [group, member] = at;
    const path = member === undefined ? said[group] : memberOf(said[group], member);
    if (typeof path !== 'string') continue;
    const value = placedPath(name, at.join('.'), path, containers);
    result = merged(result, { [group]: member === undefined ? value : { [member]: value } });
  }
  return result;
}

function placedPath(name: string, member: string, path: string, containers: readonly [string, ...string[]]): string {
  const [usual] = containers;
  const container = containers.find((each) => path.startsWith(`${each}/`));
  if (container === undefined && CONTAINERS.some((each) => path.startsWith(`${each}/`)))
    throw new JobError('user', `In ${pathOf(name)} "${member}" is outside the ${usual}; name a path in it.`);
  const fromTop = container !== undefined || path.startsWith('/');
  const folder = fromTop ? [] : name.split('/').slice(0, -1);
  const parts = joined(folder, container === undefined ? path.replace(/^\//, '') : path.slice(container.length + 1));
  if (parts === undefined)
    throw new JobError(
      'user',
      `In ${pathOf(name)} "${member}" is outside the ${container ?? usual}; name a path in it.`,
    );
  return [container ?? usual, ...parts].join('/');
}

/** @returns undefined when the path leads above the top. Empty parts stay, for the specification to refuse. */
function joined(folder: string[], path: string): string[] | undefined {
  const parts = [...folder];
  for (const part of path.replace(/\/+$/, '').split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) return undefined;
    } else if (part !== '.' && path !== '') parts.push(part);
  }
  return parts;
}
