import { createHash } from 'node:crypto';
import { JobError } from '../job/failure.js';
import { type NoticeChoice, noticeOf } from '../job/notice.js';
import { readJobEnd } from '../job-store/job-end.js';
import type { Ports } from './ports.js';

export interface NotifyInput {
  jobId: string;
  choice: NoticeChoice;
}

/**
 * Tells in one place that a job has ended. It may be told twice, with the same id. @returns the notice's id.
 * @throws JobError `platform` when that may work later, `user` when it cannot.
 */
export function createNotify({ storage, notices }: Pick<Ports, 'storage' | 'notices'>) {
  return async ({ jobId, choice }: NotifyInput): Promise<{ id: string }> => {
    const end = await readJobEnd(storage, jobId);
    if (!end) throw new JobError('user', `The records of job ${jobId} are gone.`);
    const id = noticeId(jobId, choice);
    await notices.send(choice, noticeOf(id, end));
    return { id };
  };
}

/** The same whenever the notice is sent, and another one for each place. */
const noticeId = (jobId: string, choice: NoticeChoice) =>
  createHash('sha256')
    .update(JSON.stringify([jobId, choice]))
    .digest('hex')
    .slice(0, 32);
