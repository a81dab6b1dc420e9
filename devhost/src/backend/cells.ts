import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { ContainerClient } from '@azure/storage-blob';

/** Characters a table key must not contain, and what DurableTask.AzureStorage writes for them. */
const ESCAPES: Record<string, string> = { '^': '^^', '/': '^0', '\\': '^1', '#': '^2', '?': '^3' };
const UNESCAPES = new Map(Object.entries(ESCAPES).map(([char, text]) => [text, char]));

/** The partition key of an instance id (DurableTask.AzureStorage, KeySanitation.cs). */
export function toKey(instanceId: string): string {
  return instanceId.replaceAll(/[\^/\\#?\p{Cc}]/gu, (char) => {
    return ESCAPES[char] ?? `^${String.fromCodePoint((char.codePointAt(0) ?? 0) + 0xc0)}`;
  });
}

export function fromKey(key: string): string {
  return key.replaceAll(/\^(.)/gs, (text, char: string) => {
    return UNESCAPES.get(text) ?? String.fromCodePoint((char.codePointAt(0) ?? 0) - 0xc0);
  });
}

/** A table cell holds 32,768 characters; DurableTask.AzureStorage moves texts above 60 KiB of UTF-16 to blobs. */
const MAX_INLINE = 30_720;

const zip = promisify(gzip);
const unzip = promisify(gunzip);

/** Keeps texts too long for a table cell as gzip blobs in `<hub>-largemessages`, named as DurableTask.AzureStorage does. */
export class LargePayloads {
  readonly #container: ContainerClient;

  constructor(container: ContainerClient) {
    this.#container = container;
  }

  isLarge(text: string): boolean {
    return text.length > MAX_INLINE;
  }

  /** Stores the text and returns the blob's name. */
  async put(partitionKey: string, rowKey: string, eventType: string, property: string, text: string): Promise<string> {
    const unique = randomBytes(4).toString('hex').toUpperCase();
    const name = `${partitionKey}/history-${rowKey}-${eventType}-${unique}-${property}.json.gz`;
    const body = await zip(text);
    await this.#container
      .getBlockBlobClient(name)
      .uploadData(body, { blobHTTPHeaders: { blobContentType: 'application/octet-stream' } });
    return name;
  }

  async get(name: string): Promise<string> {
    const body = await this.#container.getBlobClient(name).downloadToBuffer();
    return (await unzip(body)).toString();
  }

  urlOf(name: string): string {
    return this.#container.getBlobClient(name).url;
  }

  /** The name of one of these blobs by its URL, under whatever address a client knows the storage; undefined for any other text. */
  nameOf(url: string): string | undefined {
    const [, container, name] = /^https?:\/\/[^/]+(?:\/[^/]+)?\/([^/]+)\/(.+\.json\.gz)$/.exec(url) ?? [];
    return container === this.#container.containerName && name ? decodeURIComponent(name) : undefined;
  }

  /** The partition keys of all instances that have texts here. */
  async owners(): Promise<Set<string>> {
    const found = new Set<string>();
    for await (const item of this.#container.listBlobsByHierarchy('/'))
      if (item.kind === 'prefix') found.add(item.name.slice(0, -1));
    return found;
  }

  async removeAll(partitionKey: string): Promise<void> {
    for await (const blob of this.#container.listBlobsFlat({ prefix: `${partitionKey}/` })) {
      await this.#container.deleteBlob(blob.name);
    }
  }
}
