import { mkdtemp, open, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Plan } from '../../api/plan.js';
import type { Span } from '../../job/estimate/estimate.js';
import { counted, JobError, messageOf, unbroken } from '../../job/failure.js';
import { inFrameOrder, missingNumbers, requireSingle } from '../../job/items/frame-folder.js';
import { LeftOut } from '../../job/items/left-out.js';
import { pictureSize } from '../../job/items/picture-size.js';
import { createMedia, findFfmpeg, readMediaLimits } from '../../media/media.js';
import { runChild } from '../../processes/child-process.js';
import { addExamples, addJson, addPlace, type Define, sampleOf } from '../around.js';
import type { JobClient, Uploader } from '../client/client.js';
import { connect } from '../client/connect.js';
import { findPictures, readList } from '../client/folders.js';
import { isLarge } from '../client/large-upload.js';
import { addJobOptions, type AskedJob, jobAsked, type JobFlags } from '../score/asked.js';
import { interruptible, inUsersWords, uploadAll, type Uploaded } from '../score/run-job.js';
import { checkFolderJob, type FolderOptions, uploadImages } from '../score/score-folder.js';
import { checkVideoJob, type CheckedVideo, uploadVideo, type VideoOptions } from '../score/score-video.js';

export const define: Define = (command, around) => {
  command.argument('<input>', 'the video file, or a folder of images', (text: string) => around.resolve(text));
  addPlace(addJson(addJobOptions(command, around), 'print the plan as JSON'), around).action(
    async (input: string, flags: JobFlags) => {
      const asked = await jobAsked(input, flags, around);
      const plan = await planJob(asked);
      around.print(around.json ? JSON.stringify(plan, null, 2) : renderPlan(plan, asked.of));
    },
  );
  const sample = sampleOf(around);
  addExamples(
    command,
    ['what the same "score" would take', sample, '--max-parallel', '4'],
    ['in Azure, as a stand-in on this machine has it', sample, '--compute', 'aci-emulated'],
    ['a folder of images in a deployed app', 'photos', '--url', 'https://my-app.azurewebsites.net', '--key', 'KEY'],
  );
};

/** What stands for all that would be scored. */
interface Part {
  /** How many items there would be; undefined where all is uploaded. */
  items?: number;
  upload: (client: Uploader) => Promise<Uploaded>;
  warnings: string[];
  /** A sentence of what was counted here, for the basis of the plan. */
  said?: string;
  remove?: () => Promise<void>;
}

/**
 * Asks the app what a job would take. What it needs to see goes up for that time: a short video, or else its beginning or one picture, the
 * model, the style picture.
 * @throws JobError with the sentence that `score` would end with.
 */
async function planJob(asked: AskedJob): Promise<Plan> {
  const { options } = asked;
  const { signal, note } = options;
  const part = await interruptible(partOf(asked), signal, BEFORE);
  try {
    const { client, isOwn, lost, stop } = await connect(options);
    const lent = client.lending();
    try {
      return await interruptible(unlessEnded(ask(client, lent, { options, part }), [signal, lost]), signal, BEFORE);
    } catch (error) {
      throw lost.aborted ? lost.reason : error;
    } finally {
      // A stack of the command's own goes with all that is in it.
      if (!isOwn) await lent.takeBack().catch((error: unknown) => note(messageOf(error)));
      await stop(false);
    }
  } finally {
    await part.remove?.();
  }
}

const BEFORE = 'before the plan was made';

async function ask(
  client: JobClient,
  lent: Uploader,
  { options, part }: { options: AskedJob['options']; part: Part },
): Promise<Plan> {
  const { spec, renamed } = await uploadAll(lent, { ...options, quiet: true }, part.upload);
  try {
    const plan = await client.plan(spec, part.items);
    const warnings = [...part.warnings, ...plan.warnings].map((warning) => inUsersWords(warning, renamed));
    return { ...plan, warnings, basis: part.said === undefined ? plan.basis : `${plan.basis} ${part.said}` };
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    throw new JobError(error.blame, inUsersWords(error.message, renamed), { cause: error });
  }
}

/** What comes of the work, or an error at once when one of the signals is aborted. */
function unlessEnded<T>(work: Promise<T>, signals: AbortSignal[]): Promise<T> {
  const ended = AbortSignal.any(signals);
  return new Promise((resolve, reject) => {
    const give = () => reject(new JobError('user', 'Interrupted.'));
    if (ended.aborted) give();
    ended.addEventListener('abort', give, { once: true });
    work.then(resolve, reject);
  });
}

/** Looks at all that is named, as `score` does before it starts anything. */
function partOf(asked: AskedJob): Promise<Part> {
  if (asked.of === 'images') return partOfFolder(asked.options);
  return asked.options.frameRate === undefined ? partOfVideo(asked.options) : partOfFrames(asked.options);
}

async function partOfFolder(options: FolderOptions): Promise<Part> {
  const { folder, list, signal } = options;
  const except = await checkFolderJob(options);
  const leftOut = new LeftOut();
  let items = 0;
  let first = '';
  const names = list === undefined ? namesIn(folder, except, leftOut) : await readList(folder, list);
  for await (const name of names) {
    signal.throwIfAborted();
    items += 1;
    if (first === '' || name < first) first = name;
  }
  const only = new Set([first]);
  return {
    items,
    upload: (client) => uploadImages(client, options, { except, leftOut: new LeftOut(), only }),
    warnings: leftOut.warnings(),
    said: COUNTED,
  };
}

const COUNTED = 'The images were counted on this machine; the app was given one of them.';

async function* namesIn(folder: string, except: string, leftOut: LeftOut): AsyncGenerator<string> {
  for await (const { name } of findPictures(folder, except, leftOut)) yield name;
}

async function partOfFrames(options: VideoOptions): Promise<Part> {
  const { video: folder, signal } = options;
  const checked = await checkVideoJob(options);
  const leftOut = new LeftOut();
  const pictures: { name: string }[] = [];
  for await (const name of namesIn(folder, checked.sound ?? '', leftOut)) {
    signal.throwIfAborted();
    pictures.push({ name });
  }
  const ordered = inFrameOrder(pictures).map(({ name }) => name);
  requireSingle(ordered, folder + path.sep);
  const missing = missingNumbers(ordered);
  const names = await firstReadable(folder, ordered);
  return {
    items: ordered.length,
    upload: (client) => uploadPart(client, options, checked, { names }),
    warnings: [...leftOut.warnings(), ...(missing === undefined ? [] : [missing])],
    said: COUNTED,
  };
}

/** So many frames are tried before a job gives up. */
const MOST_UNREADABLE = 20;
const HEAD_BYTES = 1024 * 1024;

/** The first frame that is a picture; some of the first where none is. */
async function firstReadable(folder: string, ordered: string[]): Promise<Set<string>> {
  const first = ordered.slice(0, MOST_UNREADABLE);
  for (const name of first) {
    const file = await open(path.join(folder, name));
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
      if (pictureSize(buffer.subarray(0, bytesRead)) !== undefined) return new Set([name]);
    } finally {
      await file.close();
    }
  }
  return new Set(first);
}

async function partOfVideo(options: VideoOptions): Promise<Part> {
  const checked = await checkVideoJob(options);
  const all = { upload: (client: Uploader) => uploadPart(client, options, checked, {}), warnings: [] };
  return (await isLarge(options.video)) ? ((await beginningOf(options, checked)) ?? all) : all;
}

/** Seconds of a video that are enough to see what it is. */
const BEGINNING_SECONDS = '2';

/** Looks at a large video here and cuts off its beginning; undefined where its streams cannot be cut. */
async function beginningOf(options: VideoOptions, checked: CheckedVideo): Promise<Part | undefined> {
  const { video, env, onDamage, signal } = options;
  const { FFMPEG_PATH: ffmpegPath, FFPROBE_PATH: ffprobePath, PATH = '' } = env;
  const tools = findFfmpeg({ ...(ffmpegPath && { ffmpegPath }), ...(ffprobePath && { ffprobePath }) }, PATH);
  const media = createMedia(tools, { limits: readMediaLimits(env), environment: { PATH }, confinement: [], signal });
  const { streamIndex, framesEstimate } = await media.probe(video, { name: video, keep: onDamage === 'keep' });
  const folder = await mkdtemp(path.join(os.tmpdir(), 'plan-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  const file = path.join(folder, path.basename(video));
  const from = ['-v', 'error', '-nostdin', '-t', BEGINNING_SECONDS, '-i', `file:${video}`];
  const streams = ['-map', `0:${streamIndex}`, '-map', '0:a?', '-map', '0:s?', '-c', 'copy'];
  try {
    const { code } = await runChild(tools.ffmpeg, [...from, ...streams, `file:${file}`], { env: {}, signal });
    signal.throwIfAborted();
    if (code === 0)
      return {
        items: framesEstimate,
        upload: (client) => uploadPart(client, options, checked, { file }),
        warnings: [],
        said: 'The video was looked at on this machine; the app was given its beginning.',
        remove,
      };
  } catch (error) {
    await remove();
    throw error;
  }
  await remove();
  return undefined;
}

const uploadPart = (
  client: Uploader,
  options: VideoOptions,
  checked: CheckedVideo,
  part: { file?: string; names?: Set<string> },
) => uploadVideo(client, options, { ...checked, leftOut: new LeftOut(), onProgress: () => undefined, part });

/** The plan in words. */
export function renderPlan(plan: Plan, of: AskedJob['of']): string {
  const { items, batches, parallel, seconds, cost, basis, warnings } = plan;
  const unit = of === 'video' ? 'frame' : 'image';
  const among = batches === null ? '' : ` in ${counted(batches, 'batch')}`;
  return [
    `Items:    ${items === null ? 'nobody knows before the job runs' : `${counted(items, unit)}${among}`}`,
    `At once:  ${counted(parallel, 'container')}`,
    `Time:     ${seconds === null ? 'unknown' : timeInWords(seconds)}`,
    `Cost:     ${cost === null ? 'unknown' : `${costInWords(cost)} ${cost.sentence}`}`,
    `Basis:    ${basis}`,
    ...warnings.map((warning) => `Warning:  ${warning}`),
  ]
    .map(unbroken)
    .join('\n');
}

const UNITS = [
  { name: 'h', seconds: 3600 },
  { name: 'min', seconds: 60 },
  { name: 's', seconds: 1 },
] as const;

/** The range in the unit in which both ends can be told apart. */
function timeInWords({ low, high }: Span): string {
  const { name, seconds: unit } = UNITS.find(({ seconds }) => low >= 2 * seconds) ?? { name: 's', seconds: 1 };
  const [from, to] = [low, high].map((each) => (each / unit).toPrecision(2)).map(Number);
  return from === to ? `about ${to} ${name}` : `${from} to ${to} ${name}`;
}

/** To the cent, and small sums to two digits. */
function costInWords({ low, high }: Span): string {
  if (high === 0) return 'nothing.';
  const usd = (sum: number) => (sum >= 1 ? sum.toFixed(2) : String(Number(sum.toPrecision(2))));
  return `${usd(low)} to ${usd(high)} USD.`;
}
