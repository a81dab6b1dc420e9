import { createGathering, type Gathered } from '../../job/inbox/expectation.js';
import { splitPath } from '../../job-store/layout.js';
import { readExpectation } from '../../job-store/inbox/expected-items.js';
import { listBlobs } from '../../storage/storage.js';
import type { Ports } from '../ports.js';

export interface LookInput {
  jobId: string;
  /** Path of the folder. */
  images: string;
}

/** Counts how much of what the job expects is in its folder. A job that expects nothing has all of it. */
export function createLookForItems({ storage, signal }: Pick<Ports, 'storage' | 'signal'>) {
  return async ({ jobId, images }: LookInput): Promise<Gathered> => {
    const expectation = await readExpectation(storage, jobId);
    if (expectation === undefined) return { there: 0, expected: 0, examples: [] };
    const gathering = createGathering(expectation);
    const { container, blob: prefix } = splitPath(images);
    for await (const { name, properties } of listBlobs(storage.media.getContainerClient(container), { prefix })) {
      signal?.throwIfAborted();
      // A copy that storage is still making is not there yet.
      if (properties.copyStatus !== 'pending') gathering.add(name.slice(prefix.length));
    }
    return gathering.gathered();
  };
}
