import type { Ports } from '../../activities/ports.js';
import { JobError } from '../../job/failure.js';
import type { ClaimedJob } from '../../job/inbox/claim.js';
import { expectedItems } from '../../job/inbox/expectation.js';
import { type InboxFile, jobOfFile, jobOfFolder, jobOfVideo, type MediaJob } from '../../job/inbox/job-file.js';
import type { MediaEvent } from '../../job/inbox/media-event.js';
import type { Starter } from '../../job/inbox/what-starts.js';
import { inputOf } from '../../job/spec.js';
import { claimedJobId } from '../../job-store/inbox/claims.js';
import { writeExpectation } from '../../job-store/inbox/expected-items.js';
import { readInboxFile } from '../../job-store/inbox/media.js';
import { requireInputs } from '../../job-store/inputs.js';
import { INBOX } from '../../job-store/layout.js';

/** What is known of new media when it is decided what it starts. */
export interface NewMedia {
  event: MediaEvent;
  starter: Starter;
  bytes: number;
  metadata: Record<string, string>;
  /** The nearest ones; a bare video without them starts nothing. */
  defaults: InboxFile | undefined;
}

/**
 * Decides which job new media starts; deciding again comes to the same.
 * @throws JobError `user`: why it starts none, for its owner.
 */
export async function decideJob(
  ports: Pick<Ports, 'storage' | 'bundledModels' | 'urls'>,
  media: NewMedia,
): Promise<ClaimedJob> {
  const { storage } = ports;
  const { spec, expect } = await readJob(storage, media);
  const bytes = await requireInputs(ports, spec);
  const jobId = claimedJobId(media.event, inputOf(spec));
  if (expect !== undefined) await writeExpectation(storage, jobId, expect);
  const items = expect === undefined ? 0 : expectedItems(expect);
  return { jobId, spec, waits: expect !== undefined, items, bytes };
}

async function readJob(storage: Ports['storage'], media: NewMedia): Promise<MediaJob> {
  const { event, starter, bytes, metadata, defaults } = media;
  const { name } = event;
  if (starter === 'job-file') return jobOfFile(name, await readInboxFile(storage, event, bytes));
  if (starter === 'folder') return jobOfFolder(name, await readInboxFile(storage, event, bytes), defaults, metadata);
  if (bytes === 0) throw new JobError('user', `${INBOX}/${name} is empty; upload it again.`);
  if (defaults === undefined) throw new JobError('user', `There are no defaults for ${INBOX}/${name}.`);
  return jobOfVideo(name, defaults, metadata);
}
