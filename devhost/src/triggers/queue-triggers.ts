import { QueueServiceClient } from '@azure/storage-queue';
import type { AppFunction } from '../app/function-registry.js';
import { messageOf, UserFault } from '../log.js';
import { connectionOf, textOf } from './app-settings.js';
import { QueueListener, type QueueOptions, type QueueWork } from './queue-listener.js';
import { decodeMessage, type MessageEncoding, queueInput } from './queue-message.js';
import { runOnce, type Services } from './trigger-run.js';

const POISON = '-poison';
const LONGEST_NAME = 63;

/**
 * The listeners of the app's queue functions; nothing is read yet.
 * @throws UserFault for a queue or a connection that cannot be used.
 */
export function queueListeners(
  functions: AppFunction[],
  options: QueueOptions & { messageEncoding: MessageEncoding },
  services: Services,
): QueueListener[] {
  return functions.map((target) => {
    const work = queueWork(target, options.messageEncoding, services);
    return new QueueListener(work, options, services.log);
  });
}

function queueWork(target: AppFunction, encoding: MessageEncoding, services: Services): QueueWork {
  const name = textOf(target, 'queueName').toLowerCase();
  if (!/^(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$/.test(name))
    throw new UserFault(
      `Function '${target.name}' names the queue '${name}': names have 3 to 63 letters, digits and single hyphens.`,
    );
  const queues = queueService(connectionOf(target), target.name);
  const hasPoison = !name.endsWith(POISON) && name.length + POISON.length <= LONGEST_NAME;
  const poison = hasPoison ? queues.getQueueClient(name + POISON) : undefined;
  return {
    queue: queues.getQueueClient(name),
    poison: () => poison,
    handle: async (message) => {
      let text: string;
      try {
        text = decodeMessage(message.messageText, encoding);
      } catch (error) {
        // Azure says nothing here.
        services.log.warn(
          `Function '${target.name}' cannot read a message of the queue ${name}: ${messageOf(error)}. Send Base64, or set extensions.queues.messageEncoding to "none" in host.json.`,
        );
        return false;
      }
      return await runOnce(target, queueInput(message, text), services);
    },
  };
}

/** @throws UserFault for text that is no connection string; it is not shown. */
export function queueService(connection: string, functionName: string): QueueServiceClient {
  try {
    return QueueServiceClient.fromConnectionString(connection, { retryOptions: { maxTries: 3, retryDelayInMs: 200 } });
  } catch {
    throw new UserFault(
      `The connection of function '${functionName}' is no connection string for queues: it needs an account with its key, or a SAS and a Queue endpoint.`,
    );
  }
}
