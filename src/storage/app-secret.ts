import { type ContainerClient, RestError } from '@azure/storage-blob';
import { makeSealingKey } from '../container-contract/sealing.js';
import { readText } from './storage.js';

/** A secret of the app itself, 32 bytes in base64: made at the first use, and the same from then on for every host that asks. */
export async function readAppSecret(container: ContainerClient, blob: string): Promise<string> {
  const existing = await readText(container, blob);
  if (existing !== undefined) return existing;
  await container.createIfNotExists();
  const key = makeSealingKey();
  try {
    const onlyNew = { conditions: { ifNoneMatch: '*' } };
    await container.getBlockBlobClient(blob).upload(key, key.length, onlyNew);
    return key;
  } catch (error) {
    // Another host was first: its key counts.
    const winner = error instanceof RestError ? await readText(container, blob) : undefined;
    if (winner === undefined) throw error;
    return winner;
  }
}
