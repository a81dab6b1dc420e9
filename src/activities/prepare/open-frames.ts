import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { itemName } from '../../container-contract/places.js';
import { JobError } from '../../job/failure.js';
import {
  inFrameOrder,
  isSoundBeside,
  missingNumbers,
  readFrameRate,
  requireSingle,
} from '../../job/items/frame-folder.js';
import { LIST_LENGTH } from '../../job/items/item-list.js';
import { LeftOut } from '../../job/items/left-out.js';
import { type PictureSize, pictureSize } from '../../job/items/picture-size.js';
import type { JobSpec } from '../../job/spec.js';
import { findPictures, type FoundPicture, noPictures } from '../../job-store/images/find-pictures.js';
import {
  type FoundItems,
  imagesOf,
  readFoundItems,
  readList,
  writeFoundItems,
  writeItemList,
} from '../../job-store/images/items.js';
import { diskError, localSound } from '../../job-store/local-copy.js';
import type { SoundFacts, VideoFacts } from '../../media/media.js';
import { readBytes, type Storage } from '../../storage/storage.js';
import type { Ports } from '../ports.js';

/** A folder of frames as if it were a video. */
export interface OpenedFrames {
  /** `container/prefix/` in the media account. */
  name: string;
  /** Of the sound on this machine. */
  file?: string;
  facts: VideoFacts;
  /** File of the first frame that can be read. */
  picture: string;
  /** Path of the sound. */
  sound?: string;
}

interface FramesInput {
  images: string;
  frameRate: number | string;
  audio?: string;
}

/** Undefined when the job is about something else. */
export const framesIn = ({ images, frameRate, audio }: JobSpec['input']): FramesInput | undefined =>
  images === undefined || frameRate === undefined
    ? undefined
    : { images, frameRate, ...(audio !== undefined && { audio }) };

/**
 * Lists the pictures of a folder in the order of the frames, looks for the sound that lies beside them, and says what video they make. A
 * second run keeps to what the first one found, even if files have come since.
 * @throws JobError `user`: there are none, two files are one frame, several sounds lie beside them, or the sound cannot be read.
 */
export async function openFrames(
  { storage, media, signal }: Pick<Ports, 'storage' | 'media' | 'signal'>,
  jobId: string,
  input: FramesInput,
  folder: string,
): Promise<OpenedFrames> {
  const { images } = input;
  const found = (await readFoundItems(storage, jobId)) ?? (await listFrames(storage, jobId, input));
  const { sound, items, warnings } = found;
  const first = await firstReadable(storage, jobId, images, folder);
  if (sound === undefined) return { name: images, ...first, facts: factsOf(input, items, first.size, warnings) };
  const file = await localSound(storage, folder, sound, signal);
  const heard = await media.probeSound(file, sound);
  return { name: images, file, ...first, sound, facts: factsOf(input, items, first.size, warnings, heard) };
}

/** All names are in memory to be put in order. */
const MOST_FRAMES = 1_000_000;

async function listFrames(storage: Storage, jobId: string, { images, audio }: FramesInput): Promise<FoundItems> {
  const leftOut = new LeftOut();
  const sounds: string[] = [];
  const isSound = (name: string) => {
    const beside = isSoundBeside(name);
    if (beside) sounds.push(name);
    return beside || `${images}${name}` === audio;
  };
  const pictures: FoundPicture[] = [];
  for await (const picture of findPictures(storage, images, leftOut, isSound)) {
    pictures.push(picture);
    if (pictures.length > MOST_FRAMES)
      throw new JobError(
        'user',
        `There are more than ${MOST_FRAMES} frames below ${images}; make several jobs of them.`,
      );
  }
  if (pictures.length === 0) throw noPictures(images, leftOut);
  if (audio === undefined && sounds.length > 1)
    throw new JobError(
      'user',
      `Several sounds lie beside the frames in ${images} (${sounds.join(', ')}); leave one there, or name one in "input.audio".`,
    );
  const frames = inFrameOrder(pictures);
  const names = frames.map(({ name }) => name);
  requireSingle(names, images);
  const missing = missingNumbers(names);
  const sound = audio ?? (sounds[0] === undefined ? undefined : `${images}${sounds[0]}`);
  for (let from = 0; from < frames.length; from += LIST_LENGTH) {
    const list = frames
      .slice(from, from + LIST_LENGTH)
      .map(({ name, etag }, k) => ({ name, etag, output: itemName(from + k) }));
    await writeItemList(storage, jobId, from / LIST_LENGTH, list);
  }
  const found = {
    items: frames.length,
    warnings: [...leftOut.warnings(), ...(missing === undefined ? [] : [missing])],
    ...(sound !== undefined && { sound }),
  };
  await writeFoundItems(storage, jobId, found);
  return found;
}

/** Frames before the first good one; more show that these are no pictures. */
const MOST_UNREADABLE = 20;

/** @throws JobError `user` when none of the first frames is a picture. */
async function firstReadable(
  storage: Storage,
  jobId: string,
  images: string,
  folder: string,
): Promise<{ picture: string; size: PictureSize }> {
  const { container, prefix } = imagesOf(storage, images);
  const tried = (await readList(storage, jobId, 0)).slice(0, MOST_UNREADABLE);
  for (const { name } of tried) {
    const bytes = await readBytes(container, `${prefix}${name}`);
    const size = bytes && pictureSize(bytes);
    if (size === undefined || size === 'more') continue;
    const picture = path.join(folder, 'first.picture');
    try {
      await mkdir(folder, { recursive: true });
      await writeFile(picture, bytes ?? '');
    } catch (error) {
      throw diskError(error, folder);
    }
    return { picture, size };
  }
  const names = tried.map(({ name }) => name);
  throw new JobError(
    'user',
    `None of the first frames in ${images} can be read as a picture (${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}); export them again.`,
  );
}

/** Pictures are sRGB; the video says so of itself. */
const COLOUR = { range: 'tv', matrix: 'bt709', primaries: 'bt709', transfer: 'bt709' };
/** Sound that ends so much sooner or later than the frames is worth a word. */
const NOTICED_SECONDS = 0.5;

function factsOf(
  { frameRate: asked }: FramesInput,
  frames: number,
  { width, height }: PictureSize,
  warnings: string[],
  sound: SoundFacts = { container: '', fileStart: 0, durationSeconds: 0, audioStreams: 0 },
): VideoFacts {
  const frameRate = readFrameRate(asked) ?? { num: 1, den: 1 };
  const frameSeconds = frameRate.den / frameRate.num;
  const durationSeconds = frames * frameSeconds;
  const { durationSeconds: heard, ...rest } = sound;
  const differs = heard > 0 && Math.abs(heard - durationSeconds) > NOTICED_SECONDS;
  return {
    streamIndex: -1,
    codec: 'images',
    pixelFormat: 'rgb24',
    width,
    height,
    sampleAspect: { num: 1, den: 1 },
    frameRate,
    variableRate: false,
    timeBase: { num: 1, den: frameRate.num },
    framesEstimate: frames,
    durationSeconds,
    lastSeconds: frameSeconds,
    startTime: 0,
    colour: COLOUR,
    interlaced: false,
    fieldOrder: null,
    changing: false,
    hdr: null,
    alpha: false,
    damaged: false,
    ...rest,
    warnings: [
      ...warnings,
      ...(differs
        ? [
            `The sound lasts ${heard.toFixed(1)} s and the frames ${durationSeconds.toFixed(1)} s; both are kept whole. If that is wrong, look at the frame rate.`,
          ]
        : []),
    ],
  };
}
