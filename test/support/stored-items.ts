import type { ContainerClient } from '@azure/storage-blob';
import { type Member, readPack, writePack } from '../../src/container-contract/pack.js';

/** The items below `frames/` or `scored/` of a work container, by index, whether they are files of their own or in packs. */
export async function storedItems(work: ContainerClient, prefix: 'frames/' | 'scored/'): Promise<Map<number, Buffer>> {
  const items = new Map<number, Buffer>();
  for await (const { name } of work.listBlobsFlat({ prefix })) {
    const bytes = await work.getBlobClient(name).downloadToBuffer();
    const members = name.endsWith('.zip') ? await membersOf(bytes) : [{ name, bytes }];
    for (const member of members) items.set(Number(/\d+/.exec(member.name)?.[0]), Buffer.from(member.bytes));
  }
  return items;
}

/** Puts other bytes in the place of a frame. @returns those that were there. */
export async function replaceFrame(work: ContainerClient, index: number, bytes: Buffer): Promise<Buffer> {
  for await (const { name } of work.listBlobsFlat({ prefix: 'frames/' })) {
    const blob = work.getBlockBlobClient(name);
    const before = await blob.downloadToBuffer();
    const members = name.endsWith('.zip') ? await membersOf(before) : [{ name, bytes: before }];
    const member = members.find((each) => Number(/\d+/.exec(each.name)?.[0]) === index);
    if (!member) continue;
    const original = Buffer.from(member.bytes);
    member.bytes = bytes;
    await blob.uploadData(name.endsWith('.zip') ? await packOf(members) : bytes);
    return original;
  }
  throw new Error(`There is no frame ${index}.`);
}

async function membersOf(pack: Buffer): Promise<Member[]> {
  const members: Member[] = [];
  for await (const member of readPack(chunksOf(pack), pack.length)) members.push(member);
  return members;
}

async function* chunksOf(bytes: Buffer) {
  yield await Promise.resolve(bytes);
}

async function packOf(members: Member[]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writePack(members)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
