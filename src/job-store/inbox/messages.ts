import { type Storage, isNotFound } from '../../storage/storage.js';
import { inboxQueueOf } from '../layout.js';

/** Puts a message into the queue of new media, and the queue into the account if it is not there. */
export async function sendToInbox(storage: Storage, text: string, delaySeconds = 0): Promise<void> {
  const queue = inboxQueueOf(storage);
  const send = () => queue.sendMessage(text, { visibilityTimeout: delaySeconds });
  try {
    await send();
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await queue.createIfNotExists();
    await send();
  }
}

/** About how many messages the queue of new media has, those that are to come later among them. */
export async function countMessages(storage: Storage): Promise<number> {
  try {
    return (await inboxQueueOf(storage).getProperties()).approximateMessagesCount ?? 0;
  } catch (error) {
    if (isNotFound(error)) return 0;
    throw error;
  }
}
