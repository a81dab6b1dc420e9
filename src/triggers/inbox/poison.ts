import type { StorageQueueHandler } from '@azure/functions';
import type { Ports } from '../../activities/ports.js';
import { placeOf } from '../../telemetry/ids.js';
import { quarantineMessage } from '../../job-store/inbox/quarantine.js';

/**
 * Takes what came into the poison queue: messages on which the app has failed again and again. Bad media never does that, so each is a
 * fault of the app, and its log says so.
 */
export const createTakePoison =
  ({ storage, telemetry }: Pick<Ports, 'storage' | 'telemetry'>): StorageQueueHandler =>
  async (message, context) => {
    const record = await quarantineMessage(storage, message, {
      reason: 'The app has failed on this message again and again.',
      remedy: 'The log of the app says why; when that is mended, put the message into the queue again.',
    });
    telemetry.messageLost({ record, place: placeOf(record, undefined, context.traceContext?.traceParent) });
    context.error(
      `inbox: the app has failed on a message, which is kept as ${record}; send it again once that is mended`,
    );
  };
