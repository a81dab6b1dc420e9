import { JobError, messageOf } from '../../job/failure.js';
import { poll } from '../../poll.js';
import { addExamples, addJson, addPlace, type Around, type Define, type Place } from '../around.js';
import type { JobClient } from '../client/client.js';
import { findApp, idOf, LATEST, orAskScore } from '../client/connect.js';
import { calling } from '../installed.js';
import { isOver } from './words.js';

/** The containers of a job are removed before it ends. */
const PATIENCE_MS = 30_000;
const LOOK_MS = 250;

export const define: Define = (command, around) => {
  command.argument('<jobs...>', `the ids of the jobs, or "${LATEST}"`);
  addPlace(addJson(command), around).action((jobs: string[], flags: Place) => cancelAll(jobs, flags, around));
  addExamples(
    command,
    ['end the job that was started last; what it has scored is kept', LATEST],
    ['several at once', 'coast-k3v9q2xa', 'clip-abcd2345'],
  );
};

type Outcome = { id: string; state: string } | { id: string; error: string };

async function cancelAll(jobs: string[], place: Place, { json, print, signal }: Around): Promise<void> {
  const client = await findApp({ ...place, signal });
  const outcomes: Outcome[] = [];
  const errors: unknown[] = [];
  const asked = new Set<string>();
  for (const job of new Set(jobs)) {
    try {
      const id = await idOf(client, job);
      // "latest" may be one of the others.
      if (asked.has(id)) continue;
      asked.add(id);
      outcomes.push(await cancel(client, id, signal));
    } catch (error) {
      if (signal.aborted) throw error;
      const told = await orAskScore({ ...place, job }, error);
      errors.push(told);
      outcomes.push({ id: job, error: messageOf(told) });
    }
  }
  if (json) print(JSON.stringify({ jobs: outcomes }, null, 2));
  else for (const outcome of outcomes) if ('state' in outcome) print(inWords(outcome));
  const [first] = errors;
  if (errors.length === 1) throw first;
  // Whoever has named several jobs wants to know of each of them.
  const isUsers = errors.every((error) => error instanceof JobError && error.blame === 'user');
  if (errors.length > 1) throw new JobError(isUsers ? 'user' : 'platform', errors.map(messageOf).join(' '));
}

/** Asks the app to cancel a job, and waits until it has ended. */
async function cancel(client: JobClient, id: string, signal: AbortSignal): Promise<Outcome> {
  await client.cancel(id);
  const ended = await poll(
    async () => {
      const status = await client.status(id);
      return isOver(status) ? status.state : undefined;
    },
    { pauseMs: LOOK_MS, withinMs: PATIENCE_MS, wake: signal },
  );
  return { id, state: ended ?? 'cancelling' };
}

function inWords({ id, state }: { id: string; state: string }): string {
  if (state === 'cancelled') return `Job ${id} was cancelled; start it once more with: ${calling(`redrive ${id}`)}`;
  return state === 'cancelling'
    ? `Job ${id} is being cancelled; its containers are still being removed.`
    : `Job ${id} was faster: it ended as ${state}.`;
}
