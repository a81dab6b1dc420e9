import type { StorageQueueHandler } from '@azure/functions';
import type { Ports } from '../../activities/ports.js';
import { quarantineMessage } from '../../job-store/inbox/quarantine.js';

/**
 * Takes what came into the poison queue: messages on which the app has failed again and again. Bad media never does that, so each is a
 * fault of the app, and its log says so.
 */
export const createTakePoison =
  ({ storage }: Pick<Ports, 'storage'>): StorageQueueHandler =>
  async (message, context) => {
    const record = await quarantineMessage(storage, message, 'the app has failed on it again and again');
    context.error(
      `inbox: the app has failed on a message, which is kept as ${record}; send it again once that is mended`,
    );
  };
