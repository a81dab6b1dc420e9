import { counted, JobError, messageOf } from '../../job/failure.js';
import type { AttemptResult } from '../../container-contract/result.js';
import { parseTask, type ScoreTask, type TaskItem } from '../../container-contract/task.js';
import { EnginePool } from '../engine/engine-pool.js';
import { readEnvironment, type ScorerSettings } from '../../container-contract/environment.js';
import { AttemptLog } from '../records/attempt-log.js';
import { InferenceWatch } from './inference-watch.js';
import { ProgressWriter } from '../records/progress-writer.js';
import { scoreTask } from './score-task.js';
import type { TaskBlobs } from './task-blobs.js';
import { Tally } from '../records/tally.js';
import { TimeAccount } from '../records/time-account.js';
import { TimingsWriter } from '../records/timings-writer.js';

/** After SIGTERM, items in flight may finish for this long; then the result is recorded. */
const GRACE_MS = 2500;
/** Once everything is recorded, how long to wait for an inference that still runs; less when the platform wants the place back. */
const CLOSE_MS = 20_000;
const CLOSE_AFTER_STOP_MS = 1000;

export interface Ended {
  /** 0 when the result was recorded, whatever it says; else 1, with one line on standard error. */
  exitCode: 0 | 1;
  /** False when an inference still runs, which nothing can interrupt. */
  idle: boolean;
}

/**
 * Runs one attempt: reads its task, scores the items that have no output yet, and records what happened.
 * @param signal aborted when the platform wants the place back: the run then ends within five seconds.
 */
export async function runScorer(environment: Record<string, string | undefined>, signal: AbortSignal): Promise<Ended> {
  let engine: EnginePool | undefined;
  let exitCode: Ended['exitCode'] = 0;
  let hung = false;
  try {
    const settings = readEnvironment(environment);
    // The engine's thread loads the inference runtime while this thread loads the storage SDK.
    const account = new TimeAccount();
    engine = new EnginePool((busy, since) => account.engineBusy(busy, since));
    const { TaskBlobs } = await import('./task-blobs.js');
    const blobs = new TaskBlobs(settings);
    const task = parseTask(await account.during('fetch', () => blobs.readTask(signal)));
    hung = await runAttempt({ settings, blobs, engine, task, account, signal });
  } catch (error) {
    console.error(messageOf(error));
    exitCode = 1;
  }
  const closing = signal.aborted || hung ? CLOSE_AFTER_STOP_MS : CLOSE_MS;
  const idle = engine === undefined || (await within(closing, engine.close()));
  return { exitCode, idle };
}

interface Attempt {
  settings: ScorerSettings;
  blobs: TaskBlobs;
  engine: EnginePool;
  task: ScoreTask;
  account: TimeAccount;
  signal: AbortSignal;
}

const LEVELS = { completed: 'info', interrupted: 'warn', failed: 'error' } as const;

/**
 * @returns whether the model was busy for too long with something.
 * @throws JobError `platform`: the result could not be recorded.
 */
async function runAttempt(attempt: Attempt): Promise<boolean> {
  const {
    blobs,
    task,
    account,
    signal,
    settings: { traceId },
  } = attempt;
  const { jobId: job, batch, attempt: number } = task;
  const ownLog = new AttemptLog({ job, batch, attempt: number }, blobs, task.logBlob);
  const log = ownLog.say;
  const warn = (sentence: string) => log(sentence, 'warn');
  const { timingsBlob } = task;
  const timings = new TimingsWriter(
    timingsBlob === undefined ? () => Promise.resolve() : blobs.growingRecord(timingsBlob),
    warn,
  );
  const startedAt = new Date(performance.timeOrigin).toISOString();
  const tally = new Tally(task, startedAt, account, (item) => timings.add(item));
  const bell = { isRung: false };
  const { progressBlob } = task;
  const progress = new ProgressWriter(
    () => tally.progress(),
    blobs.recordWithBell(progressBlob, () => (bell.isRung = true)),
    warn,
  );
  log(
    `batch ${batch}, attempt ${number}: ${counted(task.items.length, 'item')}${traceId === undefined ? '' : `, trace ${traceId}`}`,
  );
  progress.start();
  ownLog.start();
  const hang = new AbortController();
  let hung: TaskItem[] = [];
  const watch = new InferenceWatch(task.itemSeconds, (items) => {
    hung = items;
    hang.abort();
  });
  const report = () => progress.now();
  const stop = AbortSignal.any([signal, hang.signal]);
  const watching = {
    begin: (items: TaskItem[]) => watch.begin(items),
    // Nor is it time in which the container does nothing, as the app sees it.
    again: (items: TaskItem[]) => {
      watch.again(items);
      tally.waited();
    },
    end: (items: TaskItem[]) => watch.end(items),
  };
  const scoring = { ...attempt, log, tally, watch: watching, report, bell, signal: stop };
  const ended = await untilAbandoned(stop, (abandon) => scoreTask({ ...scoring, abandon }));
  watch.close();
  const failure = hung.length > 0 ? tally.itemsHung(hung) : (ended ?? tally.lostFrames());
  const outcome = signal.aborted ? 'interrupted' : failure ? 'failed' : 'completed';
  tally.enter('ended');
  tally.timings.wall = performance.now();
  const { done, skipped, failed } = tally;
  const ending = `${outcome}: ${done.length} scored, ${skipped.length} skipped, ${failed.length} failed${failure ? `; ${failure.message}` : ''}`;
  const result = { ...tally.result(outcome, outcome === 'failed' ? failure : undefined), traceId };
  await Promise.all([
    progress.end(),
    timings.end(),
    ownLog.end(ending, LEVELS[outcome]),
    blobs.writeRecord(task.resultBlob, JSON.stringify(result)),
  ]);
  return hung.length > 0;
}

/**
 * Runs `work` until it ends, or until its time of grace after an abort is over: then its own signal is aborted and nobody waits for it.
 * @returns why the work failed, if it did.
 */
async function untilAbandoned(
  signal: AbortSignal,
  work: (abandon: AbortSignal) => Promise<void>,
): Promise<AttemptResult['failure']> {
  const abandon = new AbortController();
  const running = work(abandon.signal).then(
    () => undefined,
    (error: unknown) => failureOf(error),
  );
  let timer: NodeJS.Timeout | undefined;
  const abandoned = new Promise<undefined>((resolve) => {
    const arm = () => {
      timer = setTimeout(() => {
        abandon.abort();
        resolve(undefined);
      }, GRACE_MS);
    };
    if (signal.aborted) arm();
    else signal.addEventListener('abort', arm, { once: true });
  });
  const failure = await Promise.race([running, abandoned]);
  clearTimeout(timer);
  return failure;
}

function failureOf(error: unknown): NonNullable<AttemptResult['failure']> {
  const blame = error instanceof JobError && error.blame !== 'item' ? error.blame : 'platform';
  return { blame, message: messageOf(error) };
}

/** Whether the work ended in time. */
async function within(milliseconds: number, work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  const inTime = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}
