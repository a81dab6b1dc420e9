import { Command } from 'commander';
import { JobError } from '../../job/failure.js';
import { addExamples, addJson, addPlace, type Around, type Define, sampleOf, wholeNumber } from '../around.js';
import { checkJobId, findApp, LATEST } from '../client/connect.js';
import { addJobOptions, baseOf, isFolder, jobAsked, type JobFlags } from './asked.js';
import { addChanges, changesOf } from './changes.js';
import { type Choice, chooseUnfinished, findUnfinished, latestOf } from './go-on.js';
import type { JobOptions } from './run-job.js';
import type { FolderOptions } from './score-folder.js';
import { requestOfVideo, scoreVideo, type VideoOptions } from './score-video.js';
import { renderSummary } from './summary.js';

/** The options of `score` as the user gave them, with absolute paths. */
interface ScoreFlags extends JobFlags, Choice {
  json?: boolean;
  /** The job to go on with. */
  redrive?: string;
  /** How many frames to try. */
  preview?: number;
}

export const define: Define = (command, around) => {
  const { resolve, env, signal, note, print } = around;
  command.argument('[video]', 'the video file, or a folder of images', (text: string) => resolve(text));
  addJobOptions(command, around)
    .option(
      '--preview <n>',
      'score only so many frames or images, spread over all, on this machine, and save before/after pairs of them as one PNG',
      wholeNumber(1, 24),
    )
    .option(
      '--redrive <job>',
      `in place of a video: go on with a job that was not finished, or "${LATEST}", for what it has not scored`,
    )
    .option('--resume', 'go on with what an earlier command with the same request has left, without asking')
    .option('--fresh', 'start a new job, whatever an earlier command with the same request has left');
  addPlace(addJson(command, 'print the summary as JSON and nothing else'), around).action(
    async (input: string | undefined, asked: ScoreFlags, acting: Command) => {
      const { json: quiet = false, out, redrive, resume, fresh, preview: count, ...flags } = asked;
      const choice = { ...(resume !== undefined && { resume }), ...(fresh !== undefined && { fresh }) };
      if (redrive !== undefined) {
        refuseBesideRedrive(input, acting);
        const job = redrive === LATEST ? await latestOf({ ...flags, signal }) : redrive;
        return goOnWith(
          job,
          {
            ...flags,
            quiet,
            env,
            signal,
            note,
            ...(out !== undefined && { out }),
            base: resolve(job),
          },
          print,
        );
      }
      if (input === undefined)
        throw new JobError('user', 'Name a video or a folder of images, or a job to go on with: --redrive JOB.');
      if (count !== undefined) {
        refuseBesidePreview({ out, url: flags.url });
        const { preview, renderPreview } = await import('./preview.js');
        const folder = await isFolder(input);
        const { device = 'auto', yes = false, overwrite = false } = flags;
        const sheet = flags.contactSheet ?? `${baseOf(input, flags, around)}.preview.png`;
        const found = await preview({ ...flags, device, yes, overwrite, input, isFolder: folder, count, sheet, env });
        print(quiet ? JSON.stringify(found, null, 2) : renderPreview(found, folder ? 'image' : 'frame'));
        return;
      }
      const asks = await jobAsked(input, { ...flags, out }, around);
      if (asks.of === 'images') {
        const { requestOfFolder } = await import('./score-folder.js');
        const left = await whatIsLeft(asks.options, await requestOfFolder(asks.options), choice);
        await runFolder({ ...asks.options, ...left }, print);
      } else {
        const left = await whatIsLeft(asks.options, await requestOfVideo(asks.options), choice);
        await runVideo({ ...asks.options, ...left }, print);
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
    ['go on with the job that was started last and was not finished', '--redrive', LATEST],
  );
};

type Print = Around['print'];

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

const CHANGES = addChanges(new Command()).options.map((option) => option.attributeName());

/** What is none of the job's, or may be different from now on. */
const GOES_WITH_REDRIVE = new Set([
  'redrive',
  'out',
  'overwrite',
  'contactSheet',
  'json',
  'url',
  'key',
  'data',
  ...CHANGES,
]);

/** @throws JobError `user` for what has no meaning beside a job that is named. */
function refuseBesideRedrive(input: string | undefined, acting: Command): void {
  if (input !== undefined) throw new JobError('user', `--redrive names a job; leave ${input} out.`);
  const given = acting.options.filter((option) => acting.getOptionValueSource(option.attributeName()) === 'cli');
  const idle = given.find((option) => !GOES_WITH_REDRIVE.has(option.attributeName()))?.long;
  if (idle === '--resume' || idle === '--fresh')
    throw new JobError('user', `--redrive says which job goes on; leave ${idle} out.`);
  if (idle !== undefined)
    throw new JobError('user', `A job that goes on makes what it was started for; leave ${idle} out.`);
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
  if (found ? 'folder' in found.options : await isOfImages(job, flags))
    await runFolder({ folder: job, out: base, ...options } as unknown as FolderOptions, print);
  else await runVideo(options as VideoOptions, print);
}

/** Whether a job that this machine knows nothing of makes pictures or predictions of a folder's images. */
async function isOfImages(job: string, app: Pick<VideoOptions, 'url' | 'key' | 'data' | 'signal'>): Promise<boolean> {
  const { spec } = await (await findApp(app)).status(job);
  return spec?.input.images !== undefined && spec.input.frameRate === undefined;
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
