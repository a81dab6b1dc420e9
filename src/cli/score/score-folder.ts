import { createReadStream } from 'node:fs';
import { readdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { counted, JobError, unbroken } from '../../job/failure.js';
import type { FailedItem } from '../../container-contract/result.js';
import type { FailedReport, Manifest } from '../../job/manifest.js';
import { FAILED_ITEMS, MANIFEST, PREDICTIONS_CSV, PREDICTIONS_JSONL } from '../../job-store/layout.js';
import { LeftOut } from '../../job/items/left-out.js';
import type { JobStatus } from '../../api/jobs.js';
import type { JobClient, Uploader } from '../client/client.js';
import { downloadFolder, findPictures, noPictures, readList, uploadFolder } from '../client/folders.js';
import { requestOf } from '../client/unfinished.js';
import { type JobOptions, modelFilesOf, ofJob, runThrough, type Uploaded } from './run-job.js';
import { bottleneckOf, type OwnSeconds, renderBottleneck, renderSeconds, reusedOf } from './summary.js';
import { checkModelFiles, checkOutputFolder, makeOutputFolder } from './user-files.js';

export interface FolderOptions extends JobOptions {
  folder: string;
  /** The folder that the outputs go to. */
  out: string;
  /** A file that names the images that are meant; all of them, when left out. */
  list?: string;
}

/** What `score` says about an image folder in the end, and prints as JSON with `--json`. */
export interface FolderSummary {
  job: string;
  /** Folder of the outputs. */
  output: string;
  /** Files in it, for models that give no pictures. */
  predictions: { jsonl: string; csv: string } | null;
  images: number;
  /** How many images have no output. */
  failedImages: number;
  /** How many images' outputs were taken over from other jobs. */
  reusedImages: number;
  /** The first thousand of them. */
  failed: FailedItem[];
  batches: number;
  imagesPerSecond: number | null;
  /** Where the time of the containers went; null when none ran. */
  containerTime: JobStatus['containerTime'];
  bottleneck: string | null;
  warnings: string[];
  /** Seconds per stage as the client saw them. */
  seconds: Record<string, number>;
  totalSeconds: number;
}

/**
 * Runs all images of a folder through the app and saves the outputs in another folder, under the same names.
 * @throws JobError with the sentence of whatever went wrong.
 */
export async function scoreFolder(options: FolderOptions): Promise<FolderSummary> {
  const isNew = options.resume === undefined;
  const except = isNew ? await checkFolderJob(options) : options.out;
  if (options.resume && options.resume.folder === undefined) await checkEmpty(options);
  const only = options.list === undefined || !isNew ? undefined : await readList(options.folder, options.list);
  let failed: FailedItem[] = [];
  let removed: string[] = [];
  let predictions = false;
  const leftOut = new LeftOut();
  const { status, seconds } = await runThrough(options, {
    unit: 'images',
    request: await requestOfFolder(options),
    upload: (client) => uploadImages(client, options, { except, leftOut, only }),
    save: async (client, { id, items }) => {
      await makeOutputFolder(options.out);
      predictions = await downloadFolder(client, id, options.out, options.overwrite);
      if (items.failed > 0) {
        failed = await readFailed(client, id, options);
        if (options.overwrite) removed = await removeStale(options.out);
      } else await removeFailed(options.out);
    },
  });
  return summarise(status, seconds, { output: options.out, predictions, failed, removed, leftOut });
}

/**
 * @returns the folder of the outputs, as a path below the images' folder if it is in there.
 * @throws JobError `user` before anything is started when there is nothing to do, nowhere to put it, or a file cannot be read.
 */
export async function checkFolderJob(options: FolderOptions): Promise<string> {
  const except = await checkFolders(options);
  await checkModelFiles(options);
  return except;
}

/** Uploads what the job is about, and says what it is to make of it. */
export async function uploadImages(
  client: Uploader,
  { folder, frameFormat }: FolderOptions,
  { except, leftOut, only }: { except: string; leftOut: LeftOut; only: Set<string> | undefined },
): Promise<Uploaded> {
  const images = await uploadFolder(client, folder, except, leftOut, only);
  return { input: { images }, output: { frameFormat }, renamed: [[images, `${folder}${path.sep}`]] };
}

/** Tells whether another command asks for the same. */
export const requestOfFolder = (options: FolderOptions) =>
  requestOf(ofJob(options), [options.folder, options.list, ...modelFilesOf(options)]);

/** The same for the folders alone. */
async function checkFolders({ folder, out, overwrite = false }: FolderOptions): Promise<string> {
  const [images, existing] = await Promise.all([stat(folder), stat(out).catch(() => undefined)]);
  if (existing?.ino === images.ino && existing.dev === images.dev)
    throw new JobError('user', `${out} is the folder of the images itself; name another one with --out.`);
  if (existing && !existing.isDirectory()) throw new JobError('user', `${out} is a file; name a folder with --out.`);
  const [from, to] = await Promise.all([realpath(folder), realOf(out)]);
  if (from.startsWith(to + path.sep))
    throw new JobError('user', `${out} holds the folder of the images; name another one with --out.`);
  const except = to.startsWith(from + path.sep) ? path.join(folder, path.relative(from, to)) : out;
  const leftOut = new LeftOut();
  const pictures = findPictures(folder, except, leftOut);
  const { done } = await pictures.next();
  // Closes the folder.
  await pictures.return(undefined);
  if (done) throw noPictures(folder, leftOut);
  const parent = await stat(path.dirname(out)).catch(() => undefined);
  if (!parent)
    throw new JobError(
      'user',
      `The folder ${path.dirname(out)} does not exist; create it or name another folder with --out.`,
    );
  await checkEmpty({ out, overwrite });
  return except;
}

/** @throws JobError `user` when the folder cannot be written to, or has something in it that is not to be replaced. */
async function checkEmpty({ out, overwrite = false }: Pick<FolderOptions, 'out' | 'overwrite'>): Promise<void> {
  await checkOutputFolder(out);
  const inside = (await readdir(out).catch(() => [])).filter((name) => !name.startsWith('.'));
  if (inside.length > 0 && !overwrite)
    throw new JobError('user', `${out} is not empty; name another folder with --out, or add --overwrite.`);
}

/** The real path of a folder that need not exist. */
const realOf = (folder: string) =>
  realpath(folder).catch(async () =>
    path.join(await realpath(path.dirname(folder)).catch(() => ''), path.basename(folder)),
  );

/** The first failed images by name, from the manifest, which stays in the folder with the list of all. */
async function readFailed(client: JobClient, id: string, { out, overwrite }: FolderOptions): Promise<FailedItem[]> {
  const file = path.join(out, MANIFEST);
  await client.download(id, 'manifest', file, overwrite);
  await client.download(id, 'failed-items', path.join(out, FAILED_ITEMS), overwrite);
  const { failedItems } = JSON.parse(await readFile(file, 'utf8')) as Pick<Manifest, 'failedItems'>;
  return failedItems.map(({ name, reason }) => ({ name, reason }));
}

/** What an earlier run has made of images that failed this time would pass for results. @returns their names. */
async function removeStale(out: string): Promise<string[]> {
  const removed: string[] = [];
  for await (const line of createInterface({ input: createReadStream(path.join(out, FAILED_ITEMS)) })) {
    const { output } = JSON.parse(line) as FailedReport;
    const file = path.resolve(out, output ?? '');
    const there = file.startsWith(out + path.sep) ? await stat(file).catch(() => undefined) : undefined;
    if (output === undefined || !there?.isFile()) continue;
    await rm(file, { force: true });
    removed.push(output);
  }
  return removed;
}

const SHOWN_REMOVED = 3;

function removedWarning(names: string[]): string[] {
  if (names.length === 0) return [];
  const [are, their] = names.length === 1 ? ['is', 'its image'] : ['are', 'their images'];
  const shown = `${names.slice(0, SHOWN_REMOVED).join(', ')}${names.length > SHOWN_REMOVED ? ', …' : ''}`;
  return [
    `${counted(names.length, 'file')} of an earlier run ${are} removed, as ${their} failed this time (${shown}).`,
  ];
}

/** What an earlier run has said of its failures in the same folder would pass for this one's. */
async function removeFailed(out: string): Promise<void> {
  const list = path.join(out, FAILED_ITEMS);
  const there = await stat(list).catch(() => undefined);
  if (there?.isFile()) for (const file of [list, path.join(out, MANIFEST)]) await rm(file, { force: true });
}

function summarise(
  status: JobStatus,
  own: OwnSeconds,
  result: { output: string; predictions: boolean; failed: FailedItem[]; removed: string[]; leftOut: LeftOut },
): FolderSummary {
  const { output, predictions, failed, removed, leftOut } = result;
  const [jsonl, csv] = [path.join(output, PREDICTIONS_JSONL), path.join(output, PREDICTIONS_CSV)];
  return {
    job: status.id,
    output,
    predictions: predictions ? { jsonl, csv } : null,
    images: status.items.total,
    failedImages: status.items.failed,
    reusedImages: status.items.reused ?? 0,
    failed,
    batches: status.batches.total,
    imagesPerSecond: status.itemsPerSecond,
    containerTime: status.containerTime,
    bottleneck: bottleneckOf(status, own, 'images'),
    warnings: [...leftOut.warnings(), ...status.warnings, ...removedWarning(removed)],
    seconds: { start: own.start, upload: own.upload, ...status.stages, download: own.download },
    totalSeconds: own.total,
  };
}

const SHOWN_FAILURES = 10;

export function renderFolderSummary(summary: FolderSummary): string {
  const { images, batches, failed, failedImages, imagesPerSecond, output, predictions, warnings } = summary;
  const rate = imagesPerSecond === null ? '' : `, ${imagesPerSecond.toFixed(1)} images/s`;
  return [
    ...renderSeconds(summary).split('\n'),
    ...warnings.map((warning) => `Warning: ${warning}`),
    ...failed.slice(0, SHOWN_FAILURES).map(({ name, reason }) => `Failed: ${name}: ${reason}`),
    `${counted(images, 'image')} in ${counted(batches, 'batch')}${reusedOf(summary.reusedImages)}${rate}`,
    ...renderBottleneck(summary),
    `Outputs:     ${output}`,
    ...(predictions === null ? [] : [`Predictions: ${predictions.jsonl} and ${path.basename(predictions.csv)}`]),
    ...(failedImages === 0
      ? []
      : [`Not scored:  ${failedImages} of ${counted(images, 'image')}; ${path.join(output, FAILED_ITEMS)} names them`]),
  ]
    .map(unbroken)
    .join('\n');
}
