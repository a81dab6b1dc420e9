import type { TokenCredential } from '@azure/identity';
import type { QueueServiceClient } from '@azure/storage-queue';
import { JobError, messageOf } from '../job/failure.js';
import type { Notice, NoticeChoice } from '../job/notice.js';
import { isNotFound } from '../storage/storage.js';
import type { Delivery } from './webhook.js';

/** Tells the ends of jobs. */
export interface Notices {
  /** Where it is told of jobs that do not say it themselves. */
  usual: NoticeChoice[];
  /** @throws JobError `platform` when that may work later, `user` when it cannot. */
  send(choice: NoticeChoice, notice: Notice): Promise<void>;
}

export interface NoticeSettings {
  usual: NoticeChoice[];
  /** Endpoint of an Event Grid topic that takes CloudEvents. */
  topic: string | undefined;
  /** By name. */
  secrets: Record<string, string>;
}

interface NoticePorts {
  /** Of the media account. */
  queues: QueueServiceClient;
  webhook: (delivery: Delivery) => Promise<void>;
  login: () => TokenCredential;
}

export function createNotices({ usual, topic, secrets }: NoticeSettings, ports: NoticePorts): Notices {
  return {
    usual,
    send: async (choice, notice) => {
      const body = JSON.stringify(notice);
      if ('queue' in choice) return toQueue(ports.queues, choice.queue, body);
      if ('eventGrid' in choice) return toTopic(ports.login(), topic, body);
      const secret = secrets[choice.secret];
      if (secret === undefined)
        throw new JobError(
          'user',
          `The setting WEBHOOK_SECRET_${choice.secret} is missing, so a webhook cannot be signed; set it.`,
        );
      return ports.webhook({ url: choice.webhook, id: notice.id, secret, body });
    },
  };
}

/** In base64, as functions on queues expect it. */
async function toQueue(queues: QueueServiceClient, name: string, body: string): Promise<void> {
  const queue = queues.getQueueClient(name);
  const send = () => queue.sendMessage(Buffer.from(body).toString('base64'));
  await send().catch(async (error: unknown) => {
    if (!isNotFound(error)) throw error;
    await queue.createIfNotExists();
    await send();
  });
}

const SCOPE = 'https://eventgrid.azure.net/.default';
/** https://learn.microsoft.com/azure/event-grid/post-to-custom-topic */
const API_VERSION = '2018-01-01';
const PATIENCE_MS = 10_000;

async function toTopic(login: TokenCredential, topic: string | undefined, body: string): Promise<void> {
  if (topic === undefined)
    throw new JobError(
      'user',
      'The setting EVENT_GRID_TOPIC is missing, so no event can be sent; set it to the endpoint of a topic.',
    );
  const token = await login.getToken(SCOPE);
  const url = new URL(`?api-version=${API_VERSION}`, topic);
  const headers = {
    'content-type': 'application/cloudevents+json; charset=utf-8',
    ...(token && { authorization: `Bearer ${token.token}` }),
  };
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const answer = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' }).catch(
    (cause: unknown) => {
      throw new JobError('platform', `The Event Grid topic ${url.host} does not answer (${messageOf(cause)}).`, {
        cause,
      });
    },
  );
  if (answer.ok) return;
  const passes = answer.status === 408 || answer.status === 429 || answer.status >= 500;
  throw new JobError(passes ? 'platform' : 'user', `The Event Grid topic ${url.host} answered ${answer.status}.`);
}
