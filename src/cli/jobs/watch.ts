import { JobError } from '../../job/failure.js';
import { addExamples, addJson, addPlace, type Around, type Define, type Place } from '../around.js';
import type { JobClient } from '../client/client.js';
import { findApp, idOf, LATEST, orAskScore } from '../client/connect.js';
import { createProgressView, type ProgressView } from '../score/progress-view.js';
import { followJob } from '../score/run-job.js';
import { renderStatus } from './status.js';

/** An app that is deployed anew, or a stack that is started again by hand, is away for minutes. */
const PATIENCE_MS = 600_000;

export const define: Define = (command, around) => {
  command.argument('[job]', `the id of the job, or "${LATEST}"`, LATEST);
  addPlace(addJson(command, 'print a line of JSON whenever the job has changed'), around).action(
    (job: string, flags: Place) => watchNamed(job, flags, around),
  );
  addExamples(command, ['follow the job that was started last to its end'], ['for a program', LATEST, '--json']);
};

async function watchNamed(job: string, place: Place, around: Around): Promise<void> {
  try {
    const client = await findApp({ ...place, signal: around.signal });
    await watchJob(await idOf(client, job), place, around);
  } catch (error) {
    throw await orAskScore({ ...place, job }, error);
  }
}

/**
 * Shows a job until it is over, also across a restart of the app.
 * @throws JobError with the reason when it fails or is cancelled; `user` when it is interrupted, and the job goes on.
 */
export async function watchJob(id: string, place: Place, around: Around): Promise<void> {
  const { env, json, print, signal } = around;
  const view = json ? jsonView(print) : createProgressView(process.stderr, { quiet: false, unit: 'items', env });
  try {
    const status = await followJob(await lastingClient(place, signal), id, view, {
      patience: PATIENCE_MS,
      signal,
      lost: new AbortController().signal,
      renamed: [],
      interrupted: () => Promise.reject(new JobError('user', `Interrupted; job ${id} goes on.`)),
    });
    view.end();
    if (!json) print(renderStatus(status, Date.now()));
  } catch (error) {
    if (signal.aborted) throw new JobError('user', `Interrupted; job ${id} goes on.`, { cause: error });
    throw error;
  } finally {
    view.end();
  }
}

/** A client that finds a local stack again which has another port after it was started again. */
async function lastingClient(place: Place, signal: AbortSignal): Promise<Pick<JobClient, 'status'>> {
  let client = await findApp({ ...place, signal });
  return {
    status: async (id) => {
      try {
        return await client.status(id);
      } catch (error) {
        client = await findApp({ ...place, signal }).catch(() => client);
        throw error;
      }
    },
  };
}

/** A line for each answer that differs from the one before. */
function jsonView(print: Around['print']): ProgressView {
  let before = '';
  return {
    show(status: object) {
      const line = JSON.stringify(status);
      if (line !== before) print(line);
      before = line;
    },
    silent: () => undefined,
    end: () => undefined,
  };
}
