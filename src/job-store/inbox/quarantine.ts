import { createHash } from 'node:crypto';
import type { Claim } from '../../job/inbox/claim.js';
import { hideSecrets } from '../../job/failure.js';
import { messageText } from '../../job/inbox/media-event.js';
import { type Storage, writeJson } from '../../storage/storage.js';
import { INBOX, quarantineBlob, quarantinedMessageBlob, quarantineOf } from '../layout.js';

const REMEDY = 'Correct it and upload it again: every new version is looked at anew.';
/** Longest part of a message that is kept. */
const LONGEST_TEXT = 4096;

/** Says why a version of a blob starts no job, where its owner finds it. @returns the record's path in the media account. */
export async function quarantine(storage: Storage, { claim, event }: Claim, reason: string): Promise<string> {
  const blob = quarantineBlob(event.name, claim);
  await write(storage, blob, { reason, remedy: REMEDY, blob: `${INBOX}/${event.name}`, etag: event.etag, event });
  return `${quarantineOf(storage).containerName}/${blob}`;
}

/** Keeps a message of which nothing comes, and says why. @returns the record's path in the media account. */
export async function quarantineMessage(
  storage: Storage,
  message: unknown,
  { reason, remedy }: { reason: string; remedy: string },
): Promise<string> {
  const text = messageText(message);
  const blob = quarantinedMessageBlob(createHash('sha256').update(text).digest('hex').slice(0, 16));
  const kept = hideSecrets(text).slice(0, LONGEST_TEXT);
  await write(storage, blob, { reason, remedy, message: kept });
  return `${quarantineOf(storage).containerName}/${blob}`;
}

/** The same record whenever it is written again, but for the time. */
async function write(storage: Storage, blob: string, record: object): Promise<void> {
  await quarantineOf(storage).createIfNotExists();
  await writeJson(quarantineOf(storage), blob, { ...record, at: new Date().toISOString() });
}
