import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { AccountSASPermissions, BlobServiceClient } from '@azure/storage-blob';
import { afterAll, expect, inject, test } from 'vitest';

const service = BlobServiceClient.fromConnectionString(inject('storage'));
const containers = ['azurite-names-a', 'azurite-names-b'].map((name) => service.getContainerClient(name));
afterAll(() => Promise.all(containers.map((container) => container.deleteIfExists())));

test('a blob is found by its name in its own container, and its snapshot stays what it was', async () => {
  await Promise.all(containers.map((container) => container.create()));
  const blobs = containers.map((container) => container.getBlockBlobClient('frames/0000001.png'));
  for (const [index, blob] of blobs.entries()) await blob.upload(`first ${index}`, 7);
  const [a, b] = blobs;
  const { snapshot = '' } = (await a?.createSnapshot()) ?? {};
  await a?.upload('second 0', 8);
  expect((await a?.downloadToBuffer())?.toString()).toBe('second 0');
  expect((await a?.withSnapshot(snapshot).downloadToBuffer())?.toString()).toBe('first 0');
  expect((await b?.downloadToBuffer())?.toString()).toBe('first 1');
  await a?.deleteIfExists({ deleteSnapshots: 'include' });
  expect([await a?.exists(), await b?.exists()]).toEqual([false, true]);
});

test('a blob has its MD5, and one that says another of itself is refused, large ones too', async () => {
  const [container] = containers;
  await container?.createIfNotExists();
  for (const bytes of [Buffer.from('small'), Buffer.alloc(5 * 1024 * 1024, 'large')]) {
    const blob = container?.getBlockBlobClient(`of-${bytes.length}`);
    const blobContentMD5 = createHash('md5').update(bytes).digest();
    await blob?.upload(bytes, bytes.length, { blobHTTPHeaders: { blobContentMD5 } });
    expect(Buffer.from((await blob?.getProperties())?.contentMD5 ?? [])).toEqual(blobContentMD5);
    const wrong = { blobHTTPHeaders: { blobContentMD5: createHash('md5').update('other').digest() } };
    await expect(blob?.upload(bytes, bytes.length, wrong)).rejects.toThrow(/MD5/);
    await blob?.upload(bytes, bytes.length);
    expect((await blob?.downloadToBuffer())?.equals(bytes)).toBe(true);
  }
});

test('a name with characters that XML cannot hold is listed among the others, as a folder too', async () => {
  const [, container] = containers;
  await container?.createIfNotExists();
  const names = ['odd\u0001/a\u001F.mp4', 'odd\uFFFE.mp4', 'odd.mp4'];
  for (const name of names) await container?.getBlockBlobClient(name).upload('', 0);
  const listed: string[] = [];
  for await (const { name } of container?.listBlobsFlat({ prefix: 'odd' }) ?? []) listed.push(name);
  expect(listed.toSorted()).toEqual(names.toSorted());
  const top: string[] = [];
  for await (const { name } of container?.listBlobsByHierarchy('/', { prefix: 'odd' }) ?? []) top.push(name);
  expect(top.toSorted()).toEqual(['odd\u0001/', 'odd.mp4', 'odd\uFFFE.mp4']);
});

test('a page from elsewhere gets nothing, though it knows the key as everybody does', async () => {
  const signed = service.generateAccountSasUrl(undefined, AccountSASPermissions.parse('rwl'), 'sco');
  const statusOf = async (path: string, headers: Record<string, string>) => {
    const url = new URL(signed);
    url.pathname = path;
    url.searchParams.set('comp', 'list');
    const [answer] = (await once(request(url, { headers }).end(), 'response')) as [IncomingMessage];
    answer.resume();
    return answer.statusCode;
  };
  const account = service.accountName;
  expect(await statusOf(`/${account}`, {})).toBe(200);
  expect(await statusOf(`/${account}`, { origin: 'http://localhost:7071' })).toBe(200);
  expect(await statusOf(`/${account}`, { origin: 'https://example.com' })).toBe(403);
  expect(await statusOf('/', { host: `${account}.example.com` })).toBe(403);
});
