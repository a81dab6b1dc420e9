import { setTimeout as wait } from 'node:timers/promises';
import { styleText } from 'node:util';
import type { JobLogs } from '../../api/logs.js';
import type { LogLine } from '../../container-contract/log-line.js';
import { JobError } from '../../job/failure.js';
import type { JobClient } from '../client/client.js';
import { checkJobId, findApp, idOf, LATEST, orAskScore } from '../client/connect.js';
import { addExamples, addJson, addPlace, type Around, type Define, EXIT, type Place, wholeNumber } from '../around.js';

export const define: Define = (command, around) => {
  const most = 999_999_999;
  command
    .argument('[job]', `the id of the job, or "${LATEST}"`, LATEST)
    .option('--batch <n>', 'of this batch only, counted from 0', wholeNumber(0, most))
    .option('--attempt <n>', 'of this attempt only, counted from 1', wholeNumber(1, most))
    .option('--follow', 'go on until the job is over', false);
  addPlace(addJson(command, 'print each line as JSON'), around).action((job: string, flags: Flags) =>
    printLogs(job, flags, around),
  );
  addExamples(
    command,
    ['what the containers of the latest job have said so far'],
    ['go on until the job is over', LATEST, '--follow'],
    ['the first container of the first batch', LATEST, '--batch', '0', '--attempt', '1'],
  );
};

type Flags = Place & Pick<LogsOptions, 'batch' | 'attempt' | 'follow'>;

async function printLogs(job: string, flags: Flags, { json, env, signal, note }: Around): Promise<void> {
  const id = job === LATEST ? await idOf(await findApp({ ...flags, signal }), job) : job;
  const options = { job: id, ...flags, json, env, signal, out: process.stdout, note };
  if (!(await showLogs(options))) process.exitCode = EXIT.interrupted;
}

export interface LogsOptions {
  job: string;
  /** All batches and attempts, where left out. */
  batch?: number;
  attempt?: number;
  /** Goes on until the job is over. */
  follow: boolean;
  /** Prints each line as JSON. */
  json: boolean;
  url?: string;
  key?: string;
  data: string;
  env: NodeJS.ProcessEnv;
  /** Aborted by Ctrl-C, and by an output that nobody reads any more. */
  signal: AbortSignal;
  out: NodeJS.WriteStream;
  /** Takes what is no line of a log. */
  note: (sentence: string) => void;
}

const LOOK_MS = 1000;
/** An app that is started again is away for some seconds. */
const SILENCE_MS = 60_000;

/**
 * Prints what the containers of a job have said.
 * @returns whether all was printed; false when it was interrupted.
 * @throws JobError `user` when no app runs, or it has no such job, batch or attempt; `platform` when the app does not answer.
 */
async function showLogs(options: LogsOptions): Promise<boolean> {
  const { job, follow, signal, out } = options;
  checkJobId(job);
  let isRead = true;
  out.once('error', () => {
    isRead = false;
  });
  const print = printer(options);
  let shown = 0;
  try {
    for await (const page of pagesOf(options)) {
      for (const line of page.lines) await print(line);
      shown += page.lines.length;
      if (page.next !== null && !page.more) {
        if (!follow) break;
        await wait(LOOK_MS, undefined, { signal });
      }
    }
    if (shown === 0) options.note(await whyNothing(options));
  } catch (error) {
    if (signal.aborted) return !isRead;
    throw await orAskScore(options, error);
  }
  return true;
}

/** The answers of the app, one after the other, also of one that was started again meanwhile. */
async function* pagesOf(options: LogsOptions): AsyncGenerator<JobLogs> {
  const { job, batch, attempt, follow, signal } = options;
  let client = await findApp(options);
  let from = '';
  for (;;) {
    const since = performance.now();
    let page: JobLogs | undefined;
    while (page === undefined) {
      try {
        page = await client.logs(job, { batch, attempt, from });
      } catch (error) {
        const passes = error instanceof JobError && error.blame === 'platform' && !signal.aborted;
        if (!follow || from === '' || !passes || performance.now() - since > SILENCE_MS) throw error;
        await wait(LOOK_MS, undefined, { signal });
        // A local stack may have another port when it runs again.
        client = await findApp(options).catch(() => client);
      }
    }
    yield page;
    if (page.next === null) return;
    from = page.next;
  }
}

/** Writes lines as fast as somebody reads them. */
function printer({ json, env, out, signal }: LogsOptions): (line: LogLine) => Promise<void> {
  const inColour = out.isTTY && (env.NO_COLOR ?? '') === '';
  return async (line) => {
    signal.throwIfAborted();
    const text = json ? JSON.stringify(line) : describe(line, inColour);
    if (!out.write(`${text}\n`)) await drained(out, signal);
  };
}

const drained = (out: NodeJS.WriteStream, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    out.once('drain', resolve);
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });

const COLOURS = { warn: 'yellow', error: 'red' } as const;

/** `2026-11-26T15:00:00.123Z  3.1  warn  item 0000012 failed: …` */
function describe({ time, batch, attempt, level, message }: LogLine, inColour: boolean): string {
  const place = `${batch}.${attempt}`.padEnd(5);
  if (level === 'info') return `${inColour ? styleText('dim', time) : time}  ${place}  ${message}`;
  const said = `${level.padEnd(5)}  ${message}`;
  if (!inColour) return `${time}  ${place}  ${said}`;
  return `${styleText('dim', time)}  ${place}  ${styleText(COLOURS[level], said)}`;
}

/** Why a job has no lines to show. */
async function whyNothing(options: LogsOptions): Promise<string> {
  const { job, batch, attempt } = options;
  const client: JobClient = await findApp(options);
  const { state, error } = await client.status(job);
  const whose = [
    ...(batch === undefined ? [] : [`of batch ${batch}`]),
    ...(attempt === undefined ? [] : [`in attempt ${attempt}`]),
  ];
  const what = ['No container', ...whose].join(' ');
  if (state === 'queued' || state === 'running') return `${what} of job ${job} has said anything yet.`;
  return `${what} of job ${job} has said anything; the job ended as ${state}${error ? `: ${error.message}` : '.'}`;
}
