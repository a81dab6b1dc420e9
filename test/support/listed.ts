import { inject } from 'vitest';
import { type Entry, enterJob } from '../../src/job-store/list/job-list.js';
import { openAzurite } from './storage.js';

/** Puts a job that has ended into the list of jobs of the shared stack, as if it had run. */
export async function listEnded(
  jobId: string,
  { end, ...said }: Partial<Omit<Entry, 'jobId' | 'end'>> & { end?: Partial<NonNullable<Entry['end']>> } = {},
): Promise<void> {
  const acceptedAt = said.acceptedAt ?? Date.now();
  await enterJob(openAzurite(inject('storage')), {
    jobId,
    acceptedAt,
    run: 1,
    input: `inbox/${jobId}.mp4`,
    model: 'starry-night',
    compute: 'local',
    ...said,
    end: {
      state: 'done',
      now: 'scored 168 items in 61 s',
      stage: 'finish',
      items: { total: 168, done: 168, failed: 0 },
      itemsPerSecond: 7.6,
      output: `outbox/${jobId}.mp4`,
      endedAt: new Date(acceptedAt + 61_000).toISOString(),
      ...end,
    },
  });
}
