import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { JobError, messageOf, unbroken } from '../../job/failure.js';
import { holderOfFolder } from '../../processes/folder-lock.js';
import { type PageParts, renderPage } from './html.js';
import {
  createTail,
  isOfTraces,
  type JobSign,
  jobSign,
  keepOpenTraces,
  parseLine,
  readTrace,
  type SpanFiles,
  spanFilesIn,
} from './span-files.js';
import { renderTrace } from './summary.js';
import { buildTrace } from './tree.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const LOOK_MS = 500;
/** App and host tell of a job's end separately; one that was killed never does. */
const OTHER_END_MS = 3000;
/** Pages that a start leaves there. */
const MOST_PAGES = 20;

/** Shows the traces of jobs as they end. */
export interface TraceView {
  files: SpanFiles;
  /** Shows what is still to be shown, also of jobs that have not ended. To be called when nothing is written any more. */
  stop: () => Promise<void>;
}

interface Seen {
  traceId: string;
  /** When its end was first told, and by whom. */
  since?: number;
  told: Set<JobSign['sign']>;
  /** What is told of it later is not shown again. */
  shown: boolean;
}

/**
 * Follows what app and host report into the data folder of a local stack, and shows each job that ends: a table and the path of a page.
 * To be called before the stack starts: from earlier it keeps only the spans of jobs that go on, and the latest pages.
 * @throws JobError `user` when the files of earlier traces cannot be replaced.
 */
export async function followTraces(data: string, print: (text: string) => void): Promise<TraceView> {
  const folder = path.join(data, 'telemetry');
  const files = spanFilesIn(folder);
  try {
    // The files of a stack that runs are its own; a second one does not start.
    if (!(await holderOfFolder(data).catch(() => undefined))) {
      await keepOpenTraces(files, Date.now());
      await removeOldPages(folder);
    }
  } catch (cause) {
    throw new JobError('user', `The traces in ${folder} cannot be replaced (${messageOf(cause)}); remove them.`, {
      cause,
    });
  }
  const parts = await readParts();
  const tails = [createTail(files.app), createTail(files.host)];
  const jobs = new Map<string, Seen>();
  /** Traces that something was told of since the start. */
  const active = new Set<string>();
  const over = new AbortController();

  const look = async (isNew: boolean) => {
    let found = 0;
    for (const tail of tails) {
      for (const line of await tail()) {
        found += 1;
        const traceId = /"traceId":"(\w+)"/.exec(line)?.[1];
        if (isNew && traceId !== undefined) active.add(traceId);
        if (/"job\.(started|ended)"|orchestration:scoreJob"/.test(line)) note(jobs, line);
      }
    }
    return found;
  };
  const show = async (job: string, seen: Seen) => {
    if (seen.shown) return;
    seen.shown = true;
    const { traceId } = seen;
    const { records, unreadable } = await readTrace(files, traceId);
    const trace = buildTrace(records, unreadable, job);
    if (!trace) return;
    const page = path.join(folder, `trace-${/^[\w-]+$/.test(job) ? job : traceId}.html`);
    await writeFile(page, renderPage(trace, parts));
    print(`\n${renderTrace(trace)}\n${unbroken(`Timeline: ${page}`)}`);
  };
  const showEnded = async () => {
    for (const [job, seen] of jobs) {
      const { since = Infinity, told } = seen;
      if (told.size === 2 || Date.now() - since >= OTHER_END_MS) await quietly(() => show(job, seen), print);
    }
  };

  // What goes on from earlier is known, but not told again unless something happens to it.
  while ((await look(false)) > 0);
  for (const seen of jobs.values()) seen.shown = seen.told.size > 0;
  const following = (async () => {
    while (!over.signal.aborted) {
      await pause(LOOK_MS, undefined, { signal: over.signal }).catch(() => undefined);
      await quietly(() => look(true), print);
      await showEnded();
    }
  })();
  return {
    files,
    stop: async () => {
      over.abort();
      await following;
      await quietly(async () => {
        while ((await look(true)) > 0);
      }, print);
      for (const [job, seen] of jobs) if (active.has(seen.traceId)) await quietly(() => show(job, seen), print);
    },
  };
}

function note(jobs: Map<string, Seen>, line: string): void {
  const { record } = parseLine(line);
  const found = record && jobSign(record);
  if (!found) return;
  const { job, traceId, sign } = found;
  const seen = jobs.get(job) ?? { traceId, told: new Set(), shown: false };
  jobs.set(job, seen);
  if (sign === 'started') return;
  seen.told.add(sign);
  seen.since ??= Date.now();
}

/** A trace that cannot be shown does not end the stack. */
async function quietly(work: () => Promise<unknown>, print: (text: string) => void): Promise<void> {
  try {
    await work();
  } catch (error) {
    print(`A trace cannot be shown: ${messageOf(error)}`);
  }
}

async function removeOldPages(folder: string): Promise<void> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => isOfTraces(name) && name.endsWith('.html'));
  const pages = await Promise.all(
    names.map(async (name) => ({ file: path.join(folder, name), at: (await stat(path.join(folder, name))).mtimeMs })),
  );
  for (const { file } of pages.toSorted((one, other) => other.at - one.at).slice(MOST_PAGES)) await rm(file);
}

async function readParts(): Promise<PageParts> {
  const [script, style] = await Promise.all([
    readFile(path.join(ROOT, 'dist/cli/trace/page/timeline.js'), 'utf8'),
    readFile(path.join(ROOT, 'src/cli/trace/page/timeline.css'), 'utf8'),
  ]);
  return { script, style };
}
