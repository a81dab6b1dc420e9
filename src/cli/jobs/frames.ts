import { access, constants, mkdir, readdir, readFile, rm, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { BlockBlobClient } from '@azure/storage-blob';
import { Option } from 'commander';
import { pMapIterable } from 'p-map';
import type { FramePart, JobStatus } from '../../api/jobs.js';
import { type IsNamed, readPack } from '../../container-contract/pack.js';
import { itemName, memberName, presentIn } from '../../container-contract/places.js';
import { downloadChunks, isPassing, readWhole, STORAGE_OPTIONS } from '../../container-contract/storage-access.js';
import { counted, JobError, messageOf, unbroken } from '../../job/failure.js';
import { endingOf, FRAME_FORMATS, type FrameFormat } from '../../job/items/formats.js';
import { ppmDamage } from '../../job/items/ppm.js';
import { estimate } from '../../job/progress.js';
import type { Codec } from '../../scorer/pictures/codec.js';
import type { JobClient } from '../client/client.js';
import { type AppChoice, findApp, idOf, LATEST, orAskScore } from '../client/connect.js';
import { removeParts, saveBytes } from '../client/files.js';
import { addExamples, addJson, addPlace, type Define, type Place } from '../around.js';
import { createProgressView } from '../score/progress-view.js';

export const define: Define = (command, around) => {
  command
    .argument('<job>', `the id of the job, or "${LATEST}"`)
    .requiredOption('--out <folder>', 'where the frames go', around.resolve)
    .option('--source', 'the frames before they were scored', false)
    .addOption(
      new Option(
        '--format <format>',
        'what they are saved as; by default as they are stored, and png in place of ppm',
      ).choices(FRAME_FORMATS),
    )
    .option('--overwrite', 'replace frames of other runs', false);
  addPlace(addJson(command), around).action(async (job: string, flags: Flags) => {
    const { env, signal, json, note, print } = around;
    const options = { job, ...flags, env, signal, note, stream: process.stderr, quiet: json };
    const saved = await saveFrames(options);
    print(json ? JSON.stringify(summaryOf(saved, options), null, 2) : renderFrames(saved, options));
  });
  addExamples(
    command,
    ['save the scored frames as PNG files', 'coast-k3v9q2xa', '--out', 'frames'],
    ['those of the job that was started last, as far as it is', LATEST, '--out', 'frames'],
    ['the frames as they came, as JPEG files', 'coast-k3v9q2xa', '--out', 'source', '--source', '--format', 'jpg'],
  );
};

type Flags = Place & Pick<FramesOptions, 'out' | 'source' | 'format' | 'overwrite'>;

/** What the command prints with `--json`. */
const summaryOf = ({ saved, there, missing, status }: SavedFrames, { out }: FramesOptions) => ({
  job: status.id,
  state: status.state,
  output: out,
  saved,
  there,
  missing,
});

export interface FramesOptions extends Pick<AppChoice, 'url' | 'key' | 'data' | 'signal'> {
  job: string;
  /** The folder that the frames go to. */
  out: string;
  /** The frames before they were scored. */
  source: boolean;
  /** By default as they are stored, and PNG in place of PPM. */
  format?: FrameFormat;
  overwrite: boolean;
  env: NodeJS.ProcessEnv;
  /** Takes the progress. */
  stream: NodeJS.WriteStream;
  quiet: boolean;
  /** Takes a sentence that is neither progress nor result. */
  note: (sentence: string) => void;
}

/** What became of the frames of a job that are stored. */
export interface SavedFrames {
  saved: number;
  /** Those that an earlier run of the command has saved. */
  there: number;
  /** Numbers of those that are not stored, of a job that is over. */
  missing: number[];
  status: JobStatus;
}

/** Frames that are fetched, converted and written at once. */
const AT_ONCE = 4;
/** URLs last an hour; those that are older than this are asked for again. */
const URLS_MS = 45 * 60_000;

/**
 * Saves the frames of a video's job as files under the names of their items, each whole or not at all. Those that an earlier run has saved
 * in the folder stay as they are.
 * @throws JobError `user` when no app runs, the job has no frames, or they cannot be written there; `platform` when they cannot be read.
 */
export async function saveFrames(options: FramesOptions): Promise<SavedFrames> {
  const { out, signal } = options;
  try {
    const client = await findApp(options);
    const named = { ...options, job: await idOf(client, options.job) };
    const status = await client.status(named.job);
    // What cannot be had is said before a folder is made.
    const { parts } = await client.frames(named.job, { ...named, from: '' });
    if (parts.length === 0 && isOver(status)) throw noFrames(status, named);
    const made = await prepareFolder(named);
    try {
      return await saveAll(client, status, named);
    } catch (error) {
      if (made !== undefined) await removeUnused(out, made);
      throw error;
    }
  } catch (error) {
    if (!signal.aborted) throw await orAskScore(options, error);
    const sentence = `Interrupted; what is in ${out} is whole, and the same command saves the rest.`;
    throw new JobError('user', sentence, { cause: error });
  }
}

const isOver = ({ state }: JobStatus) => state !== 'queued' && state !== 'running';

function noFrames({ id, state, error }: JobStatus, { source }: FramesOptions): JobError {
  const why = error ? `: ${error.message}` : '.';
  return new JobError('user', `Job "${id}" has no ${source ? '' : 'scored '}frames; it ended as ${state}${why}`);
}

/** Tells whose frames a folder holds: without it nobody could tell those of an earlier run from others of the same names. */
const MARK = '.frames.json';

/**
 * @returns the first of the folders that it has made, if any.
 * @throws JobError `user` when the folder cannot be written, or holds other frames that may not be replaced.
 */
async function prepareFolder({ job, source, out, overwrite }: FramesOptions): Promise<string | undefined> {
  const existing = await stat(out).catch(() => undefined);
  if (existing && !existing.isDirectory()) throw new JobError('user', `${out} is a file; name a folder with --out.`);
  const mark = JSON.stringify({ job, frames: source ? 'source' : 'scored' });
  try {
    const made = await mkdir(out, { recursive: true });
    await access(out, constants.W_OK);
    await removeParts(out);
    const marked = await readFile(path.join(out, MARK), 'utf8').catch(() => undefined);
    if (marked === mark) return made;
    const others = (await readdir(out)).filter((name) => FRAME_NAME.test(name));
    const [taken] = others;
    if (taken !== undefined && !overwrite)
      throw new JobError(
        'user',
        `${out} has other frames, such as ${taken}; name another folder with --out, or add --overwrite.`,
      );
    // What was left of them could not be told from this job's once the folder is marked.
    for (const name of others) await rm(path.join(out, name));
    await saveBytes(Buffer.from(mark), path.join(out, MARK), true);
    return made;
  } catch (cause) {
    if (cause instanceof JobError) throw cause;
    const sentence = `The folder ${out} cannot be written (${messageOf(cause)}); name another one with --out.`;
    throw new JobError('user', sentence, { cause });
  }
}

/** Removes a folder in which no frame was saved, and those above it that were made for it. */
async function removeUnused(out: string, made: string): Promise<void> {
  if ((await readdir(out)).some((name) => name !== MARK)) return;
  await rm(path.join(out, MARK), { force: true });
  for (let folder = out; folder.startsWith(made); folder = path.dirname(folder))
    await rmdir(folder).catch(() => undefined);
}

const FRAME_NAME = new RegExp(`^(\\d{7,})\\.(${FRAME_FORMATS.join('|')})$`);

/** A frame that is not in the folder yet. */
interface Frame {
  index: number;
  format: FrameFormat;
  read: () => Promise<Uint8Array>;
}

/** What a run knows so far. */
interface Seen {
  /** Frames that are in the folder. */
  there: Set<number>;
  /** Frames that are being saved, or were: what has become of them is known by who does it. */
  taken: Set<number>;
  /** A sentence for each pack or frame that cannot be read. */
  damages: string[];
}

async function saveAll(client: JobClient, status: JobStatus, options: FramesOptions): Promise<SavedFrames> {
  const { job, out, overwrite, stream } = options;
  const { total } = status.items;
  const began = performance.now();
  const view = createProgressView(stream, options);
  const seen: Seen = { there: new Set(), taken: new Set(), damages: [] };
  const { there, damages } = seen;
  let saved = 0;
  const report = () => {
    const { rate, secondsLeft } = estimate(saved, saved + total - there.size, (performance.now() - began) / 1000, 0);
    const items = { total: Math.max(total, there.size), done: there.size, failed: 0 };
    view.show({ id: job, stage: 'unpack', items, itemsPerSecond: rate, secondsLeft, waiting: [] });
  };
  const convert = converter(options);
  const save = async ({ index, format, read }: Frame) => {
    try {
      const bytes = await read();
      const wanted = targetFormat(format, options);
      await saveBytes(await convert(bytes, format, wanted), path.join(out, memberName(index, wanted)), overwrite);
      there.add(index);
      saved += 1;
    } catch (error) {
      if (!(error instanceof JobError && error.blame === 'item')) throw error;
      damages.push(error.message);
    }
    report();
  };
  try {
    // pMap itself loses an error of its source while several frames are worked on (p-map 7.1.1).
    for await (const _ of pMapIterable(missingFrames(client, status, options, seen), save, {
      concurrency: AT_ONCE,
      preserveOrder: false,
    }));
    report();
  } finally {
    view.end();
  }
  if (damages.length > 0) throw damaged(damages, there.size, options);
  const missing = isOver(status)
    ? Array.from({ length: total }, (_, index) => index).filter((index) => !there.has(index))
    : [];
  return { saved, there: there.size - saved, missing, status };
}

const targetFormat = (stored: FrameFormat, { format }: Pick<FramesOptions, 'format'>): FrameFormat =>
  format ?? (stored === 'ppm' ? 'png' : stored);

/** The stored frames that are not in the folder, each once. */
async function* missingFrames(
  client: JobClient,
  status: JobStatus,
  options: FramesOptions,
  seen: Seen,
): AsyncGenerator<Frame> {
  const { job, source, signal } = options;
  let from: string | null = '';
  while (from !== null) {
    const asked = performance.now();
    const { parts, next } = await client.frames(job, { source, from });
    let isLate = false;
    for (const part of parts) {
      isLate = performance.now() - asked > URLS_MS;
      if (isLate) break;
      signal.throwIfAborted();
      const wanted = await notThere(part, status, options, seen);
      if (wanted.size > 0) yield* framesOf(part, wanted, options, seen);
    }
    if (!isLate) from = next;
  }
}

/** The frames of a part that are not in the folder; those that are go into `there`. */
async function notThere(
  part: FramePart,
  { items, batches }: JobStatus,
  options: FramesOptions,
  { there, taken }: Seen,
): Promise<Set<number>> {
  // Only once batches are planned it is certain how many frames there are.
  const last = batches.total > 0 ? Math.min(part.last, items.total - 1) : part.last;
  const wanted = new Set<number>();
  for (const index of presentIn({ ...part, last })) {
    if (there.has(index) || taken.has(index)) continue;
    if (!options.overwrite && (await isSaved(index, endingOf(part.name), options))) there.add(index);
    else wanted.add(index);
  }
  return wanted;
}

/** @param ending of the part: a pack does not say which format it has, so any file that may come of it counts. */
async function isSaved(index: number, ending: string, { out, ...options }: FramesOptions): Promise<boolean> {
  const stored = FRAME_FORMATS.find((format) => `.${format}` === ending);
  const formats = stored === undefined && options.format === undefined ? FRAME_FORMATS : [stored ?? 'ppm'];
  for (const format of formats) {
    const file = await stat(path.join(out, memberName(index, targetFormat(format, options)))).catch(() => undefined);
    if (file && file.size > 0) return true;
  }
  return false;
}

async function* framesOf(
  part: FramePart,
  wanted: Set<number>,
  { signal }: FramesOptions,
  { taken, damages }: Seen,
): AsyncGenerator<Frame> {
  const { name, bytes, url } = part;
  const blob = new BlockBlobClient(url, undefined, STORAGE_OPTIONS);
  const single = parseFrame(path.posix.basename(name));
  if (single) {
    taken.add(single.index);
    yield { ...single, read: () => orSay(name, readWhole(blob, { signal })) };
    return;
  }
  const members = await orSay(
    name,
    downloadChunks(blob, signal).then(({ chunks }) => readPack(chunks, bytes, namesIn(part))),
  );
  try {
    for await (const member of members) {
      const frame = parseFrame(member.name);
      if (!frame || !wanted.has(frame.index)) continue;
      taken.add(frame.index);
      yield { ...frame, read: () => Promise.resolve(member.bytes) };
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw failedRead(name, error);
    damages.push(`${name} cannot be read: ${error.message}`);
  }
}

/** What the members of a part should be called, in whatever format they are. */
function namesIn(part: FramePart): IsNamed {
  const indices = [...presentIn(part)];
  return (name, position) => parseFrame(name)?.index === indices[position];
}

function parseFrame(name: string): Omit<Frame, 'read'> | undefined {
  const [, index, format] = FRAME_NAME.exec(name) ?? [];
  return index === undefined ? undefined : { index: Number(index), format: format as FrameFormat };
}

async function orSay<T>(name: string, read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (cause) {
    throw failedRead(name, cause);
  }
}

const failedRead = (name: string, cause: unknown) =>
  new JobError(
    'platform',
    isPassing(cause)
      ? `${name} could not be read (${messageOf(cause)}); run the command again.`
      : `${name} is no longer as it was when the app named it (${messageOf(cause)}); run the command again.`,
    { cause },
  );

/** Turns frames of one format into another; the picture library is loaded when one is. */
function converter({ note }: Pick<FramesOptions, 'note'>) {
  let loading: Promise<Codec> | undefined;
  const load = async () => {
    const { loadCodec } = await import('../../scorer/pictures/load-codec.js');
    return loadCodec('auto', note);
  };
  /** @throws JobError `item` when the frame is damaged. */
  return async (bytes: Uint8Array, from: FrameFormat, to: FrameFormat): Promise<Uint8Array> => {
    const damage = from === 'ppm' ? ppmDamage(bytes) : undefined;
    if (damage !== undefined) throw new JobError('item', `a frame cannot be read: ${damage}`);
    if (from === to) return bytes;
    loading ??= load();
    const codec = await loading;
    return codec.encode(await codec.decode(bytes, from), to);
  };
}

function damaged([first = '', ...more]: string[], there: number, { out }: FramesOptions): JobError {
  const others = more.length === 0 ? '' : `, and so it is with ${more.length} more`;
  return new JobError('platform', `${first}${others}; what could be read is in ${out}: ${counted(there, 'frame')}.`);
}

const NAMED = 20;

/** What the command says in the end. */
function renderFrames({ saved, there, missing, status }: SavedFrames, { out, source }: FramesOptions): string {
  const { id, state, error, items } = status;
  const earlier =
    there === 0
      ? ''
      : there === saved + there
        ? ', all of which were there already'
        : `, ${there} of which were there already`;
  const lines = [
    `${counted(saved + there, 'frame')} of job ${id} ${saved + there === 1 ? 'is' : 'are'} in ${out}${earlier}.`,
  ];
  const what = source ? 'Not stored' : 'Without a scored frame';
  if (missing.length > 0) {
    const more = missing.length > NAMED ? ` and ${missing.length - NAMED} more` : '';
    lines.push(
      `${what}: ${missing
        .slice(0, NAMED)
        .map((index) => itemName(index))
        .join(', ')}${more}.`,
    );
  }
  if (state === 'failed' || state === 'cancelled')
    lines.push(`The job ended as ${state}${error ? `: ${error.message}` : '.'}`);
  if (!isOver(status))
    lines.push(
      items.total === 0
        ? 'The job has not come to its frames yet: run the command again later.'
        : `The job goes on, and ${items.total} frames are expected: run the command again for the rest.`,
    );
  return lines.map(unbroken).join('\n');
}
