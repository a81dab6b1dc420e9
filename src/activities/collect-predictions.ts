import { Readable } from 'node:stream';
import { JobError } from '../job/failure.js';
import { placeOf } from '../job/item-list.js';
import { csvHeader, csvLines, type Prediction, type PredictionKind } from '../job/predictions.js';
import { PREDICTIONS_CSV, PREDICTIONS_JSONL, predictionsPart, splitPath, workOf } from '../job-store/layout.js';
import { isNotFound, type Storage } from '../storage/storage.js';
import type { StitchResult } from './inputs.js';
import type { Ports } from './ports.js';
import { type ImagesJob, readImagesJob } from '../job-store/resolved-job.js';

const STREAM_BUFFER_BYTES = 4 * 1024 * 1024;

/** Joins the parts of the predictions, in the order of the items, into a JSONL and a CSV file. Pictures have none. */
export function createCollectPredictions({ storage }: Pick<Ports, 'storage'>) {
  return async ({ jobId, items }: { jobId: string; items: number }): Promise<StitchResult> => {
    const job = await readImagesJob(storage, jobId);
    const kind = kindOf(job);
    if (kind === undefined) return { output: job.output, bytes: 0 };
    const lists = placeOf(items - 1).list + 1;
    const jsonl = await store(storage, job, PREDICTIONS_JSONL, 'application/jsonl', joined(storage, job, lists));
    const csv = await store(storage, job, PREDICTIONS_CSV, 'text/csv; charset=utf-8', toCsv(storage, job, lists, kind));
    return { output: job.output, bytes: jsonl + csv };
  };
}

function kindOf({ card: { output } }: ImagesJob): PredictionKind | undefined {
  if (output.kind === undefined || output.kind === 'image') return undefined;
  return output.kind === 'classes' || output.kind === 'detections' ? output.kind : 'file';
}

async function* joined(storage: Storage, job: ImagesJob, lists: number): AsyncGenerator<Buffer> {
  for (let list = 0; list < lists; list += 1)
    for await (const chunk of await openPart(storage, job, list)) yield Buffer.from(chunk);
}

async function* toCsv(storage: Storage, job: ImagesJob, lists: number, kind: PredictionKind): AsyncGenerator<string> {
  yield csvHeader(kind);
  for await (const line of linesOf(joined(storage, job, lists))) yield csvLines(kind, JSON.parse(line) as Prediction);
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

/** @throws JobError `user` when somebody removed the part. */
async function openPart(storage: Storage, { jobId }: ImagesJob, list: number): Promise<NodeJS.ReadableStream> {
  const work = workOf(storage, jobId);
  const name = predictionsPart(list);
  try {
    const { readableStreamBody } = await work.getBlobClient(name).download();
    return readableStreamBody ?? Readable.from([]);
  } catch (cause) {
    if (!isNotFound(cause)) throw cause;
    throw new JobError('user', `${work.containerName}/${name} is gone; start the job again.`, { cause });
  }
}

/** Streams a blob into place, whole or not at all. @returns its bytes. */
async function store(
  storage: Storage,
  { output }: ImagesJob,
  name: string,
  blobContentType: string,
  content: AsyncIterable<string | Buffer>,
): Promise<number> {
  const { container, blob } = splitPath(output);
  const target = storage.media.getContainerClient(container).getBlockBlobClient(`${blob}${name}`);
  await target.uploadStream(Readable.from(content, { objectMode: false }), STREAM_BUFFER_BYTES, 2, {
    blobHTTPHeaders: { blobContentType },
  });
  return (await target.getProperties()).contentLength ?? 0;
}
