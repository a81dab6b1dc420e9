import { readFileSync } from 'node:fs';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BlobLeaseClient, type BlockBlobClient, RestError } from '@azure/storage-blob';
import { messageOf, UserFault } from '../log.js';

const SECONDS = 15;
const RENEW_MS = 5000;
const PATIENCE_MS = 20_000;

/** A host that was told to end may live a little longer than the process that told it. */
const ENDING_MS = 2000;
const LOOK_AGAIN_MS = 50;

interface Holder {
  host: string;
  pid: number;
  /** When the process was started: the number of one that ended is given to another. */
  started: string;
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
    const begun = Date.now();
    let waiting = false;
    while (!(await this.#tryAcquire())) {
      const holder = await this.#holder();
      if (holder && isRunning(holder)) {
        if (Date.now() > begun + ENDING_MS) this.#refuse(`process ${holder.pid}`);
        await sleep(LOOK_AGAIN_MS);
      } else if (holder?.host === os.hostname()) await this.#breakIfStillHeldBy(holder);
      else if (Date.now() > begun + PATIENCE_MS)
        this.#refuse(holder ? `${holder.host}, process ${holder.pid}` : 'another machine');
      else {
        if (!waiting) this.#log(`Waiting up to 20 s for the hub ${this.#hub}: its last host did not give it back.`);
        waiting = true;
        await sleep(1000);
      }
    }
    const me: Holder = { host: os.hostname(), pid: process.pid, started: startOf(process.pid) };
    const body = JSON.stringify(me);
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

function isRunning({ host, pid, started }: Holder): boolean {
  if (host !== os.hostname() || startOf(pid) !== started) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** When a process was started; '' when it lives no more, or on a system other than Linux. */
function startOf(pid: number): string {
  try {
    // proc(5): after the name in brackets, which may hold spaces, come the state and, 19 fields on, the start in ticks since the boot.
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? '' : `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19]}`;
  } catch {
    return '';
  }
}
