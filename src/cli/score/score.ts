import { stat } from 'node:fs/promises';
import path from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import { JobError } from '../../job/failure.js';
import { endingOf, FRAME_FORMATS, QUALITIES, VIDEO_CODECS, VIDEO_ENDINGS } from '../../job/items/formats.js';
import { FRAME_RATES, readFrameRate } from '../../job/items/frame-folder.js';
import { addChanges, changesOf } from './changes.js';
import type { JobOptions } from './run-job.js';
import type { FolderOptions } from './score-folder.js';
import { ON_DAMAGE, requestOfVideo, scoreVideo, type VideoOptions } from './score-video.js';
import { renderSummary } from './summary.js';
import { addExamples, addJson, addPlace, type Around, type Define, sampleOf, wholeNumber } from '../around.js';
import { checkJobId } from '../client/connect.js';
import { type Choice, chooseUnfinished, findUnfinished } from './go-on.js';
import { isModelFile } from './user-files.js';

/** The options of `score` as the user gave them, with absolute paths. */
interface ScoreFlags
  extends Omit<VideoOptions, 'video' | 'base' | 'quiet' | 'resume' | 'env' | 'signal' | 'note'>, Choice {
  json?: boolean;
  list?: string;
  /** The job to go on with. */
  redrive?: string;
  /** How many frames to try. */
  preview?: number;
}

export const define: Define = (command, around) => {
  const { resolve, env, signal, note, print } = around;
  const file = (text: string) => resolve(text);
  const model = (text: string) => (isModelFile(text) ? resolve(text) : text);
  command
    .argument('[video]', 'the video file, or a folder of images', file)
    .option('--model <model>', 'a model of the app by name, or an .onnx file', model, 'starry-night')
    .option('--card <file>', "the model's card, when it does not lie beside the .onnx file as .json", file)
    .option('--labels <file>', "the names of the model's classes, when its card does not name a file", file)
    .option('--style <image>', 'the style picture, for a model with a style input', file)
    .option(
      '--out <file>',
      'where the video goes, its ending chooses the container, by default VIDEO-MODEL.mp4 here; for predictions a folder, or a file that ends in .jsonl or .csv; for images a folder, FOLDER-MODEL',
      file,
    )
    .addOption(new Option('--codec <codec>', 'codec of the painted video, by default h264').choices(VIDEO_CODECS))
    .addOption(new Option('--quality <quality>', 'quality of the painted video, by default good').choices(QUALITIES))
    .addOption(
      new Option(
        '--frame-format <format>',
        'what frames and pictures are stored as; by default ppm for a video, png for a folder of images',
      ).choices(FRAME_FORMATS),
    )
    .addOption(
      new Option(
        '--on-damage <choice>',
        'what to do with a video that breaks half-way: fail (the default), or keep the frames before the break',
      ).choices(ON_DAMAGE),
    )
    .addOption(
      new Option(
        '--frame-rate <rate>',
        'make a video of a folder of images: so many a second, as 24 or 24000/1001',
      ).argParser(frameRate),
    )
    .option(
      '--audio <file>',
      'the sound for a folder with a frame rate, by default the file audio.m4a, .mp3, .wav, .flac, .aac, .ogg or .opus in it',
      file,
    )
    .option('--list <file>', 'only the images of the folder that this file names, as failed-items.jsonl does', file)
    .option('--overwrite', 'replace files of earlier runs', false)
    .option(
      '--draw',
      'draw what the model finds (boxes, masks, classes) into the video; its predictions come beside it',
    )
    .option('--contact-sheet <file>', 'also save before/after pairs as one PNG', file)
    .option(
      '--preview <n>',
      'score only so many frames or images, spread over all, on this machine, and save before/after pairs of them as one PNG',
      wholeNumber(1, 24),
    );
  addChanges(command)
    .option(
      '--reuse',
      'copy what the app has made of the same bytes with the same model and style before, and score only the rest',
    )
    .option(
      '--redrive <job>',
      'in place of a video: go on with a job that was not finished, for what it has not scored',
    )
    .option('--resume', 'go on with what an earlier command with the same request has left, without asking')
    .option('--fresh', 'start a new job, whatever an earlier command with the same request has left');
  addPlace(addJson(command, 'print the summary as JSON and nothing else'), around).action(
    async (input: string | undefined, asked: ScoreFlags) => {
      const { json: quiet = false, out, redrive, resume, fresh, preview: count, ...flags } = asked;
      const choice = { ...(resume !== undefined && { resume }), ...(fresh !== undefined && { fresh }) };
      if (redrive !== undefined) {
        refuseBesideRedrive(input, { ...choice, reuse: flags.reuse });
        return goOnWith(
          redrive,
          {
            ...flags,
            quiet,
            env,
            signal,
            note,
            ...(out !== undefined && { out }),
            base: resolve(redrive),
          },
          print,
        );
      }
      if (input === undefined)
        throw new JobError('user', 'Name a video or a folder of images, or a job to go on with: --redrive JOB.');
      const base = resolve(`${path.parse(input).name}-${path.parse(flags.model).name}`);
      if (count !== undefined) {
        refuseBesidePreview({ out, url: flags.url });
        const { preview, renderPreview } = await import('./preview.js');
        const folder = await isFolder(input);
        const { device = 'auto', yes = false, overwrite = false } = flags;
        const sheet = flags.contactSheet ?? `${base}.preview.png`;
        const found = await preview({ ...flags, device, yes, overwrite, input, isFolder: folder, count, sheet, env });
        print(quiet ? JSON.stringify(found, null, 2) : renderPreview(found, folder ? 'image' : 'frame'));
        return;
      }
      const common = { ...flags, quiet, env, signal, note };
      if (await isFolder(input)) {
        if (flags.frameRate !== undefined) {
          if (flags.onDamage !== undefined)
            throw new JobError('user', '--on-damage is for a video; leave it out for a folder of images.');
          if (flags.list !== undefined)
            throw new JobError('user', '--list is for images that are scored each by itself; leave it out.');
          await scoreOrGoOn({ ...common, video: input, out, base }, choice, print);
          return;
        }
        refuseVideoFlags(flags);
        if (out !== undefined && VIDEO_ENDINGS.includes(endingOf(out)))
          throw new JobError(
            'user',
            `${out} is called like a video; make one with --frame-rate, or name a folder with --out.`,
          );
        const { requestOfFolder } = await import('./score-folder.js');
        const options = { ...common, folder: input, out: out ?? base };
        const left = await whatIsLeft(options, await requestOfFolder(options), choice);
        await runFolder({ ...options, ...left }, print);
      } else {
        const { frameRate: rate, audio, list } = flags;
        const [given] =
          Object.entries({ '--frame-rate': rate, '--audio': audio, '--list': list }).find(([, value]) => value) ?? [];
        if (given !== undefined)
          throw new JobError(
            'user',
            `${given} is for a folder of images, and ${input} is none; name a folder, or leave it out.`,
          );
        await scoreOrGoOn({ ...common, video: input, out, base }, choice, print);
      }
    },
  );
  const sample = sampleOf(around);
  addExamples(
    command,
    ['paint a video with the model of the app', sample],
    [
      'with a picture of pairs, and over the result of an earlier run',
      sample,
      '--contact-sheet',
      'pairs.png',
      '--overwrite',
    ],
    ['a folder of images with a model of your own', 'photos', '--model', 'candy.onnx', '--out', 'painted'],
    ['go on with a job that was not finished', '--redrive', 'coast-k3v9q2xa'],
  );
};

type Print = Around['print'];

/** Reads `--frame-rate`. @throws InvalidArgumentError for what is none that is taken. */
function frameRate(text: string): string {
  if (readFrameRate(text) === undefined) throw new InvalidArgumentError(`It ${FRAME_RATES.replaceAll('"', '')}.`);
  return text;
}

/** Scores a video, or goes on with what an earlier command has left of it. */
async function scoreOrGoOn(options: VideoOptions, choice: Choice, print: Print): Promise<void> {
  const left = await whatIsLeft(options, await requestOfVideo(options), choice);
  await runVideo({ ...options, ...left }, print);
}

/** What an earlier command has left of the same job on this machine, if it is to be gone on with. */
async function whatIsLeft(
  { url, data, signal, note }: JobOptions,
  request: string,
  choice: Choice,
): Promise<Pick<JobOptions, 'resume'>> {
  if (url !== undefined) return {};
  const found = await chooseUnfinished(data, request, choice, { signal, note });
  return found ? { resume: { job: found.job, folder: found.folder } } : {};
}

/** @throws JobError `user` for what a preview does not make, and where it does not run. */
function refuseBesidePreview({ out, url }: { out: string | undefined; url: string | undefined }): void {
  if (out !== undefined)
    throw new JobError('user', '--preview makes no output but the contact sheet; name that with --contact-sheet.');
  if (url !== undefined) throw new JobError('user', '--preview runs on this machine; leave --url out.');
}

/** @throws JobError `user` for what has no meaning beside a job that is named. */
function refuseBesideRedrive(
  input: string | undefined,
  { resume, fresh, reuse }: Choice & Pick<ScoreFlags, 'reuse'>,
): void {
  if (input !== undefined) throw new JobError('user', `--redrive names a job; leave ${input} out.`);
  const flag = resume === true ? '--resume' : fresh === true ? '--fresh' : undefined;
  if (flag !== undefined) throw new JobError('user', `--redrive says which job goes on; leave ${flag} out.`);
  if (reuse === true)
    throw new JobError('user', '--redrive goes on with what the job itself has made; leave --reuse out.');
}

/** Goes on with a job, and saves its result as the command that started it would have, where that was on this machine. */
async function goOnWith(job: string, flags: Omit<VideoOptions, 'video'>, print: Print): Promise<void> {
  checkJobId(job);
  const { url } = flags;
  const changes = changesOf(flags);
  const found = url === undefined ? await findUnfinished(flags.data, job) : undefined;
  const given = Object.fromEntries(
    Object.entries(flags).filter(([name, value]) => value !== undefined && name !== 'base'),
  );
  const { base } = flags;
  const resume = { job, changes, ...(found && { folder: found.folder }) };
  const options = { base, video: job, ...found?.options, ...given, resume };
  if (found && 'folder' in found.options) await runFolder(options as unknown as FolderOptions, print);
  else await runVideo(options as VideoOptions, print);
}

const isFolder = (file: string) =>
  stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );

function refuseVideoFlags({
  audio,
  contactSheet,
  codec,
  quality,
  frameFormat,
  onDamage,
  draw,
  fill,
}: ScoreFlags): void {
  if (audio !== undefined)
    throw new JobError('user', '--audio is for images that become a video; add --frame-rate, or leave it out.');
  const flags = {
    '--contact-sheet': contactSheet,
    '--codec': codec,
    '--quality': quality,
    '--frame-format ppm': frameFormat === 'ppm' ? frameFormat : undefined,
    '--on-damage': onDamage,
    '--fill': fill,
    '--draw': draw,
  };
  const [given] = Object.entries(flags).find(([, value]) => value !== undefined) ?? [];
  if (given !== undefined)
    throw new JobError(
      'user',
      `${given} is for a video; leave it out for a folder of images, or make a video of them with --frame-rate.`,
    );
}

/** Scores a video and prints the summary. */
export async function runVideo(options: VideoOptions, print: Print): Promise<void> {
  const summary = await scoreVideo(options);
  print(options.quiet ? JSON.stringify(summary, null, 2) : renderSummary(summary));
}

/** Scores a folder of images and prints the summary. */
async function runFolder(options: FolderOptions, print: Print): Promise<void> {
  const { renderFolderSummary, scoreFolder } = await import('./score-folder.js');
  const summary = await scoreFolder(options);
  print(options.quiet ? JSON.stringify(summary, null, 2) : renderFolderSummary(summary));
}
