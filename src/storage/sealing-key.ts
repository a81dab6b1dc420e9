import { RestError } from '@azure/storage-blob';
import { makeSealingKey } from '../container-contract/sealing.js';
import { APP_SECRETS, SEALING_KEY_BLOB } from '../job-store/layout.js';
import { readText, type Storage } from './storage.js';

/** The app's sealing key in base64, made at the first use and the same from then on, whichever host asks. */
export async function readSealingKey(storage: Storage): Promise<string> {
  const container = storage.internal.getContainerClient(APP_SECRETS);
  const existing = await readText(container, SEALING_KEY_BLOB);
  if (existing !== undefined) return existing;
  await container.createIfNotExists();
  const key = makeSealingKey();
  try {
    const onlyNew = { conditions: { ifNoneMatch: '*' } };
    await container.getBlockBlobClient(SEALING_KEY_BLOB).upload(key, key.length, onlyNew);
    return key;
  } catch (error) {
    // Another host was first: its key counts.
    const winner = error instanceof RestError ? await readText(container, SEALING_KEY_BLOB) : undefined;
    if (winner === undefined) throw error;
    return winner;
  }
}
