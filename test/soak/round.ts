import { setTimeout as pause } from 'node:timers/promises';
import type { JobStatus } from '../../src/api/jobs.js';
import { JobError, messageOf } from '../../src/job/failure.js';
import { poll } from '../../src/poll.js';
import { randomOf } from '../support/chaos/faults.js';
import { until } from '../support/wait.js';
import { type Delivered, deliveredBy, findLeaked, findWrong, removeJobs } from './check.js';
import { askJobs, type Asked, ITEMS, JOB_KINDS, type JobKind, type SpecOf } from './jobs.js';
import { planStrikes, type Strike, strike, type StrikeKind } from './strikes.js';
import type { World } from './world.js';

export interface Round {
  jobs: number;
  /** Those that happened. */
  strikes: StrikeKind[];
  /** Jobs that did not end, or not as they must. */
  lost: string[];
  /** What is not as it would be without the strikes. */
  wrong: string[];
  leaked: string[];
  /** Seconds from each strike to the first frame, item or output that was stored when it was over. */
  recoveries: number[];
  seconds: number;
  /** What befell which jobs. */
  story: string;
}

interface Job extends Asked {
  id: string;
  /** While it is cancelled and started once more, its end is not its last one. */
  isCancelling: boolean;
}

/** A round lasts some ten seconds on an idle machine; what lasts so long will never end. */
const LOST_AFTER_SECONDS = 240;
const LOOK_MS = 250;

/** What jobs of each kind deliver that nothing befalls. @throws Error when something is wrong with one of them already. */
export async function runUndisturbed(world: World, specOf: SpecOf): Promise<Map<JobKind, Delivered>> {
  const run = async (kind: JobKind) => {
    const id = await world.client.start(specOf({ kind, compute: 'local', batchSize: 6 }));
    const status = await endOf(world, { id, isCancelling: false });
    const delivered = await deliveredBy(world.storage, status.output ?? '');
    const problems = [
      ...(await findWrong(world.storage, status, ITEMS[kind], delivered)),
      ...(await findLeaked(world, [id])),
    ];
    if (status.state !== 'done' || problems.length > 0)
      throw new Error(`Undisturbed, ${kind} ended as ${status.state}: ${status.error?.message} ${problems.join('; ')}`);
    await removeJobs(world, [status]);
    return [kind, delivered] as const;
  };
  return new Map(await Promise.all(JOB_KINDS.map(run)));
}

/** Runs three jobs while the strikes of this round happen, and checks all that they leave. */
export async function runRound(
  world: World,
  {
    seed,
    round,
    specOf,
    undisturbed,
  }: { seed: number; round: number; specOf: SpecOf; undisturbed: Map<JobKind, Delivered> },
): Promise<Round> {
  const began = performance.now();
  const random = randomOf(`soak ${seed} ${round}`);
  const asked = askJobs(random);
  const strikes = planStrikes(round, random);
  const stored: number[] = [];
  world.proxy.tell = (request) => {
    if (/^PUT \/\w+\/(work-|outbox\/)/.test(request)) stored.push(performance.now());
  };
  const jobs: Job[] = await Promise.all(
    asked.map(async (each) => ({ ...each, id: await world.client.start(specOf(each)), isCancelling: false })),
  );
  const over = new AbortController();
  const struck = strikes.map((each) => strikeLater(world, each, jobs, over.signal));
  const lost: string[] = [];
  const ended = await Promise.all(
    jobs.map((job) =>
      endOfStruck(world, job, struck).catch((error: unknown) => {
        lost.push(`${nameOf(job)}: ${messageOf(error)}`);
        return undefined;
      }),
    ),
  );
  over.abort();
  const happened: Struck[] = [];
  for (const each of await Promise.allSettled(struck)) {
    if (each.status === 'rejected') lost.push(messageOf(each.reason));
    else if (each.value) happened.push(each.value);
  }
  const wrong: string[] = [];
  for (const [index, job] of jobs.entries()) {
    const status = ended[index];
    if (!status) continue;
    if (status.state !== 'done') lost.push(`${nameOf(job)} ended as ${status.state}: ${status.error?.message}`);
    else
      wrong.push(
        ...(await findWrong(world.storage, status, ITEMS[job.kind], undisturbed.get(job.kind) ?? new Map())).map(
          (sentence) => `${nameOf(job)}: ${sentence}`,
        ),
      );
  }
  const leaked = await findLeaked(
    world,
    jobs.map(({ id }) => id),
  );
  lost.push(...world.ended.splice(0).map((how) => `A part of the stack could not go on: ${how}`));
  await removeJobs(
    world,
    ended.filter((status) => status !== undefined),
  );
  const recoveries = happened.flatMap(({ from, to }) => {
    const next = stored.find((at) => at > to);
    return next === undefined ? [] : [(next - from) / 1000];
  });
  return {
    jobs: jobs.length,
    strikes: happened.map(({ kind }) => kind),
    lost,
    wrong,
    leaked,
    recoveries,
    seconds: (performance.now() - began) / 1000,
    story: `${jobs.map(({ kind, compute }) => `${kind} on ${compute}`).join(', ')}: ${happened.map((each) => `${each.kind} at ${((each.from - began) / 1000).toFixed(1)} s`).join(', ') || 'nothing'}`,
  };
}

const nameOf = ({ id, kind, compute }: Job) => `${id} (${kind} on ${compute})`;

interface Struck {
  kind: StrikeKind;
  from: number;
  to: number;
}

/** @returns from when to when it happened; undefined if there was nothing to strike. */
async function strikeLater(world: World, planned: Strike, jobs: Job[], over: AbortSignal): Promise<Struck | undefined> {
  await pause(planned.afterMs);
  const from = performance.now();
  const targets = jobs.map((job) => ({ ...job, cancelAndRedrive: () => cancelAndRedrive(world, job) }));
  const happened = await strike(world, planned, targets, over);
  return happened ? { kind: planned.kind, from, to: performance.now() } : undefined;
}

/** Asks until there is an answer, as a user would whose host is away for a moment. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const answer = async () => {
    try {
      return { value: await ask() };
    } catch (error) {
      if (error instanceof JobError && error.blame === 'platform') return undefined;
      throw error;
    }
  };
  return (await until('an answer of the app', answer, LOOK_MS)).value;
}

const isOver = ({ state }: JobStatus) => state === 'done' || state === 'failed' || state === 'cancelled';

async function endOf(world: World, job: Pick<Job, 'id' | 'isCancelling'>): Promise<JobStatus> {
  let last: JobStatus | undefined;
  const look = async () => {
    last = await patiently(() => world.client.status(job.id));
    return isOver(last) && !job.isCancelling ? last : undefined;
  };
  const status = await poll(look, { pauseMs: LOOK_MS, withinMs: LOST_AFTER_SECONDS * 1000 });
  if (!status) throw new Error(`no end after ${LOST_AFTER_SECONDS} seconds: ${JSON.stringify(last)}`);
  return status;
}

/** The end of a job that is started once more when it fails since the disk is full: that is a user's to mend. */
async function endOfStruck(world: World, job: Job, struck: Promise<unknown>[]): Promise<JobStatus> {
  const status = await endOf(world, job);
  if (status.state !== 'failed' || !/disk .*is full/i.test(status.error?.message ?? '')) return status;
  await Promise.all(struck);
  await redrive(world, job.id, status.run);
  return endOf(world, job);
}

async function cancelAndRedrive(world: World, job: Job): Promise<boolean> {
  job.isCancelling = true;
  try {
    if (isOver(await patiently(() => world.client.status(job.id)))) return false;
    await patiently(() => world.client.cancel(job.id));
    const ended = async () => {
      const status = await patiently(() => world.client.status(job.id));
      return isOver(status) ? status : undefined;
    };
    const { state, run } = await until(`the end of the cancelled job ${job.id}`, ended, LOOK_MS);
    if (state !== 'cancelled') return false;
    await redrive(world, job.id, run);
    return true;
  } finally {
    job.isCancelling = false;
  }
}

async function redrive(world: World, id: string, run: number): Promise<void> {
  // Of an answer that was lost nobody knows whether the next run has begun.
  const begun = async () => (await world.client.status(id)).run > run || undefined;
  await patiently(() =>
    world.client.redrive(id).catch(async (error: unknown) => (await begun()) ?? Promise.reject(error)),
  );
  await until(`run ${run + 1} of job ${id}`, () => patiently(begun), LOOK_MS);
}
