import type { OrchestrationContext } from 'durable-functions';
import { delayBeforeTry, type NoticeChoice } from '../job/notice.js';
import { activitiesOf, sleep, type Step } from './calls.js';

/**
 * Tells everywhere that a job has ended, and again after growing pauses where the platform is to blame that it failed.
 * @returns a sentence for each place where it could not be told.
 */
export function* tell(context: OrchestrationContext, jobId: string, notify: NoticeChoice[]): Step<string[]> {
  const untold: string[] = [];
  let open = notify;
  for (let attempt = 1; open.length > 0; attempt += 1) {
    const pause = delayBeforeTry(attempt + 1);
    const again: NoticeChoice[] = [];
    for (const choice of open) {
      const told = yield* activitiesOf(context).notify({ jobId, choice });
      if (told.ok) continue;
      const { blame, message } = told.failure;
      if (blame === 'platform' && pause !== undefined) again.push(choice);
      else untold.push(`The end of the job could not be told: ${message}`);
    }
    open = again;
    if (pause !== undefined && open.length > 0) yield* sleep(context, pause);
  }
  return untold;
}
