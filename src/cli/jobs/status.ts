import type { JobStatus } from '../../api/jobs.js';
import { withoutPlaces } from '../../api/uploads.js';
import { counted, hideSecrets } from '../../job/failure.js';
import { STAGES_IN_WORDS } from '../../job/progress.js';
import { createTimeLeft } from '../../job/estimate/time-left.js';
import { addExamples, addJson, addPlace, type Around, type Define, type Place } from '../around.js';
import { findApp, idOf, LATEST, orAskScore } from '../client/connect.js';
import { calling } from '../installed.js';
import { leftInWords } from '../score/progress-view.js';
import { ageInWords, costInWords, isOver } from './words.js';

export const define: Define = (command, around) => {
  command.argument('[job]', `the id of the job, or "${LATEST}"`, LATEST);
  addPlace(addJson(command), around).action((job: string, flags: Place) => showStatus(job, flags, around));
  addExamples(command, ['the job that was started last'], ['for a program', LATEST, '--json']);
};

async function showStatus(job: string, place: Place, { json, print, signal }: Around): Promise<void> {
  try {
    const client = await findApp({ ...place, signal });
    const status = await client.status(await idOf(client, job));
    print(json ? JSON.stringify(status, null, 2) : renderStatus(status, Date.now()));
  } catch (error) {
    throw await orAskScore({ ...place, job }, error);
  }
}

/** A job in words. @param now milliseconds since the epoch. */
export function renderStatus(status: JobStatus, now: number): string {
  const { id, run, state, warnings, waiting, bottleneck, containerTime, createdAt } = status;
  const lines: [what: string, said: string][] = [
    ['Job', `${id}${run > 1 ? `, run ${run}` : ''}: ${state}`],
    ['Now', isOver(status) ? '' : doing(status)],
    ['Items', items(status)],
    ['Rate', rate(status)],
    ['Containers', containers(status)],
    ...waiting.map((reason): [string, string] => ['Waits', reason]),
    ['Time', bottleneck ?? containerTime?.sentence ?? ''],
    ['Cost', costInWords(status.cost)],
    ['Started', `${ageInWords(createdAt, now)} ago, at ${createdAt}`],
    ['Output', status.output ?? ''],
    ['Tables', status.predictions === null || status.predictions === status.output ? '' : status.predictions],
    ...warnings.map((warning): [string, string] => ['Warning', warning]),
    ['Why', why(status)],
    ['Next', next(status)],
  ];
  return lines
    .filter(([, said]) => said !== '')
    .map(([what, said]) => `${`${what}:`.padEnd(12)}${hideSecrets(withoutPlaces(said.replace(/\s+/g, ' ')))}`)
    .join('\n');
}

/** Why it has failed, and whose failure that is; who has cancelled a job has not failed. */
function why({ state, error }: JobStatus): string {
  if (error === null) return '';
  return state === 'cancelled' ? error.message : `${error.message} (${WHOSE[error.kind]})`;
}

const WHOSE = { user: 'this is for you to mend', platform: 'the platform has failed' };

function doing({ stage }: JobStatus): string {
  return stage === null ? 'waits to begin' : STAGES_IN_WORDS[stage];
}

function items({ items: { total, done, failed, reused = 0 } }: JobStatus): string {
  if (total === 0 && done === 0) return '';
  return [
    `${done} of ${total} done`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(reused > 0 ? [`${reused} of them reused`] : []),
  ].join(', ');
}

function rate(status: JobStatus): string {
  const { itemsPerSecond, secondsLeft } = status;
  if (itemsPerSecond === null) return '';
  const left = isOver(status) ? null : createTimeLeft().look(status, 0);
  const about = left === null || secondsLeft === null ? [] : [leftInWords(left)];
  return [`${itemsPerSecond.toFixed(1)} items/s`, ...about].join(', ');
}

function containers({ batches, attempts, retries, ranOn }: JobStatus): string {
  if (batches.total === 0) return '';
  const places = Object.entries(ranOn).map(([place, count]) => `${count} on ${place}`);
  return [
    `${counted(batches.total, 'batch')}: ${batches.done} done, ${batches.running} running, ${batches.pending} to come`,
    ...(batches.failed > 0 ? [`${batches.failed} given up`] : []),
    ...(attempts > 0 ? [`${counted(attempts, 'container run')} ended (${places.join(', ')})`] : []),
    ...(retries > 0 ? [retries === 1 ? '1 retry' : `${retries} retries`] : []),
  ].join(', ');
}

/** What one may want to do with it. */
function next({ id, state }: JobStatus): string {
  if (state === 'done') return `save what it made: ${calling(`score --redrive ${id}`)}`;
  if (state === 'failed' || state === 'cancelled') return `score only what is missing: ${calling(`redrive ${id}`)}`;
  return `follow it: ${calling(`watch ${id}`)}`;
}
