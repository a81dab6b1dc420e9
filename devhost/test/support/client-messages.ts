import { gzipSync } from 'node:zlib';
import { BlobServiceClient, type BlockBlobClient } from '@azure/storage-blob';
import { QueueServiceClient } from '@azure/storage-queue';
import { inject } from 'vitest';

/** Messages as DurableTask.AzureStorage's client writes them into control queues. */

const NUMBERS = { started: 0, terminated: 3, completed: 5, raised: 15, generic: 17, suspended: 19, resumed: 20 };
const TYPES = {
  started: 'ExecutionStarted',
  terminated: 'ExecutionTerminated',
  completed: 'TaskCompleted',
  raised: 'EventRaised',
  generic: 'Generic',
  suspended: 'ExecutionSuspended',
  resumed: 'ExecutionResumed',
};

let sent = 0;

export interface Sent {
  instanceId: string;
  executionId?: string;
  /** Members of the event, and of the envelope. */
  event?: object;
  envelope?: object;
}

/** The message as an object; JSON.stringify makes its text. */
export function clientMessage(
  kind: keyof typeof NUMBERS,
  { instanceId, executionId, event, envelope }: Sent,
): Record<string, unknown> {
  return {
    $type: 'DurableTask.AzureStorage.MessageData',
    ActivityId: '5d6bb5a8-3d40-4c9b-9a66-6a39f4b7b0c1',
    TaskMessage: {
      $type: 'DurableTask.Core.TaskMessage',
      Event: {
        $type: `DurableTask.Core.History.${TYPES[kind]}Event`,
        EventType: NUMBERS[kind],
        EventId: -1,
        IsPlayed: false,
        Timestamp: new Date().toISOString().replace('Z', '471Z'),
        ...event,
      },
      SequenceNumber: 0,
      OrchestrationInstance: {
        $type: 'DurableTask.Core.OrchestrationInstance',
        InstanceId: instanceId,
        ExecutionId: executionId ?? null,
      },
      OrchestrationExecutionContext: null,
    },
    CompressedBlobName: null,
    SequenceNumber: ++sent,
    Sender: { InstanceId: '', ExecutionId: '' },
    SerializableTraceContext: null,
    ...envelope,
  };
}

/** The message that starts an instance. */
export function startMessage(
  name: string,
  input: unknown,
  { instanceId, executionId, event }: Sent & { executionId: string },
): Record<string, unknown> {
  return clientMessage('started', {
    instanceId,
    executionId,
    event: {
      OrchestrationInstance: { InstanceId: instanceId, ExecutionId: executionId },
      ParentInstance: null,
      Name: name,
      Version: '',
      Input: JSON.stringify(input),
      Tags: null,
      Correlation: null,
      ScheduledStartTime: null,
      Generation: 0,
      ...event,
    },
  });
}

/** Another client of a hub, at its queues. */
export class QueueingClient {
  readonly #hub: string;
  readonly #queues = QueueServiceClient.fromConnectionString(inject('storage'));
  readonly #partitions: number;

  constructor(hub: string, partitions: number) {
    this.#hub = hub.toLowerCase();
    this.#partitions = partitions;
  }

  /** Puts the message into the queue of its instance, as plain JSON. */
  async send(instanceId: string, message: object | string): Promise<void> {
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    await this.#queues.getQueueClient(this.queueOf(instanceId)).sendMessage(text);
  }

  /** The text of the message goes into a gzip blob, and a message that names it into the queue. */
  async sendLong(instanceId: string, message: object, eventType: string): Promise<void> {
    const blob = this.#longBlob(instanceId, eventType);
    await blob.uploadData(gzipSync(JSON.stringify(message)));
    const envelope = { ActivityId: '', TaskMessage: null, CompressedBlobName: blob.name, SequenceNumber: 0 };
    await this.send(instanceId, envelope);
  }

  /** The address of that blob, which the client writes into the row instead of the input. */
  longUrl(instanceId: string, eventType: string): string {
    return this.#longBlob(instanceId, eventType).url;
  }

  #longBlob(instanceId: string, eventType: string): BlockBlobClient {
    return BlobServiceClient.fromConnectionString(inject('storage'))
      .getContainerClient(`${this.#hub}-largemessages`)
      .getBlockBlobClient(`${instanceId}/message-5d6bb5a83d404c9b9a666a39f4b7b0c1-${eventType}.json.gz`);
  }

  /** FNV-1a with 32 bits over the id's bytes chooses the queue. */
  queueOf(instanceId: string): string {
    let hash = 0x811c9dc5;
    for (const byte of Buffer.from(instanceId)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
    return `${this.#hub}-control-${String(hash % this.#partitions).padStart(2, '0')}`;
  }

  async queues(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of this.#queues.listQueues({ prefix: `${this.#hub}-` })) names.push(name);
    return names.map((name) => name.slice(this.#hub.length + 1));
  }

  /** How many messages are in the queue of an instance, hidden ones included. */
  async count(instanceId: string): Promise<number> {
    const properties = await this.#queues.getQueueClient(this.queueOf(instanceId)).getProperties();
    return properties.approximateMessagesCount ?? 0;
  }

  /** The texts that wait in a queue. */
  async waiting(queue: string): Promise<string[]> {
    const { peekedMessageItems } = await this.#queues
      .getQueueClient(`${this.#hub}-${queue}`)
      .peekMessages({ numberOfMessages: 32 });
    return peekedMessageItems.map(({ messageText }) => messageText);
  }
}
