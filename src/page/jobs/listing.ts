import type { JobList, ListedJob } from '../../api/jobs.js';

/**
 * The jobs to show, the newest first, after the newest ones were asked for once more: what older pages brought stays, and what the answer
 * would have if it still belonged there goes.
 */
export function renew(known: readonly ListedJob[], { jobs, next }: JobList): ListedJob[] {
  const oldest = jobs.at(-1);
  if (next === null) return [...jobs];
  if (oldest === undefined) return [...known];
  const fresh = new Set(jobs.map(({ id }) => id));
  const older = known.filter(({ id, createdAt }) => !fresh.has(id) && createdAt < oldest.createdAt);
  return [...jobs, ...older];
}

/** With the next page of older ones. */
export function append(known: readonly ListedJob[], { jobs }: JobList): ListedJob[] {
  const shown = new Set(known.map(({ id }) => id));
  return [...known, ...jobs.filter(({ id }) => !shown.has(id))];
}

/** Those in which each word of the text is somewhere in the name, the model, the compute or the id. */
export function find(jobs: readonly ListedJob[], text: string): ListedJob[] {
  const words = text.toLowerCase().split(/\s+/u).filter(Boolean);
  return jobs.filter((job) => {
    const said = [job.input, job.model, job.compute, job.id, job.now].join('\n').toLowerCase();
    return words.every((word) => said.includes(word));
  });
}

export const isGoingOn = ({ state }: Pick<ListedJob, 'state'>) => state === 'queued' || state === 'running';

/** What to tell of the jobs whose state has changed, as in `coast.mp4 is done.`; '' for none. */
export function changesIn(before: readonly ListedJob[], after: readonly ListedJob[], nameOf: (path: string) => string) {
  const states = new Map(before.map(({ id, state }) => [id, state]));
  return after
    .filter(({ id, state }) => states.has(id) && states.get(id) !== state)
    .map(({ input, state }) => `${nameOf(input)} is ${state}.`)
    .join(' ');
}
