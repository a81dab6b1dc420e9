import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { JobStatus } from '../../api/jobs.js';
import { JobError } from '../../job/failure.js';
import {
  endingOf,
  fileKindByName,
  isNamedAsPicture,
  MAC_METADATA,
  type Quality,
  VIDEO,
  VIDEO_ENDINGS,
  type VideoCodec,
} from '../../job/items/formats.js';
import { LeftOut } from '../../job/items/left-out.js';
import type { Fill } from '../../job/tolerance.js';
import { INBOX, OUTBOX, PREDICTIONS_CSV, PREDICTIONS_JSONL } from '../../job-store/layout.js';
import type { JobClient, OnProgress, Uploader } from '../client/client.js';
import { downloadFolder, findPictures, findSound, noPictures, uploadFolder } from '../client/folders.js';
import { requestOf } from '../client/unfinished.js';
import { type JobOptions, modelFilesOf, ofJob, type Renamed, runThrough, type Uploaded } from './run-job.js';
import { isVideo, type Saved, type Summary, summarise } from './summary.js';
import {
  checkDistinct,
  checkInputFile,
  checkModelFiles,
  checkOutputFile,
  checkOutputFolder,
  isModelFile,
  makeOutputFolder,
} from './user-files.js';

/** Those that a job chooses by itself. */
const CHOSEN_ENDINGS = ['.mp4', '.mkv'];

export const ON_DAMAGE = ['fail', 'keep'] as const;

export interface VideoOptions extends JobOptions {
  /** A file; with a frame rate, a folder of pictures that become a video. */
  video: string;
  /** Frames a second. */
  frameRate?: string;
  /** The file whose sound goes with the frames; the one beside them when left out. */
  audio?: string;
  /** Where the result goes: a video, whose ending chooses the container, a table of predictions, or a folder. */
  out?: string;
  /** Where the result goes when `out` is left out: a video gets the ending that the job chooses, predictions a folder. */
  base: string;
  codec?: VideoCodec;
  quality?: Quality;
  onDamage?: (typeof ON_DAMAGE)[number];
  /** What the video shows in place of a frame that failed. */
  fill?: Fill;
  /** Draws what the model finds into the video. */
  draw?: boolean;
  /** Where before/after pairs go, if they are wanted. */
  contactSheet?: string;
}

/** What the user wants to have saved: `any` when the model decides. */
type Wanted = 'video' | 'table' | 'folder' | 'any';

const TABLES: Record<string, string> = { '.jsonl': PREDICTIONS_JSONL, '.csv': PREDICTIONS_CSV };

/**
 * Runs one video through the app: starts the local stack when none runs, uploads, starts the job, shows its progress and
 * downloads the result.
 * @throws JobError with the sentence of whatever went wrong.
 */
export async function scoreVideo(options: VideoOptions): Promise<Summary> {
  const checked = await checkVideoJob(options);
  const { wanted } = checked;
  const leftOut = new LeftOut();
  let saved: Saved = { output: options.out ?? options.base, predictions: null, contactSheet: null };
  const { status, seconds } = await runThrough(options, {
    unit: 'frames',
    request: await requestOfVideo(options),
    upload: (client, onProgress) => uploadVideo(client, options, { ...checked, leftOut, onProgress }),
    save: async (client, done) => {
      saved = await save(client, done, options, wanted);
    },
  });
  const own = summarise(status, seconds, saved);
  const summary = { ...own, warnings: [...leftOut.warnings(), ...own.warnings] };
  if (options.contactSheet === undefined || saved.contactSheet !== null) return summary;
  const why = isVideo(summary) ? 'FFmpeg cannot read the frames as they came' : 'the job made no video';
  return { ...summary, warnings: [...summary.warnings, `There is no contact sheet, because ${why}.`] };
}

/** What is known of the command's files when they can be used. */
export interface CheckedVideo {
  wanted: Wanted;
  /** The sound that goes with frames. */
  sound: string | undefined;
}

/** @throws JobError `user` before anything is started when a file cannot be read or written. */
export async function checkVideoJob(options: VideoOptions): Promise<CheckedVideo> {
  const wanted = await wantedOf(options);
  const uploads = options.frameRate !== undefined && options.resume === undefined;
  const sound = uploads ? (options.audio ?? (await findSound(options.video))) : undefined;
  if (options.resume === undefined) await checkInputs(options, sound);
  await checkOutputs(options, wanted, sound);
  return { wanted, sound };
}

interface Upload extends CheckedVideo {
  leftOut: LeftOut;
  onProgress: OnProgress;
  /** What stands for all of it: a file for the video, the names of some frames. */
  part?: { file?: string; names?: Set<string> };
}

/** Uploads what the job is about, and says what it is to make of it. */
export async function uploadVideo(client: Uploader, options: VideoOptions, upload: Upload): Promise<Uploaded> {
  const { input, renamed } = await uploadInput(client, options, upload);
  const [[stored] = ['']] = renamed;
  const output = outputOf(options, upload.wanted, stored);
  if (output.video !== undefined && options.out !== undefined) renamed.push([output.video, options.out]);
  return { input, output, tolerate: { fill: options.fill }, renamed };
}

/** Uploads the video, or the frames and their sound. @returns what the job reads, and what the user calls it, the first of it first. */
async function uploadInput(
  client: Uploader,
  { video, frameRate, onDamage }: VideoOptions,
  { sound, leftOut, onProgress, part = {} }: Upload,
): Promise<{ input: object; renamed: Renamed[] }> {
  if (frameRate === undefined) {
    const stored = await client.upload('video', part.file ?? video, { onProgress });
    return { input: { video: stored, onDamage }, renamed: [[stored, video]] };
  }
  const audio = sound === undefined ? undefined : await client.upload('audio', sound, { onProgress });
  const images = await uploadFolder(client, video, sound ?? '', leftOut, part.names);
  const renamed: Renamed[] = [[images, `${video}${path.sep}`]];
  if (audio !== undefined && sound !== undefined) renamed.push([audio, sound]);
  return { input: { images, frameRate, audio }, renamed };
}

/** Tells whether another command asks for the same. */
export const requestOfVideo = (options: VideoOptions) =>
  requestOf(ofJob(options), [options.video, options.audio, ...modelFilesOf(options)]);

/** @throws JobError `user` when nothing can be saved under the name of `out`. */
async function wantedOf({ out, draw = false }: VideoOptions): Promise<Wanted> {
  if (out === undefined) return 'any';
  const ending = endingOf(out);
  const existing = await stat(out).catch(() => undefined);
  if (existing?.isDirectory() === true || (ending === '' && !existing)) return 'folder';
  if (VIDEO_ENDINGS.includes(ending)) return 'video';
  if (ending in TABLES && !draw) return 'table';
  const tables = draw ? '' : `, or in ${Object.keys(TABLES).join(' or ')} for predictions`;
  throw new JobError(
    'user',
    `${out} must end in ${VIDEO_ENDINGS.join(', ')}${tables}, or be a folder; name another file with --out.`,
  );
}

/** @param video where the video or the frames were uploaded; nobody else writes beside it. */
function outputOf({ out = '', codec, quality, frameFormat, draw }: VideoOptions, wanted: Wanted, video: string) {
  const place = path.posix.dirname(video).replace(new RegExp(`^${INBOX}`), OUTBOX);
  return {
    ...(wanted === 'video' && { video: `${place}/output${endingOf(out)}` }),
    ...((wanted === 'folder' || wanted === 'table') && { predictions: `${place}/predictions/` }),
    codec,
    quality,
    frameFormat,
    draw,
  };
}

/** Downloads what is wanted of what the job has made. */
async function save(
  client: JobClient,
  { id, output, predictions }: JobStatus,
  options: VideoOptions,
  wanted: Wanted,
): Promise<Saved> {
  const { out, base, contactSheet, overwrite } = options;
  const folder = out ?? base;
  if (wanted === 'folder') await makeOutputFolder(folder);
  if (predictions === null && output?.endsWith('/') === true) {
    await downloadFolder(client, id, folder, overwrite);
    return { output: folder, predictions: null, contactSheet: null };
  }
  const hasVideo = output !== null && output !== predictions;
  let tables: Saved['predictions'] = null;
  if (wanted === 'table') await saveTable(client, id, folder, overwrite);
  else if (predictions !== null && wanted !== 'video') {
    await downloadFolder(client, id, folder, overwrite);
    tables = { jsonl: path.join(folder, PREDICTIONS_JSONL), csv: path.join(folder, PREDICTIONS_CSV) };
  }
  if (!hasVideo) return { output: folder, predictions: tables, contactSheet: null };
  const name = wanted === 'folder' ? path.join(folder, path.basename(base)) : base;
  const file = wanted === 'video' ? folder : name + endingOf(output);
  await client.download(id, 'output', file, overwrite);
  const hasSheet = contactSheet !== undefined && (await saveSheet(client, id, contactSheet, options));
  return { output: file, predictions: tables, contactSheet: hasSheet ? contactSheet : null };
}

/** @returns false where there is none: of frames that were files, ffmpeg may not read the kind. */
async function saveSheet(client: JobClient, id: string, file: string, options: VideoOptions): Promise<boolean> {
  try {
    await client.download(id, 'contact-sheet', file, options.overwrite);
    return true;
  } catch (error) {
    if (options.frameRate !== undefined && error instanceof JobError && error.blame === 'user') return false;
    throw error;
  }
}

async function saveTable(client: JobClient, id: string, file: string, overwrite?: boolean): Promise<void> {
  for await (const files of client.files(id))
    for (const { name, url } of files) if (name === TABLES[endingOf(file)]) await client.fetch(url, file, overwrite);
}

async function checkInputs(options: VideoOptions, sound: string | undefined): Promise<void> {
  if (options.frameRate === undefined) await checkVideo(options.video);
  else await checkFrames(options.video, sound);
  await checkModelFiles(options);
}

async function checkOutputs(options: VideoOptions, wanted: Wanted, sound: string | undefined): Promise<void> {
  const { out, base, contactSheet } = options;
  const tables = Object.values(TABLES).map((name) => path.join(out ?? base, name));
  const chosen = {
    video: [out ?? base],
    table: [out ?? base],
    folder: tables,
    any: VIDEO_ENDINGS.map((ending) => base + ending),
  };
  const saved = chosen[wanted];
  const outputs = saved.map((file): [string, string] => ['--out', file]);
  if (contactSheet !== undefined) outputs.push(['--contact-sheet', contactSheet]);
  const model = isModelFile(options.model) ? options.model : undefined;
  const inputs = [options.video, sound, model, options.card, options.labels, options.style];
  await checkDistinct(
    outputs,
    inputs.filter((file) => file !== undefined),
  );
  if (wanted === 'folder') await checkOutputFolder(out ?? base);
  const there = await inFolder(out ?? base, tables);
  const files = {
    ...chosen,
    folder: there,
    any: [...CHOSEN_ENDINGS.map((ending) => base + ending), ...there],
  }[wanted];
  for (const file of files) await checkOutputFile(file, '--out', options.overwrite);
  const isBesideTables =
    wanted === 'folder' && there.length === 0 && path.dirname(contactSheet ?? '') === (out ?? base);
  if (contactSheet !== undefined && !isBesideTables)
    await checkOutputFile(contactSheet, '--contact-sheet', options.overwrite);
}

async function checkVideo(video: string): Promise<void> {
  await checkInputFile(video, 'video');
  if (isNamedAsPicture(video) && !/\.gif$/i.test(video))
    throw new JobError('user', `${video} is a picture; put it into a folder and name the folder.`);
  const kind = fileKindByName(path.basename(video));
  if (kind === MAC_METADATA) throw new JobError('user', `${video} is ${kind.one}; name the file beside it.`);
  if (typeof kind === 'object' && kind !== VIDEO)
    throw new JobError('user', `${video} is ${kind.one}; ${kind.advice}, put it into a folder and name the folder.`);
}

async function checkFrames(folder: string, sound: string | undefined): Promise<void> {
  if (sound !== undefined) await checkInputFile(sound, 'sound file');
  const leftOut = new LeftOut();
  const pictures = findPictures(folder, sound ?? '', leftOut);
  const { done } = await pictures.next();
  // Closes the folder.
  await pictures.return(undefined);
  if (done) throw noPictures(folder, leftOut);
}

/** The files, if there is such a folder. */
const inFolder = (folder: string, files: string[]) =>
  stat(folder).then(
    (found) => (found.isDirectory() ? files : []),
    () => [],
  );
