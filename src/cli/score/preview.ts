import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { counted, JobError, unbroken } from '../../job/failure.js';
import { LeftOut } from '../../job/items/left-out.js';
import { givesPictures } from '../../model-card/schema.js';
import { createMedia, findFfmpeg, type Media, readMediaLimits } from '../../media/media.js';
import { describeEnd, isFromOutside, PERHAPS_MEMORY, runChild } from '../../processes/child-process.js';
import { tryPictures } from '../../scorer/run/try-picture.js';
import { findPictures, noPictures } from '../client/folders.js';
import { bytesOf, type OpenChoice, openModel } from './open-model.js';
import { saveBytes } from '../client/files.js';
import { checkDistinct, checkOutputFile } from './user-files.js';

export interface PreviewOptions extends OpenChoice {
  /** A video, or a folder of images. */
  input: string;
  isFolder: boolean;
  /** How many frames or images. */
  count: number;
  sheet: string;
  overwrite: boolean;
  env: NodeJS.ProcessEnv;
}

export interface Preview {
  contactSheet: string;
  previewed: number;
  /** Frames of the video or images of the folder, about. */
  items: number;
  device: string;
  /** For scoring all of them on this machine. */
  seconds: { low: number; high: number };
  assumed: string[];
  warnings: string[];
}

interface Sample {
  pictures: { name: string; bytes: Uint8Array<ArrayBuffer> }[];
  items: number;
  warnings: string[];
}

/**
 * Scores some frames spread over a video, or some images of a folder, on this machine, and writes them in pairs with what the model makes
 * of them. It uses no stack and leaves nothing else.
 * @throws JobError `user`: the input, the model or the contact sheet cannot be used.
 */
export async function preview(options: PreviewOptions): Promise<Preview> {
  const { input, isFolder, count, sheet, overwrite, style, device, env } = options;
  await checkOutputFile(sheet, '--contact-sheet', overwrite);
  if (!isFolder) await checkDistinct([['--contact-sheet', sheet]], [input]);
  const { FFMPEG_PATH: ffmpegPath, FFPROBE_PATH: ffprobePath, PATH = '' } = env;
  const tools = findFfmpeg({ ...(ffmpegPath && { ffmpegPath }), ...(ffprobePath && { ffprobePath }) }, PATH);
  const media = createMedia(tools, { limits: readMediaLimits(env), environment: { PATH }, confinement: [] });
  const { pictures, items, warnings } = isFolder
    ? await imagesOf(input, count, sheet)
    : await framesOf(input, count, { media, ffmpeg: tools.ffmpeg });
  const { file, card, assumed, remove } = await openModel(options);
  try {
    if (!givesPictures(card) && card.output.kind !== 'mask')
      throw new JobError(
        'user',
        `The model gives ${card.output.kind} and no pictures to look at; "models try" runs it on one picture.`,
      );
    const before = pictures.map(({ bytes }) => Buffer.from(bytes));
    const files = { model: await bytesOf(file), pictures, ...(style !== undefined && { style: await bytesOf(style) }) };
    const tried = await tryPictures(files, { card, ending: 'png', device });
    const pairs = before.map((picture, index) => ({
      before: picture,
      after: Buffer.from(tried.outputs[index] ?? picture),
    }));
    const folder = await mkdtemp(path.join(os.tmpdir(), 'preview-'));
    try {
      const drawn = path.join(folder, 'sheet.png');
      await media.contactSheet(pairs, drawn);
      await saveBytes(await bytesOf(drawn), sheet, overwrite);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    const { decode, prepare, infer, finish, encode } = tried.milliseconds;
    const all = ((decode + prepare + infer + finish + encode) / 1000 / pictures.length) * items;
    const seconds = { low: Math.ceil(LOW * all), high: Math.ceil(HIGH * all) };
    return {
      contactSheet: sheet,
      previewed: pictures.length,
      items,
      device: tried.device,
      seconds,
      assumed,
      warnings: [...warnings, ...tried.said],
    };
  } finally {
    await remove();
  }
}

/** Steps of different items run side by side in a job, and the first item is slower than the rest; what splits and encodes shares the cores. */
const LOW = 0.5;
const HIGH = 1.5;

/** Indices of `count` among `total`, spread evenly, each in the middle of its part. */
export function spread(count: number, total: number): number[] {
  const taken = Math.min(count, total);
  return Array.from({ length: taken }, (_, index) => Math.floor(((index + 0.5) * total) / taken));
}

async function framesOf(
  video: string,
  count: number,
  { media, ffmpeg }: { media: Pick<Media, 'probe'>; ffmpeg: string },
): Promise<Sample> {
  const { framesEstimate, durationSeconds } = await media.probe(video);
  const pictures: Sample['pictures'] = [];
  for (const frame of spread(count, framesEstimate)) {
    const at = ((frame / framesEstimate) * durationSeconds).toFixed(3);
    const cut = [
      '-v',
      'error',
      '-nostdin',
      '-ss',
      at,
      '-i',
      `file:${video}`,
      '-frames:v',
      '1',
      '-c:v',
      'png',
      '-f',
      'image2pipe',
      'pipe:1',
    ];
    const { stdout, ...end } = await runChild(ffmpeg, cut, { env: {} });
    if (isFromOutside(end.signal))
      throw new JobError('platform', `ffmpeg was ${describeEnd(end)}, ${PERHAPS_MEMORY}; try again.`);
    if (stdout.length > 0) pictures.push({ name: `frame at ${at} s`, bytes: new Uint8Array(stdout) });
  }
  if (pictures.length === 0)
    throw new JobError('user', `No frame of ${video} can be read; play it to see what is wrong.`);
  return { pictures, items: framesEstimate, warnings: [] };
}

async function imagesOf(folder: string, count: number, except: string): Promise<Sample> {
  const leftOut = new LeftOut();
  const names: string[] = [];
  for await (const { name } of findPictures(folder, except, leftOut)) names.push(name);
  if (names.length === 0) throw noPictures(folder, leftOut);
  names.sort();
  const chosen = spread(count, names.length).map((index) => names[index] ?? '');
  const pictures = await Promise.all(
    chosen.map(async (name) => ({ name, bytes: await bytesOf(path.join(folder, name)) })),
  );
  return { pictures, items: names.length, warnings: leftOut.warnings() };
}

export function renderPreview(
  { contactSheet, previewed, items, device, seconds, assumed, warnings }: Preview,
  unit: string,
): string {
  return [
    ...(assumed.length === 0
      ? []
      : ['No card says, so it is assumed as a draft has it:', ...assumed.map((each) => `- ${each}`)]),
    ...warnings.map((warning) => `Warning: ${warning}`),
    `${counted(previewed, unit)} of about ${items} on ${device}. Scoring all of them on this machine would take about ${inWords(seconds.low)} to ${inWords(seconds.high)}.`,
    `Contact sheet: ${contactSheet}`,
  ]
    .map(unbroken)
    .join('\n');
}

const inWords = (seconds: number) =>
  seconds < 100
    ? `${seconds} s`
    : seconds < 6000
      ? `${Math.round(seconds / 60)} min`
      : `${(seconds / 3600).toFixed(1)} h`;
