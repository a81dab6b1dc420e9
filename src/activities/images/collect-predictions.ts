import { csvHeader, csvLines, type Prediction, type PredictionKind } from '../../job/predictions.js';
import { PREDICTIONS_CSV, PREDICTIONS_JSONL } from '../../job-store/layout.js';
import { readPredictions } from '../../job-store/images/predictions.js';
import { imagesOf, packsArrays, readListed, scoredEnding } from '../../job-store/images/items.js';
import { writeDelivered } from '../../job-store/manifest.js';
import { readUnscored } from '../../job-store/batches/settled.js';
import { keepThumbnail } from '../../job-store/list/thumbnail.js';
import { readSourceFrame } from '../../job-store/videos/frames.js';
import { LIST_LENGTH } from '../../job/items/item-list.js';
import { givesPictures } from '../../model-card/schema.js';
import { readBytes, type Storage } from '../../storage/storage.js';
import { deliverStream } from '../../job-store/outputs.js';
import { readResolvedJob, type ResolvedJob } from '../../job-store/resolved-job.js';
import type { OfRun } from '../../job/run.js';
import type { Ports } from '../ports.js';

export interface CollectedPredictions {
  /** Prefix of all outputs of the job, or of its predictions, in the media account. */
  output: string;
  /** The same where there are predictions. */
  predictions?: string;
  /** Of the tables. */
  bytes: number;
}

/** Joins the parts of the predictions, in the order of the items, into a JSONL and a CSV file. Images have none. */
export function createCollectPredictions(ports: Pick<Ports, 'storage' | 'media' | 'tempFolder' | 'signal'>) {
  const { storage, signal } = ports;
  return async ({ jobId, run = 1, items }: OfRun & { items: number }): Promise<CollectedPredictions> => {
    const job = await readResolvedJob(storage, jobId, run);
    const [output, of] =
      'video' in job ? [job.predictions ?? job.output, 'frames' as const] : [job.output, 'images' as const];
    const place = { jobId, output, overwrite: job.spec.output.overwrite };
    await keepThumbnail(ports, jobId, () => pictureOf(storage, job, items));
    const kind = kindOf(job);
    if (kind === undefined) return { output, bytes: 0 };
    const parts = () => readPredictions(storage, jobId, items, signal);
    const jsonl = await deliverStream(storage, place, PREDICTIONS_JSONL, parts);
    const csv = await deliverStream(storage, place, PREDICTIONS_CSV, () => toCsv(parts(), kind, of));
    await writeDelivered(storage, jobId, 'tables', [jsonl, csv]);
    return { output, predictions: output, bytes: jsonl.bytes + csv.bytes };
  };
}

/** A picture larger than this is not made small. */
const MOST_PICTURE_BYTES = 64 * 1024 * 1024;

/**
 * What to show of the job in the list of jobs: of a folder the first picture that was delivered, of a video without another one a frame from its
 * middle, as it came.
 */
async function pictureOf(storage: Storage, job: ResolvedJob, items: number): Promise<Buffer | undefined> {
  if ('video' in job)
    return job.output === job.predictions ? readSourceFrame(storage, job, Math.floor(items / 2)) : undefined;
  if (!job.spec.output.draw && !givesPictures(job.card)) return undefined;
  const unscored = await readUnscored(storage, job.jobId);
  const listed = await readListed(storage, job, 0, Math.min(LIST_LENGTH, items));
  const first = listed.find((_, index) => !unscored.has(index));
  if (!first) return undefined;
  const { container, prefix } = imagesOf(storage, job.output);
  const name = `${prefix}${first.output}.${scoredEnding(job)}`;
  const bytes = await readBytes(container, name, MOST_PICTURE_BYTES);
  return bytes && bytes.length < MOST_PICTURE_BYTES ? bytes : undefined;
}

function kindOf(job: ResolvedJob): PredictionKind | undefined {
  const { output } = job.card;
  if (output.kind === undefined || output.kind === 'image') return undefined;
  return output.kind === 'classes' || output.kind === 'detections' ? output.kind : packsArrays(job) ? 'member' : 'file';
}

async function* toCsv(
  chunks: AsyncIterable<Buffer>,
  kind: PredictionKind,
  of: 'images' | 'frames',
): AsyncGenerator<string> {
  yield csvHeader(kind, of);
  for await (const line of linesOf(chunks)) yield csvLines(kind, JSON.parse(line) as Prediction);
}

async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}
