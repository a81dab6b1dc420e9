import { createInterface } from 'node:readline/promises';
import { JobError } from '../../job/failure.js';
import { lives } from '../../processes/living.js';
import { findStack } from '../../stack/stack.js';
import type { Around } from '../around.js';
import { type AppChoice, findApp, newestJob, noJobYet } from '../client/connect.js';
import { type Found, forgetUnfinished, listUnfinished } from '../client/unfinished.js';

export interface Choice {
  /** Goes on without asking. */
  resume?: boolean;
  /** Starts a new job, whatever was left. */
  fresh?: boolean;
}

/** What commands on this machine have left of a job. */
export async function findUnfinished(data: string, job: string): Promise<Found | undefined> {
  return (await listUnfinished(data)).find((each) => each.job === job);
}

/**
 * The id of the job that was started last: in the app or, on this machine, by a command whose own stack has ended meanwhile.
 * @throws JobError `user` when there is none.
 */
export async function latestOf(app: Pick<AppChoice, 'url' | 'key' | 'data' | 'signal'>): Promise<string> {
  const { url, data } = app;
  const [left] = url === undefined ? await listUnfinished(data) : [];
  if (left && !(await findStack(data))) return left.job;
  const newest = await newestJob(await findApp(app));
  const latest = left && (!newest || newest.createdAt < left.startedAt) ? left.job : newest?.id;
  if (latest === undefined) throw noJobYet();
  return latest;
}

/**
 * Finds what an earlier command with the same request has left, and asks whether to go on with it; without a terminal it says that it does.
 * @returns undefined when a new job is to be started.
 * @throws JobError `user` when there is nothing to go on with and the choice is to do so.
 */
export async function chooseUnfinished(
  data: string,
  request: string,
  { resume = false, fresh = false }: Choice,
  { signal, note }: Pick<Around, 'signal' | 'note'>,
): Promise<Found | undefined> {
  if (resume && fresh) throw new JobError('user', '--resume and --fresh do not go together; leave one of them out.');
  const left: Found[] = [];
  for (const each of await listUnfinished(data)) if (each.request === request && !(await lives(each))) left.push(each);
  const [latest] = left;
  if (!latest) {
    if (resume)
      throw new JobError(
        'user',
        'No earlier command with the same request has left anything to go on with; leave --resume out.',
      );
    return undefined;
  }
  if (!fresh && (resume || (await isToGoOn(latest, { signal, note })))) return latest;
  for (const { folder, job } of left) await forgetUnfinished(folder, job);
  return undefined;
}

async function isToGoOn(
  { job, startedAt }: Found,
  { signal, note }: Pick<Around, 'signal' | 'note'>,
): Promise<boolean> {
  const what = `Job ${job} of the same request, started at ${startedAt}, has not been finished`;
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    note(`${what}: going on with it. Add --fresh to start a new one.`);
    return true;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${what}. Go on with it? [Y/n] `, { signal });
    return !/^\s*n/i.test(answer);
  } finally {
    terminal.close();
  }
}
