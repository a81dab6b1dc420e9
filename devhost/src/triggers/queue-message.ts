import type { DequeuedMessageItem } from '@azure/storage-queue';
import type { TypedData } from '../app/core-types.js';
import { memberMetadata } from '../protocol/activity.js';
import type { TriggerInput } from './trigger-run.js';

/** How the texts of queue messages are written: `extensions.queues.messageEncoding` in host.json. */
export type MessageEncoding = 'base64' | 'none';

/**
 * The text of a message, decoded as .NET does: white space in Base64 is ignored, and the bytes must be UTF-8.
 * @throws Error that says what the message is not.
 */
export function decodeMessage(text: string, encoding: MessageEncoding): string {
  if (encoding === 'none') return text;
  const compact = text.replaceAll(/[ \t\r\n]/g, '');
  if (compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) throw new Error('it is not Base64');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(compact, 'base64'));
  } catch {
    throw new Error('it is Base64, but not of UTF-8 text');
  }
}

/**
 * What a queue function receives: the library parses a text that is JSON. Times are as .NET writes them, whole seconds. Members of a JSON
 * object come among the metadata and even replace what is there, whatever the case of their names: in Azure, too, the `id` of an event
 * hides that of the message.
 */
export function queueInput(message: DequeuedMessageItem, text: string): TriggerInput {
  return {
    data: { string: text },
    triggerMetadata: replacing(memberMetadata(jsonValue(text)), {
      QueueTrigger: { string: text },
      DequeueCount: { int: message.dequeueCount },
      ExpirationTime: time(message.expiresOn),
      Id: { string: message.messageId },
      InsertionTime: time(message.insertedOn),
      NextVisibleTime: time(message.nextVisibleOn),
      PopReceipt: { string: message.popReceipt },
    }),
  };
}

function replacing(members: Record<string, TypedData>, metadata: Record<string, TypedData>): Record<string, TypedData> {
  const names = new Map(Object.keys(metadata).map((name) => [name.toLowerCase(), name]));
  const renamed = Object.entries(members).map(([name, value]) => [names.get(name.toLowerCase()) ?? name, value]);
  return { ...metadata, ...(Object.fromEntries(renamed) as Record<string, TypedData>) };
}

function jsonValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function time(date: Date): TypedData {
  return { json: JSON.stringify(date.toISOString().replace(/\.\d+Z$/, '+00:00')) };
}
