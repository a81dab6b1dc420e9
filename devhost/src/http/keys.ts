import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { ContainerClient } from '@azure/storage-blob';
import { readText, writeText } from '../backend/host-storage.js';
import { UserFault } from '../log.js';
import type { Answer, Request } from './http-server.js';

/** The key that opens the durable management API, as the real host names it. */
const DURABLE_KEY = 'durabletask_extension';

/** As the real host refuses a function; the management API adds how to log in. */
export const UNAUTHORIZED: Answer = { status: 401, headers: { 'content-length': '0' } };
/** For a key that is known and opens something else. */
export const FORBIDDEN: Answer = { status: 403, headers: { 'content-length': '0' } };
export const DURABLE_UNAUTHORIZED: Answer = {
  status: 401,
  headers: { 'content-length': '0', 'www-authenticate': 'Bearer' },
};

/** A key as the real host stores it. */
interface Key {
  name: string;
  value: string;
  encrypted: boolean;
}

interface HostKeys {
  masterKey: Key;
  functionKeys: Key[];
  systemKeys: Key[];
}

/** What a request wants: a function by its `authLevel`, or something of the host. */
export type Door = { authLevel: string; functionName: string } | 'durable' | 'admin';

/**
 * The keys of an app, as the real host has them: the master key opens everything; a host key and a key of the function open functions of
 * the level `function`; a system key opens the durable management API and nothing else (azure-functions-host, SecretManager.cs).
 */
export class Keys {
  readonly #host: HostKeys;
  readonly #store: KeyStore;
  readonly #functions = new Map<string, Promise<Key[]>>();

  /** Reads the host's keys from their blob, or makes new ones. */
  static async open(container: ContainerClient, id: string): Promise<Keys> {
    const store = new KeyStore(container, id);
    return new Keys(await store.hostKeys(), store);
  }

  private constructor(host: HostKeys, store: KeyStore) {
    this.#host = host;
    this.#store = store;
  }

  /** The key for URLs of the durable management API. */
  get durable(): string {
    return this.#host.systemKeys.find(({ name }) => name === DURABLE_KEY)?.value ?? '';
  }

  /** Every key by its name, for the user to see. */
  async show(): Promise<object> {
    const byName = (keys: readonly Key[]) => Object.fromEntries(keys.map(({ name, value }) => [name, value]));
    const functions: Record<string, object> = {};
    for (const name of await this.#store.functionNames()) functions[name] = byName(await this.#ofFunction(name));
    const { masterKey, functionKeys, systemKeys } = this.#host;
    return {
      masterKey: masterKey.value,
      functionKeys: byName(functionKeys),
      systemKeys: byName(systemKeys),
      functions,
    };
  }

  /** Whether the request brings a key that opens the door. */
  async opens(door: Door, request: Request): Promise<boolean> {
    if (typeof door === 'object' && door.authLevel === 'anonymous') return true;
    const given = givenKey(request);
    if (given === undefined) return false;
    const keys = [this.#host.masterKey, ...(await this.#keysOf(door))];
    // Every key is compared, so that the time does not tell which one was near.
    return keys.map(({ value }) => isSame(value, given)).includes(true);
  }

  /** Makes the keys of a function if it has none. */
  async prepare(functionName: string): Promise<void> {
    await this.#ofFunction(functionName);
  }

  async #keysOf(door: Door): Promise<Key[]> {
    if (door === 'admin') return [];
    if (door === 'durable') return this.#host.systemKeys.filter(({ name }) => name === DURABLE_KEY);
    if (door.authLevel !== 'function') return [];
    return [...this.#host.functionKeys, ...(await this.#ofFunction(door.functionName))];
  }

  async #ofFunction(functionName: string): Promise<Key[]> {
    const name = functionName.toLowerCase();
    const known = this.#functions.get(name);
    if (known) return await known;
    const keys = this.#store.functionKeys(name);
    this.#functions.set(name, keys);
    keys.catch(() => this.#functions.delete(name));
    return await keys;
  }
}

/** The key that a request brings: in the header, or else in the query. */
export function givenKey({ headers, url }: Request): string | undefined {
  const header = headers['x-functions-key'];
  const given = typeof header === 'string' ? header : url.searchParams.get('code');
  return given || undefined;
}

/** Takes the same time wherever the two differ. */
export function isSame(key: string, given: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return key !== '' && timingSafeEqual(digest(key), digest(given));
}

/** Keys in the blobs of the real host: `azure-webjobs-secrets/<id>/host.json`, and one beside it for each function. */
class KeyStore {
  constructor(
    private readonly container: ContainerClient,
    private readonly id: string,
  ) {}

  async hostKeys(): Promise<HostKeys> {
    const stored = await this.#read('host', {
      masterKey: newKey('master'),
      functionKeys: [newKey('default')],
      systemKeys: [newKey(DURABLE_KEY)],
    });
    const keys = {
      masterKey: this.#usable('host', [stored['masterKey']])[0],
      functionKeys: this.#usable('host', stored['functionKeys']),
      systemKeys: this.#usable('host', stored['systemKeys']),
    };
    if (!keys.masterKey) throw this.#fault('host', 'has no master key');
    if (!keys.systemKeys.some(({ name }) => name === DURABLE_KEY)) {
      keys.systemKeys.push(newKey(DURABLE_KEY));
      await writeText(this.container, this.#blobOf('host'), JSON.stringify({ ...stored, ...keys }));
    }
    return { ...keys, masterKey: keys.masterKey };
  }

  async functionKeys(functionName: string): Promise<Key[]> {
    return this.#usable(functionName, (await this.#read(functionName, { keys: [newKey('default')] }))['keys']);
  }

  async functionNames(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of this.container.listBlobsFlat({ prefix: `${this.id}/` }))
      names.push(name.slice(this.id.length + 1).replace(/\.json$/, ''));
    return names.filter((name) => name !== 'host');
  }

  /** What is stored; the first time, that is what is given. */
  async #read(name: string, initial: object): Promise<Record<string, unknown>> {
    const blob = this.#blobOf(name);
    let text = await readText(this.container, blob);
    if (text === undefined) {
      const made = { ...initial, source: 'runtime', decryptionKeyId: '' };
      await writeText(this.container, blob, JSON.stringify(made, undefined, 2), { onlyIfNew: true });
      text = (await readText(this.container, blob)) ?? '';
    }
    try {
      return (JSON.parse(text) as Record<string, unknown> | null) ?? {};
    } catch {
      throw this.#fault(name, 'is not JSON');
    }
  }

  #usable(name: string, keys: unknown): Key[] {
    const isKey = (key: unknown): key is Key =>
      typeof key === 'object' &&
      key !== null &&
      typeof (key as Key).name === 'string' &&
      typeof (key as Key).value === 'string';
    if (!Array.isArray(keys) || !keys.every(isKey)) throw this.#fault(name, 'holds something else than keys');
    if (keys.some(({ encrypted }) => encrypted)) throw this.#fault(name, 'holds encrypted keys');
    return keys;
  }

  #blobOf(name: string): string {
    return `${this.id}/${name}.json`;
  }

  #fault(name: string, what: string): UserFault {
    return new UserFault(
      `The blob ${this.container.containerName}/${this.#blobOf(name)} ${what}: remove it, and the host makes new keys.`,
    );
  }
}

function newKey(name: string): Key {
  return { name, value: randomBytes(40).toString('base64url'), encrypted: false };
}
