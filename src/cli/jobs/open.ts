import { spawn } from 'node:child_process';
import type { JobStatus } from '../../api/jobs.js';
import { counted, JobError } from '../../job/failure.js';
import { addExamples, addJson, addPlace, type Around, type Define, type Place, wholeNumber } from '../around.js';
import { findApp, idOf, LATEST, orAskScore } from '../client/connect.js';
import { isOver } from './words.js';

interface Flags extends Place {
  print?: boolean;
}

export const define: Define = (command, around) => {
  command
    .argument('[job]', `the id of the job whose page is meant, or "${LATEST}"`)
    .argument('[batch]', 'the batch of the job, counted from 0', wholeNumber(0, 999_999_999))
    .option('--print', 'only print the address');
  addPlace(addJson(command), around).action((job: string | undefined, batch: number | undefined, flags: Flags) =>
    open({ job, batch }, flags, around),
  );
  addExamples(
    command,
    ['the list of all jobs'],
    ['the job that was started last', LATEST],
    ['the address of its first batch', LATEST, '0', '--print'],
  );
};

/** Opens the page of the app, of a job or of a batch. */
async function open(
  { job, batch }: { job: string | undefined; batch: number | undefined },
  flags: Flags,
  { json, note, print, signal }: Around,
): Promise<void> {
  // The key would be kept in the browser's history: the page asks for it itself.
  if (flags.key !== undefined && job === undefined)
    throw new JobError('user', 'The page asks for the key itself, which no address is to hold; leave --key out.');
  const client = await findApp({ ...flags, signal });
  const url = `${client.page}${await placeOf()}`;
  print(json ? JSON.stringify({ url }, null, 2) : url);
  if (flags.print === true || (await isOpened(url))) return;
  note('No program here opens pages; open the address in a browser yourself.');

  async function placeOf(): Promise<string> {
    if (job === undefined) return '';
    try {
      const id = await idOf(client, job);
      // What is not there is said here, and not by the page.
      const status = await client.status(id);
      const missing = batch === undefined ? undefined : noBatch(status, batch);
      if (missing !== undefined) throw new JobError('user', missing);
      return `#/jobs/${id}${batch === undefined ? '' : `/batches/${batch}`}`;
    } catch (error) {
      throw await orAskScore({ ...flags, job }, error);
    }
  }
}

/** Why a batch cannot be looked at; undefined when it can. */
export function noBatch(status: Pick<JobStatus, 'id' | 'state' | 'batches'>, batch: number): string | undefined {
  const { id, state, batches } = status;
  if (batch < batches.total) return undefined;
  if (batches.total > 0)
    return `Job ${id} has ${counted(batches.total, 'batch')}, counted from 0, so there is no batch ${batch}.`;
  return isOver(status)
    ? `Job ${id} ended as ${state} before it had batches; leave the batch out.`
    : `Job ${id} has no batches yet; leave the batch out, or look again once its items are scored.`;
}

const OPENERS: Partial<Record<NodeJS.Platform, [program: string, ...args: string[]]>> = {
  darwin: ['open'],
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
};

/** Has the system open a page; without a shell, to which an address could say something. */
function isOpened(url: string): Promise<boolean> {
  const [program, ...args] = OPENERS[process.platform] ?? ['xdg-open'];
  return new Promise((resolve) => {
    const child = spawn(program, [...args, url], { detached: true, stdio: 'ignore' });
    child.once('error', () => resolve(false));
    child.once('spawn', () => {
      child.unref();
      resolve(true);
    });
  });
}
