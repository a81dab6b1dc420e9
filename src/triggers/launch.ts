import type { InvocationContext } from '@azure/functions';
import type { Ports } from '../activities/ports.js';
import { JobError } from '../job/failure.js';
import { dayOf, DEPLOYMENT, hasLimits } from '../job/daily-limits.js';
import type { AdmissionLimits, Place } from '../job/inbox/admission.js';
import type { Origin } from '../job/inbox/claim.js';
import { checkInputSize, inputOf as nameOfInput, type JobSpec } from '../job/spec.js';
import { writeTraceParent } from '../job/trace.js';
import { countRun, forgetRun } from '../job-store/callers/days.js';
import { readOwner, removeOwner, writeOwner } from '../job-store/callers/owners.js';
import { givePlaces, readPlaces, takePlace } from '../job-store/inbox/places.js';
import { changeEntry, enterJob, type Entry, removeEntry } from '../job-store/list/job-list.js';
import { hasManifest } from '../job-store/manifest.js';
import { freePlace, keepPlace, placesNamed } from '../job-store/outputs.js';
import { withFetchedVideo } from '../job-store/videos/fetched-video.js';
import type { JobInput } from '../orchestrators/score-job.js';
import { placeOf, startId } from '../telemetry/ids.js';
import { hasEnded, type JobHost } from './jobs.js';

/** A job that is decided and has its id. */
export interface NewJob {
  jobId: string;
  spec: JobSpec;
  startedBy?: Origin;
  /** Id of the caller whose it is; left out: the deployment's. */
  owner?: string;
  /** From 2 on when it was started before. */
  run?: number;
  /** When its first run was accepted, in milliseconds since the epoch: the same for all who start the same job. */
  acceptedAt: number;
  /** How long it waits for what its folder is expected to hold; undefined: it does not. */
  waitHours?: number;
  /** Expected items, and bytes of the input; 0 where nobody knows. */
  items: number;
  bytes: number;
}

/** What an ended job has left is looked for at most so often. */
const FREE_PAUSE_MS = 30_000;

/** As it asks for a place. */
export type WantedJob = Omit<NewJob, 'acceptedAt'>;

export type Launcher = ReturnType<typeof createLauncher>;

/** Starts jobs, whoever asks for them, as far as there is room beside those that run and their callers may. */
export function createLauncher({
  storage,
  telemetry,
  limits,
  dailyLimits = {},
  ownership = false,
  host,
}: Pick<Ports, 'storage' | 'telemetry' | 'dailyLimits'> & {
  limits: AdmissionLimits;
  /** Whether it is written down whose a job is. */
  ownership?: boolean;
  host: JobHost;
}) {
  const counts = hasLimits(dailyLimits);
  let nextFreeAt = -Infinity;

  /** Gives the places of jobs back that have ended without doing it themselves. @returns whether there were any. */
  async function freeEnded(context: InvocationContext): Promise<boolean> {
    if (performance.now() < nextFreeAt) return false;
    nextFreeAt = performance.now() + FREE_PAUSE_MS;
    const { places } = await readPlaces(storage);
    const ended: string[] = [];
    for (const { job, since } of places) if (await isOver(context, job, since)) ended.push(job);
    if (ended.length > 0) await givePlaces(storage, ended);
    return ended.length > 0;
  }

  /** One that nobody knows may be about to start. */
  async function isOver(context: InvocationContext, job: string, since: number): Promise<boolean> {
    const state = await host.stateOf(context, job);
    if (state !== undefined) return hasEnded(state);
    return (await hasManifest(storage, job)) || Date.now() - since > BEGIN_MS;
  }

  /** @returns the job's place, or why it cannot start, now (`platform`) or at all. */
  async function reserve(context: InvocationContext, job: WantedJob): Promise<JobError | Place> {
    const { jobId, items, bytes } = job;
    const wanted = { job: jobId, items, bytes };
    let place = await takePlace(storage, wanted, limits);
    if (typeof place === 'string' && (await freeEnded(context))) place = await takePlace(storage, wanted, limits);
    if (typeof place === 'string') return noRoom(place);
    const over = await countForOwner(job);
    if (over === undefined) return place;
    await givePlaces(storage, [jobId]);
    return over;
  }

  /** Writes down whose job it is, and counts the run for its owner. @returns why that may not have it. */
  async function countForOwner({
    jobId,
    run,
    owner = DEPLOYMENT,
    items,
    bytes,
  }: WantedJob): Promise<JobError | undefined> {
    if (!counts) {
      if (ownership && owner !== DEPLOYMENT && run === undefined) await writeOwner(storage, jobId, { owner });
      return undefined;
    }
    const now = Date.now();
    const day = dayOf(now);
    const whose = run === undefined ? owner : ((await readOwner(storage, jobId))?.owner ?? owner);
    const counted = { jobId, ...(run !== undefined && { run }), owner: whose, day };
    const over = await countRun(storage, counted, { items, bytes }, { limits: dailyLimits, now });
    if (over === undefined) await writeOwner(storage, jobId, { owner: whose, day });
    return over;
  }

  /** Counts a run no longer that never began, which nobody owns then if it was the first. */
  async function uncount({ jobId, run }: Pick<JobInput, 'jobId' | 'run'>): Promise<void> {
    if (!counts && !ownership) return;
    const record = await readOwner(storage, jobId);
    if (record?.day !== undefined)
      await forgetRun(storage, { jobId, ...(run !== undefined && { run }), owner: record.owner, day: record.day });
    if (run === undefined) await removeOwner(storage, jobId);
  }

  /** Whether the job was started before, also if it has ended and nothing but its manifest is left. */
  const wasStarted = async (context: InvocationContext, jobId: string): Promise<boolean> =>
    (await host.stateOf(context, jobId)) !== undefined || (await hasManifest(storage, jobId));

  /** What the orchestration of a job is started with. */
  function inputOf(
    context: InvocationContext,
    { jobId, run, spec, startedBy, waitHours, acceptedAt }: NewJob,
  ): JobInput {
    const { traceId } = placeOf(jobId, undefined, context.traceContext?.traceParent);
    return {
      jobId,
      spec: withFetchedVideo(spec, jobId),
      acceptedAt,
      traceParent: writeTraceParent(traceId, startId(jobId, run)),
      ...(startedBy === undefined ? {} : { startedBy }),
      ...(waitHours === undefined ? {} : { waitHours }),
      ...(run === undefined ? {} : { run }),
    };
  }

  /** Starts the orchestration of a job that has its place. */
  async function launch(context: InvocationContext, job: NewJob): Promise<void> {
    const input = inputOf(context, job);
    await keepOutputs(input);
    await begin(context, input, job.owner);
  }

  const entryOf = ({ jobId, acceptedAt, run = 1, spec }: JobInput, owner: string | undefined): Entry | undefined =>
    acceptedAt === undefined
      ? undefined
      : {
          jobId,
          acceptedAt,
          run,
          // Where callers share their jobs nobody writes down whose one is.
          ...(ownership && owner !== undefined && owner !== DEPLOYMENT && { owner }),
          input: nameOfInput(spec),
          model: spec.model,
          compute: spec.compute.kind,
        };

  /** Lists the job before it starts, so that none runs that nobody sees. Whose it is stays as it was. */
  async function list(input: JobInput, owner: string | undefined): Promise<void> {
    const entry = entryOf(input, owner);
    if (!entry) return;
    if (entry.run === 1) return enterJob(storage, entry);
    const whose = owner ?? (ownership ? (await readOwner(storage, entry.jobId))?.owner : undefined);
    await changeEntry(storage, entry, (before = { ...entry, run: 0, owner: whose }) =>
      before.run >= entry.run ? undefined : { ...entry, owner: before.owner },
    );
  }

  /** Gives back what a job that cannot start holds. */
  async function free(input: JobInput): Promise<void> {
    const { jobId, spec, run, acceptedAt } = input;
    for (const output of placesNamed(spec)) await freePlace(storage, { jobId, output });
    await givePlaces(storage, [jobId]);
    await uncount(input);
    if (run === undefined && acceptedAt !== undefined) await removeEntry(storage, { jobId, acceptedAt });
  }

  /** Keeps the places where a job writes, unless the job cannot start. */
  async function keepOutputs(input: JobInput): Promise<void> {
    const { jobId, spec } = input;
    const { overwrite } = spec.output;
    try {
      checkInputSize(input);
      for (const output of placesNamed(spec)) await keepPlace(storage, { jobId, output, overwrite });
    } catch (error) {
      await free(input);
      throw error;
    }
  }

  /** Starts the orchestration of a job that holds all that it needs. */
  async function begin(context: InvocationContext, input: JobInput, owner?: string): Promise<void> {
    await list(input, owner);
    const { jobId, spec, run } = input;
    const place = placeOf(jobId, undefined, context.traceContext?.traceParent);
    const isStarted = async () => {
      const state = await host.stateOf(context, jobId);
      return state !== undefined && (run === undefined || !hasEnded(state));
    };
    const start = async () => {
      try {
        await host.start(context, input);
      } catch (error) {
        // The host may have started it all the same: its answer was lost, or another host was first.
        if (await isStarted()) return;
        await free(input);
        throw error;
      }
    };
    const facts = {
      jobId,
      run,
      place,
      model: spec.model,
      compute: spec.compute.kind,
      input: spec.input.video === undefined ? 'images' : 'video',
    } as const;
    await telemetry.startJob(facts, start);
  }

  return { reserve, launch, inputOf, keepOutputs, begin, freeEnded, wasStarted };
}

/** A job that has its place begins within so long. */
const BEGIN_MS = 600_000;

const FULL_SECONDS = 30;

/** @param full why there is no room. */
const noRoom = (full: string) =>
  new JobError('platform', `There is no room for another job: ${full}; try again a little later.`, {
    retryAfterSeconds: FULL_SECONDS,
    inLine: true,
  });
