import { randomBytes } from 'node:crypto';
import type { ContainerClient, Metadata } from '@azure/storage-blob';
import { QueueServiceClient } from '@azure/storage-queue';
import type { Claim } from '../../src/job/inbox/claim.js';
import { bareEtag, type MediaEvent } from '../../src/job/inbox/media-event.js';
import { claimId } from '../../src/job-store/inbox/claims.js';
import { CLAIMS, INBOX, INBOX_QUEUE, QUARANTINE, quarantineBlob } from '../../src/job-store/layout.js';
import { readJson } from '../../src/storage/storage.js';
import type { TestStack } from './stack.js';
import { until } from './wait.js';

export type Uploaded = Pick<MediaEvent, 'account' | 'container' | 'name' | 'etag'>;

/** The inbox of a stack, as users and Event Grid see it. */
export function inboxOf(stack: TestStack) {
  const container = (name: string): ContainerClient => stack.storage.getContainerClient(name);
  const queue = () => QueueServiceClient.fromConnectionString(stack.connectionString).getQueueClient(INBOX_QUEUE);
  const claim = (version: Uploaded) => readJson<Claim>(container(CLAIMS), `${claimId(version)}.json`);
  return {
    /** Uploads as any storage tool would. */
    async put(name: string, content: string | Buffer, metadata: Metadata = {}): Promise<Uploaded> {
      await container(INBOX).createIfNotExists();
      const { etag = '' } = await container(INBOX)
        .getBlockBlobClient(name)
        .uploadData(Buffer.from(content), { metadata });
      return { account: stack.storage.accountName, container: INBOX, name, etag: bareEtag(etag) };
    },
    remove: (name: string) => container(INBOX).getBlobClient(name).delete(),
    /** Sends a message as its text is. */
    async send(text: string): Promise<void> {
      await queue().createIfNotExists();
      await queue().sendMessage(text);
    },
    claim,
    /** The claim once it is over, or as it is in the end of the time. */
    decided: (version: Uploaded) =>
      until(`a decision on ${version.name}`, async () => {
        const found = await claim(version);
        return found?.state === 'started' || found?.state === 'refused' ? found : undefined;
      }),
    quarantined: (version: Uploaded) =>
      readJson<{ reason: string; remedy: string; blob: string }>(
        container(QUARANTINE),
        quarantineBlob(version.name, claimId(version)),
      ),
    /** Waits until no message is left, not even one that is to come later. */
    drained: () =>
      until('an empty queue', async () =>
        (await queue().getProperties()).approximateMessagesCount === 0 ? true : undefined,
      ),
    async poisoned(): Promise<number> {
      const poison = QueueServiceClient.fromConnectionString(stack.connectionString).getQueueClient(
        `${INBOX_QUEUE}-poison`,
      );
      if (!(await poison.exists())) return 0;
      return (await poison.getProperties()).approximateMessagesCount ?? 0;
    },
  };
}

/** A folder of the inbox that no other test uses. */
export const newFolder = () => `t-${randomBytes(4).toString('hex')}`;

const SOURCE =
  '/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts';

/** The event in the shape of CloudEvents 1.0, as facts and documents have it. */
export const cloudEvent = ({ account, container, name, etag }: Uploaded, more: object = {}) => ({
  specversion: '1.0',
  id: randomBytes(8).toString('hex'),
  source: `${SOURCE}/${account}`,
  subject: `/blobServices/default/containers/${container}/blobs/${name}`,
  type: 'Microsoft.Storage.BlobCreated',
  time: new Date().toISOString(),
  data: {
    api: 'PutBlob',
    eTag: etag,
    contentType: 'application/octet-stream',
    contentLength: 7,
    blobType: 'BlockBlob',
    url: `https://${account}.blob.core.windows.net/${container}/${encodeURI(Buffer.from(name).toString())}`,
    sequencer: '00000000000004420000000000028963',
    storageDiagnostics: { batchId: 'b68529f3-68cd-4744-baa4-3c0498ec19f0' },
  },
  ...more,
});

/** The same event in the Event Grid schema. */
export function gridEvent(uploaded: Uploaded) {
  const { id, source: topic, subject, type: eventType, time: eventTime, data } = cloudEvent(uploaded);
  return { topic, subject, eventType, eventTime, id, data, dataVersion: '', metadataVersion: '1' };
}

export const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');
