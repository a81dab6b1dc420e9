import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BlobLeaseClient, type BlockBlobClient, RestError } from '@azure/storage-blob';
import { messageOf, UserFault } from '../log.js';

const SECONDS = 15;
const RENEW_MS = 5000;
const PATIENCE_MS = 20_000;

interface Holder {
  host: string;
  pid: number;
}

/**
 * Keeps a second host away from the hub: a blob lease of 15 s, renewed every 5 s. A host that died without giving it back
 * leaves it behind; when its process is gone from this machine the lease is broken at once, otherwise it runs out.
 */
export class HubLease {
  readonly #blob: BlockBlobClient;
  readonly #hub: string;
  readonly #log: (text: string) => void;
  readonly #lease: BlobLeaseClient;
  #timer: NodeJS.Timeout | undefined;

  constructor(blob: BlockBlobClient, hub: string, log: (text: string) => void) {
    this.#blob = blob;
    this.#hub = hub;
    this.#log = log;
    this.#lease = blob.getBlobLeaseClient();
  }

  /** `lost` is called once when the lease could not be kept: from then on another host may write to the hub. */
  async acquire(lost: (reason: string) => void): Promise<void> {
    await this.#createBlob();
    const deadline = Date.now() + PATIENCE_MS;
    let waiting = false;
    while (!(await this.#tryAcquire())) {
      const holder = await this.#holder();
      if (holder && isRunning(holder)) this.#refuse(`process ${holder.pid}`);
      if (holder?.host === os.hostname()) await this.#breakIfStillHeldBy(holder);
      else if (Date.now() > deadline)
        this.#refuse(holder ? `${holder.host}, process ${holder.pid}` : 'another machine');
      else {
        if (!waiting) this.#log(`Waiting up to 20 s for the hub ${this.#hub}: its last host did not give it back.`);
        waiting = true;
        await sleep(1000);
      }
    }
    const body = JSON.stringify({ host: os.hostname(), pid: process.pid } satisfies Holder);
    await this.#blob.upload(body, Buffer.byteLength(body), { conditions: { leaseId: this.#lease.leaseId } });
    this.#timer = setInterval(() => void this.#renew(lost), RENEW_MS);
    this.#timer.unref();
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#lease.releaseLease().catch(() => undefined);
  }

  #refuse(who: string): never {
    throw new UserFault(
      `The hub ${this.#hub} is in use by another host (${who}): stop that one, or give this app another hubName in host.json.`,
    );
  }

  /** Looks twice: a host that took the lease a moment ago has not yet written its name. */
  async #breakIfStillHeldBy(dead: Holder): Promise<void> {
    await sleep(500);
    const now = await this.#holder();
    if (now?.pid === dead.pid && now.host === dead.host) await this.#lease.breakLease(0);
  }

  async #createBlob(): Promise<void> {
    try {
      await this.#blob.upload('', 0, { conditions: { ifNoneMatch: '*' } });
    } catch (error) {
      // 409: it exists; 412: it exists and is leased.
      if (!(error instanceof RestError && (error.statusCode === 409 || error.statusCode === 412))) throw error;
    }
  }

  async #tryAcquire(): Promise<boolean> {
    try {
      await this.#lease.acquireLease(SECONDS);
      return true;
    } catch (error) {
      if (error instanceof RestError && error.statusCode === 409) return false;
      throw error;
    }
  }

  async #holder(): Promise<Holder | undefined> {
    try {
      return JSON.parse((await this.#blob.downloadToBuffer()).toString()) as Holder;
    } catch {
      return undefined;
    }
  }

  async #renew(lost: (reason: string) => void): Promise<void> {
    try {
      await this.#lease.renewLease();
    } catch (error) {
      if (error instanceof RestError && (error.statusCode === 409 || error.statusCode === 412)) {
        clearInterval(this.#timer);
        lost(messageOf(error).split('\n')[0] ?? '');
      }
      // Anything else is storage being away for a moment: turns retry, and so does the next renewal.
    }
  }
}

function isRunning(holder: Holder): boolean {
  if (holder.host !== os.hostname()) return false;
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
