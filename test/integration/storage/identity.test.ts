import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BlobClient, BlobServiceClient, ContainerClient } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { DelegationKeys } from '../../../src/storage/delegation-keys.js';
import { blobSas, containerSas, openStorage, type Storage } from '../../../src/storage/storage.js';
import { hasOpenssl, type IdentityStorage, makeToken, startIdentityStorage } from '../../support/identity-storage.js';

const HOUR = 3_600_000;
const folder = mkdtempSync(path.join(os.tmpdir(), 'identity-'));
const credential = () => ({ token: makeToken(), expiresOnTimestamp: Date.now() + HOUR });
const login = () => ({ getToken: () => Promise.resolve(credential()) });

let azurite: IdentityStorage;
let storage: Storage;

describe.skipIf(!hasOpenssl)('storage that is reached with the app’s identity', () => {
  beforeAll(async () => {
    // This process was started without the certificate; the programs under test get it as NODE_EXTRA_CA_CERTS.
    // Node warns of certificates that nobody signed, which are what this Azurite has.
    vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    azurite = await startIdentityStorage(folder);
    const account = { blobServiceUri: azurite.uri, clientId: undefined };
    storage = openStorage({ mediaConnection: account, internalConnection: account }, login);
    for (const name of ['own', 'other']) {
      const container = storage.media.getContainerClient(name);
      await container.create();
      await container.getBlockBlobClient('a.txt').upload('hello', 5);
    }
  });

  afterAll(async () => {
    await azurite.stop();
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
    rmSync(folder, { recursive: true, force: true });
  });

  const own = () => storage.media.getContainerClient('own');
  const text = async (blob: BlobClient) => (await blob.downloadToBuffer()).toString();

  test('lets the holder of a container’s URL read, list and write in that container', async () => {
    const holder = new ContainerClient(await containerSas(storage, own(), 'rcwl', Date.now() + HOUR));
    expect(await text(holder.getBlobClient('a.txt'))).toBe('hello');
    await holder.getBlockBlobClient('b.txt').upload('new', 3);
    const names: string[] = [];
    for await (const { name } of holder.listBlobsFlat()) names.push(name);
    expect(names).toEqual(['a.txt', 'b.txt']);
  });

  test('signs with a delegation key of the identity, for https only, until the deadline', async () => {
    const deadline = Date.UTC(2100, 0, 1);
    await expect(containerSas(storage, own(), 'r', deadline)).rejects.toThrow('seven days at most');
    const soon = Math.ceil(Date.now() / 1000) * 1000 + HOUR;
    const query = new URL(await containerSas(storage, own(), 'r', soon)).searchParams;
    expect(query.get('skoid')).toBe('ab1f708d-50f6-404c-a006-d71b2ac7a606');
    expect(query.get('spr')).toBe('https');
    expect(Date.parse(query.get('se') ?? '')).toBe(soon);
  });

  test.each<[string, (url: string) => string]>([
    ['another container', (url) => url.replace('/own?', '/other?')],
    ['a longer time', (url) => url.replace(/se=20(..)/, 'se=21$1')],
    ['a forged signature', (url) => url.replace(/sig=.{4}/, 'sig=AAAA')],
  ])('refuses the URL for %s', async (_, change) => {
    const url = change(await containerSas(storage, own(), 'r', Date.now() + HOUR));
    await expect(text(new ContainerClient(url).getBlobClient('a.txt'))).rejects.toMatchObject({ statusCode: 403 });
  });

  test('refuses to write with a URL for reading, and any use after the deadline', async () => {
    const read = new ContainerClient(await containerSas(storage, own(), 'r', Date.now() + HOUR));
    await expect(read.getBlockBlobClient('a.txt').upload('x', 1)).rejects.toMatchObject({ statusCode: 403 });
    const late = await blobSas(storage, own().getBlobClient('a.txt'), 'r', Date.now() - 1000);
    await expect(text(new BlobClient(late))).rejects.toMatchObject({ statusCode: 403 });
  });

  test('is asked for a key once a day, and for a new one when the old one ends too soon', async () => {
    const token = { ...credential(), expiresOnTimestamp: Date.now() + 48 * HOUR };
    const keys = new DelegationKeys(new BlobServiceClient(azurite.uri, { getToken: () => Promise.resolve(token) }));
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    let now = Date.now();
    const [first, second] = await Promise.all([keys.lasting(now + HOUR), keys.lasting(now + 2 * HOUR)]);
    expect(second).toBe(first);
    now += 23 * HOUR;
    vi.setSystemTime(now);
    expect(await keys.lasting(now + HOUR)).toBe(first);
    const third = await keys.lasting(now + 2 * HOUR);
    expect(third).not.toBe(first);
    expect(third.signedExpiresOn.getTime()).toBeGreaterThan(now + 23 * HOUR);
  });

  test('is asked again after it gave no key', async () => {
    let tries = 0;
    const flaky = { getToken: () => ((tries += 1) === 1 ? Promise.reject(new Error('no login')) : login().getToken()) };
    const keys = new DelegationKeys(new BlobServiceClient(azurite.uri, flaky));
    await expect(keys.lasting(Date.now() + HOUR)).rejects.toThrow('no login');
    expect((await keys.lasting(Date.now() + HOUR)).signedService).toBe('b');
  });
});
