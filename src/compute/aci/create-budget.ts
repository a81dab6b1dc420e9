import { text as textOf } from 'node:stream/consumers';
import { type ContainerClient, RestError } from '@azure/storage-blob';
import PQueue from 'p-queue';
import { again } from '../../container-contract/storage-access.js';
import { counted, JobError } from '../../job/failure.js';
import { poll } from '../../poll.js';
import { isNotFound } from '../../storage/storage.js';
import {
  type Allowance,
  allowance,
  type CreateLedger,
  type CreateReport,
  EMPTY_LEDGER,
  withCreate,
  withReport,
} from './create-ledger.js';

/** Where the ledgers are kept, for all instances of the app. */
export interface LedgerStore {
  /** Changes one ledger, as if nobody else did at that time; may call `change` several times. */
  update(name: string, change: (ledger: CreateLedger) => CreateLedger): Promise<CreateLedger>;
}

/** Headers in which Azure says how many creates and deletes are left, and the seconds of their windows. */
const HEADERS = [
  { header: 'x-ms-ratelimit-remaining-subscription-resource-requests-pt5m', seconds: 300 },
  { header: 'x-ms-ratelimit-remaining-subscription-resource-requests-pt1h', seconds: 3600 },
];

/** Keeps all jobs of the app, on all its instances, below the creates per region that Azure allows a subscription. */
export class CreateBudget {
  constructor(
    private readonly store: LedgerStore,
    private readonly subscriptionId: string,
  ) {}

  /** How many creates the region has left now. */
  async look(region: string): Promise<Allowance> {
    return allowance(await this.#update(region, (ledger) => ledger), region, Date.now());
  }

  /**
   * Takes one create out of the budget; it is gone even if the create then fails.
   * @throws JobError `platform` with the time to wait when none is left.
   */
  async take(region: string): Promise<CreateLedger> {
    return this.#update(region, (ledger) => {
      const now = Date.now();
      const allowed = allowance(ledger, region, now);
      if ('waitSeconds' in allowed) {
        const sentence = `${upperFirst(allowed.why)}, for another ${counted(allowed.waitSeconds, 'second')}.`;
        throw new JobError('platform', sentence, { retryAfterSeconds: allowed.waitSeconds, noRoom: true });
      }
      return withCreate(ledger, now);
    });
  }

  /** Learns from the answer to a create; `taken` is what `take` returned. */
  async note(region: string, taken: CreateLedger, report: CreateReport): Promise<void> {
    if (withReport(taken, report, Date.now()) === taken) return;
    await this.#update(region, (ledger) => withReport(ledger, report, Date.now()));
  }

  #update(region: string, change: (ledger: CreateLedger) => CreateLedger): Promise<CreateLedger> {
    return this.store.update(`${this.subscriptionId}-${region}`, change);
  }
}

const upperFirst = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** @param status HTTP status of the answer: Retry-After counts after a 429 only. */
export function readReport(status: number, headers: { get(name: string): string | undefined }): CreateReport {
  const retryAfter = Number(headers.get('retry-after') ?? Number.NaN);
  return {
    left: HEADERS.flatMap(({ header, seconds }) => {
      const value = headers.get(header);
      return value !== undefined && /^\d+$/.test(value) ? [{ seconds, left: Number(value) }] : [];
    }),
    retryAfterSeconds: status === 429 && retryAfter > 0 ? retryAfter : undefined,
  };
}

const PATIENCE_MS = 10_000;
const LONGEST_PAUSE_MS = 100;

/**
 * Keeps each ledger in a blob, which only whoever read its latest version may replace.
 * @param blobOf name of a ledger's blob in the container.
 */
export function createBlobLedgers(container: ContainerClient, blobOf: (ledger: string) => string): LedgerStore {
  // One update at a time in this process, so that only instances of the app compete for a blob.
  const queues = new Map<string, PQueue>();
  return {
    update: (name, change) => {
      const queue = queues.get(name) ?? new PQueue({ concurrency: 1 });
      queues.set(name, queue);
      return queue.add(() => compareAndSwap(container, blobOf(name), change));
    },
  };
}

async function compareAndSwap(
  container: ContainerClient,
  blob: string,
  change: (ledger: CreateLedger) => CreateLedger,
): Promise<CreateLedger> {
  const tryOnce = async () => {
    const { etag, ledger } = await readLedger(container, blob);
    const changed = change(ledger);
    if (changed === ledger) return ledger;
    const body = JSON.stringify(changed);
    try {
      const conditions = etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag };
      await container.getBlockBlobClient(blob).upload(body, Buffer.byteLength(body), { conditions });
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
  const sentence = 'Too many instances of the app count their creates at once.';
  throw new JobError('platform', sentence, { retryAfterSeconds: 5 });
}

async function readLedger(
  container: ContainerClient,
  blob: string,
): Promise<{ etag: string | undefined; ledger: CreateLedger }> {
  try {
    return await again(async () => {
      const { etag, readableStreamBody } = await container.getBlobClient(blob).download();
      const text = readableStreamBody ? await textOf(readableStreamBody) : '';
      return { etag, ledger: JSON.parse(text) as CreateLedger };
    });
  } catch (error) {
    if (isNotFound(error)) return { etag: undefined, ledger: EMPTY_LEDGER };
    throw error;
  }
}
