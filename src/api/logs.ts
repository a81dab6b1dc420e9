import type { LogLine } from '../container-contract/log-line.js';

/** Answer of `GET /api/jobs/{id}/logs`: some of what a job's containers have said, each batch's lines together and in order. */
export interface JobLogs {
  /** At most about a thousand. */
  lines: LogLine[];
  /** Whether there are more lines already. */
  more: boolean;
  /** What to pass as `from` to get what comes next, now or later; null when the job is over and all was given. */
  next: string | null;
}
