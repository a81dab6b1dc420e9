import { Option } from 'commander';
import type { JobList, ListedJob } from '../../api/jobs.js';
import { withoutPlaces } from '../../api/uploads.js';
import { hideSecrets } from '../../job/failure.js';
import { addExamples, addJson, addPlace, type Around, type Define, type Place, wholeNumber } from '../around.js';
import type { JobClient } from '../client/client.js';
import { findApp } from '../client/connect.js';
import { calling } from '../installed.js';
import { ageInWords, costInWords } from './words.js';

const STATES: ListedJob['state'][] = ['queued', 'running', 'done', 'failed', 'cancelled'];
const USUAL_LIMIT = 20;
/** The app answers with no more. */
const MOST_AT_ONCE = 100;

interface Flags extends Place {
  state?: string;
  limit: number;
}

export const define: Define = (command, around) => {
  command
    .addOption(new Option('--state <state>', 'only those in this state').choices(STATES))
    .option('--limit <n>', 'how many at most', wholeNumber(1, 100_000), USUAL_LIMIT);
  addPlace(addJson(command), around).action((flags: Flags) => showJobs(flags, around));
  addExamples(
    command,
    ['the latest jobs, and what each of them does'],
    ['those that have failed', '--state', 'failed'],
    ['for a program', '--limit', '100', '--json'],
  );
};

async function showJobs(flags: Flags, { json, note, print, signal }: Around): Promise<void> {
  const { jobs, next } = await listJobs(await findApp({ ...flags, signal }), flags);
  if (json) {
    // The address of a thumbnail opens it for whoever reads it.
    const hideThumbnail = (key: string, value: unknown) => (key === 'thumbnail' ? undefined : value);
    return print(JSON.stringify({ jobs, next }, hideThumbnail, 2));
  }
  if (jobs.length === 0) {
    const which = flags.state === undefined ? '' : ` that is ${flags.state}`;
    return note(`There is no job${which}; start one with: ${calling('score VIDEO')}`);
  }
  print(renderJobs(jobs, { now: Date.now(), columns: process.stdout.isTTY ? process.stdout.columns : undefined }));
  if (next !== null) note(`There may be older ones: add --limit ${flags.limit * 2}.`);
}

async function listJobs(client: JobClient, { state, limit }: Flags): Promise<JobList> {
  const jobs: ListedJob[] = [];
  let next: string | null = '';
  while (next !== null && jobs.length < limit) {
    const page: JobList = await client.jobs({
      ...(state !== undefined && { state }),
      limit: Math.min(MOST_AT_ONCE, limit - jobs.length),
      from: next,
    });
    jobs.push(...page.jobs);
    next = page.next;
  }
  return { jobs: jobs.slice(0, limit), next };
}

const HEAD = ['JOB', 'STATE', 'ITEMS', 'RATE', 'AGE', 'COST', 'NOW'];
const RIGHT = new Set(['ITEMS', 'RATE', 'AGE', 'COST']);
const GAP = '  ';
const LEAST_NOW = 20;

/** A line per job, of which the last column is cut where a terminal has no room for it. */
export function renderJobs(jobs: ListedJob[], { now, columns }: { now: number; columns: number | undefined }): string {
  const rows = [HEAD, ...jobs.map((job) => cellsOf(job, now))];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + GAP.length, 0);
  const room = columns === undefined ? Infinity : Math.max(LEAST_NOW, columns - 1 - before);
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          if (column === HEAD.length - 1) return cell.length > room ? `${cell.slice(0, room - 1)}…` : cell;
          const width = widths[column] ?? 0;
          return RIGHT.has(HEAD[column] ?? '') ? cell.padStart(width) : cell.padEnd(width);
        })
        .join(GAP)
        .trimEnd(),
    )
    .join('\n');
}

function cellsOf(job: ListedJob, now: number): string[] {
  const { id, state, items, itemsPerSecond, createdAt } = job;
  const count = items.total === 0 && items.done === 0 ? '' : `${items.done}/${items.total}`;
  const rate = itemsPerSecond === null ? '' : `${itemsPerSecond.toFixed(1)}/s`;
  const said = hideSecrets(withoutPlaces(job.now.replace(/\s+/g, ' ')));
  return [id, state, count, rate, ageInWords(createdAt, now), costInWords(job.cost), said];
}
