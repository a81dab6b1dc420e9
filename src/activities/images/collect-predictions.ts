import { csvHeader, csvLines, type Prediction, type PredictionKind } from '../../job/predictions.js';
import { PREDICTIONS_CSV, PREDICTIONS_JSONL } from '../../job-store/layout.js';
import { readPredictions } from '../../job-store/images/predictions.js';
import { packsArrays } from '../../job-store/images/items.js';
import { writeDelivered } from '../../job-store/manifest.js';
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
export function createCollectPredictions({ storage, signal }: Pick<Ports, 'storage' | 'signal'>) {
  return async ({ jobId, run = 1, items }: OfRun & { items: number }): Promise<CollectedPredictions> => {
    const job = await readResolvedJob(storage, jobId, run);
    const [output, of] =
      'video' in job ? [job.predictions ?? job.output, 'frames' as const] : [job.output, 'images' as const];
    const place = { jobId, output, overwrite: job.spec.output.overwrite };
    const kind = kindOf(job);
    if (kind === undefined) return { output, bytes: 0 };
    const parts = () => readPredictions(storage, jobId, items, signal);
    const jsonl = await deliverStream(storage, place, PREDICTIONS_JSONL, parts);
    const csv = await deliverStream(storage, place, PREDICTIONS_CSV, () => toCsv(parts(), kind, of));
    await writeDelivered(storage, jobId, 'tables', [jsonl, csv]);
    return { output, predictions: output, bytes: jsonl.bytes + csv.bytes };
  };
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
