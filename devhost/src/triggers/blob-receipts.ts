import { type ContainerClient, RestError } from '@azure/storage-blob';
import { type HostStorage, writeText } from '../backend/host-storage.js';

/** A version of a blob. */
export interface BlobVersion {
  container: string;
  name: string;
  /** Without quotes. */
  etag: string;
}

/**
 * Which versions of blobs a function was told of, in the blobs of the real host: `blobreceipts/<id>/<function>/<ETag>/<container>/<name>`
 * of azure-webjobs-hosts, complete once the message for the function is in the queue (BlobReceiptManager.cs).
 */
export class BlobReceipts {
  readonly #hosts: ContainerClient;
  readonly #folder: string;

  constructor({ hosts, id }: HostStorage, functionId: string) {
    this.#hosts = hosts;
    this.#folder = `blobreceipts/${id}/${functionId}/`;
  }

  /** The ETags of the versions that are done with, by container and name. */
  async complete(): Promise<Map<string, Set<string>>> {
    const found = new Map<string, Set<string>>();
    try {
      for await (const { name, metadata } of this.#hosts.listBlobsFlat({
        prefix: this.#folder,
        includeMetadata: true,
      })) {
        const [, etag = '', blob = ''] = /^([^/]*)\/(.*)$/s.exec(name.slice(this.#folder.length)) ?? [];
        if (!isComplete(metadata)) continue;
        found.set(blob, (found.get(blob) ?? new Set()).add(etag));
      }
    } catch (error) {
      if (!(error instanceof RestError && error.statusCode === 404)) throw error;
    }
    return found;
  }

  /** Runs `enqueue` unless it ran before; it may run twice where the host dies in between. */
  async once(version: BlobVersion, enqueue: () => Promise<unknown>): Promise<void> {
    const name = `${this.#folder}${version.etag}/${version.container}/${version.name}`;
    await writeText(this.#hosts, name, '', { onlyIfNew: true, metadata: { BlobReceipt: 'Incomplete' } });
    await enqueue();
    await this.#hosts.getBlobClient(name).setMetadata({ BlobReceipt: 'Complete' });
  }
}

function isComplete(metadata: Record<string, string> = {}): boolean {
  return Object.entries(metadata).some(([name, value]) => name.toLowerCase() === 'blobreceipt' && value === 'Complete');
}
