import { text as textOf } from 'node:stream/consumers';
import { RestError } from '@azure/storage-blob';
import { type CreateLedger, EMPTY_LEDGER, type LedgerStore } from './create-ledger.js';
import { JobError } from '../../job/failure.js';
import { poll } from '../../poll.js';
import { createLedgerBlob, LIMITS } from '../../job-store/layout.js';
import { isNotFound, type Storage } from '../../storage/storage.js';

const PATIENCE_MS = 10_000;
const LONGEST_PAUSE_MS = 100;

/** Keeps each ledger in a blob that is replaced only by who read its latest version. */
export function createBlobLedgers(storage: Storage): LedgerStore {
  // Updates of this process queue up, so that only its instances compete for a blob.
  const queues = new Map<string, Promise<unknown>>();
  return {
    update: (name, change) => {
      const before = queues.get(name) ?? Promise.resolve();
      const own = before.catch(() => undefined).then(() => compareAndSwap(storage, name, change));
      queues.set(name, own);
      return own;
    },
  };
}

async function compareAndSwap(
  storage: Storage,
  name: string,
  change: (ledger: CreateLedger) => CreateLedger,
): Promise<CreateLedger> {
  const container = storage.internal.getContainerClient(LIMITS);
  const blob = container.getBlockBlobClient(createLedgerBlob(name));
  const tryOnce = async () => {
    const { etag, ledger } = await read(storage, name);
    const changed = change(ledger);
    if (changed === ledger) return ledger;
    const body = JSON.stringify(changed);
    try {
      const conditions = etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag };
      await blob.upload(body, Buffer.byteLength(body), { conditions });
      return changed;
    } catch (error) {
      const status = error instanceof RestError ? error.statusCode : undefined;
      if (status === 404) await container.createIfNotExists();
      else if (status !== 409 && status !== 412) throw error;
      return undefined;
    }
  };
  const changed = await poll(tryOnce, { pauseMs: () => Math.random() * LONGEST_PAUSE_MS, withinMs: PATIENCE_MS });
  if (changed) return changed;
  const sentence = 'Too many instances of the app count their creates at once; the batch waits.';
  throw new JobError('platform', sentence, { retryAfterSeconds: 5 });
}

async function read(storage: Storage, name: string): Promise<{ etag: string | undefined; ledger: CreateLedger }> {
  const blob = storage.internal.getContainerClient(LIMITS).getBlobClient(createLedgerBlob(name));
  try {
    const { etag, readableStreamBody } = await blob.download();
    const text = readableStreamBody ? await textOf(readableStreamBody) : '';
    return { etag, ledger: JSON.parse(text) as CreateLedger };
  } catch (error) {
    if (isNotFound(error)) return { etag: undefined, ledger: EMPTY_LEDGER };
    throw error;
  }
}
