import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { RestError, type BlockBlobClient } from '@azure/storage-blob';
import { formatLogLine } from '../../container-contract/log-line.js';
import { joinLog, type Printed } from '../../container-contract/printout.js';
import { again } from '../../container-contract/storage-access.js';
import { contentTypeOf } from '../../job/items/formats.js';
import { isNotFound, type Storage } from '../../storage/storage.js';
import { jobOf, logBlob } from '../layout.js';

interface Attempt {
  jobId: string;
  batch: number;
  attempt: number;
}

/** Metadata of a log that has what the platform kept; a scorer that adds to it leaves them. */
const WHOLE = { whole: 'true' };

/** Whether a log has what the platform kept. */
export const isWhole = (metadata: Record<string, string> | undefined) => metadata?.whole !== undefined;

const STALE = [409, 412];

/**
 * Puts what the platform kept of a container's output into the log that its scorer stores, once: later calls change nothing.
 * @param read gives what the platform kept; call this before the container is removed.
 */
export async function keepLog(
  storage: Storage,
  { jobId, batch, attempt }: Attempt,
  read: () => Promise<Printed[]>,
): Promise<void> {
  const blob = jobOf(storage, jobId).getBlockBlobClient(logBlob(batch, attempt));
  let printed: Printed[] | undefined;
  for (;;) {
    const stored = await readStored(blob);
    if (stored?.isWhole === true) return;
    printed ??= await read();
    const lines = joinLog({ job: jobId, batch, attempt }, stored?.text ?? '', printed, new Date().toISOString());
    const body = lines.map(formatLogLine).join('');
    const options = {
      blobHTTPHeaders: { blobContentType: contentTypeOf(blob.name) },
      metadata: WHOLE,
      conditions: stored ? { ifMatch: stored.version } : { ifNoneMatch: '*' },
    };
    try {
      await blob.upload(body, Buffer.byteLength(body), options);
      return;
    } catch (error) {
      // The job's records have been removed.
      if (isNotFound(error)) return;
      // The scorer stored more meanwhile, or another delivery was faster.
      if (!(error instanceof RestError && STALE.includes(error.statusCode ?? 0))) throw error;
    }
  }
}

async function readStored(
  blob: BlockBlobClient,
): Promise<{ text: string; version: string | undefined; isWhole: boolean } | undefined> {
  try {
    return await again(async () => {
      const { etag, metadata, readableStreamBody } = await blob.download();
      return { version: etag, isWhole: isWhole(metadata), text: await text(readableStreamBody ?? Readable.from([])) };
    });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
