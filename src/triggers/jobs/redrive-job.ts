import { setTimeout as pause } from 'node:timers/promises';
import type { HttpResponseInit, InvocationContext } from '@azure/functions';
import * as df from 'durable-functions';
import type { Ports } from '../../activities/ports.js';
import type { RedriveAnswer } from '../../api/jobs.js';
import { counted, JobError } from '../../job/failure.js';
import { endOfBatches } from '../../job/plan.js';
import { publishedIn } from '../../job/progress.js';
import { type Changes, parseChanges, withChanges } from '../../job/redrive.js';
import { checkSpecSize, isJobId, type JobSpec } from '../../job/spec.js';
import { endOfEarlierBatches, requireSame, shelveManifest } from '../../job-store/earlier-runs.js';
import { requireInputs } from '../../job-store/inputs.js';
import { findAccepted } from '../../job-store/list/job-list.js';
import { jobOf, MANIFEST, workOf } from '../../job-store/layout.js';
import type { Manifest } from '../../job-store/manifest.js';
import { findResolvedJob, type ResolvedJob } from '../../job-store/resolved-job.js';
import { type Begun, beginRun, readDecision } from '../../job-store/stop.js';
import type { JobInput } from '../../orchestrators/score-job.js';
import { readJson } from '../../storage/storage.js';
import { answerErrors, refuse } from '../http.js';
import type { JobWatch } from '../job-watch.js';
import { askHost, findJob, hasEnded, inputOfJob, isForgotten, noJob, refuseForgotten } from '../jobs.js';
import type { Launcher } from '../launch.js';

interface RedrivePorts extends Pick<Ports, 'storage' | 'bundledModels' | 'urls'> {
  launcher: Launcher;
  watch: Pick<JobWatch, 'end'>;
}

/** How long another request that has just decided that a run begins may take to start it. */
const START_MS = 5000;
const LOOK_MS = 250;

/**
 * `POST /api/jobs/{id}/redrive`: starts a job that has ended once more, for what it has not scored. Answers 202, 200 when there is nothing to
 * do, 409 when that cannot be done now or at all. Of several requests at once one starts a run.
 */
export const createRedriveJob = (ports: RedrivePorts) =>
  answerErrors(async (request, context) => {
    checkSpecSize(Number(request.headers.get('content-length') ?? 0));
    const changes = parseChanges(await request.text());
    const id = request.params.id ?? '';
    const known = isJobId(id) ? await findEnded(ports, context, id) : refuse(404, noJob(id));
    if (!('firstBatch' in known)) return known;
    const answer = known.begun
      ? await startBegun(ports, context, id, known.begun)
      : await startNext(ports, context, known, changes);
    return typeof answer === 'string' ? refuse(409, answer) : answer;
  });

/** A job whose latest run has ended. */
interface Ended {
  jobId: string;
  /** Its latest run. */
  run: number;
  /** What that was started with; undefined when the host has forgotten it. */
  input: JobInput | undefined;
  /** The number that no batch has had. */
  firstBatch: number;
  /** Set when it was decided that another run begins, and nobody has started it. */
  begun?: Begun;
}

/**
 * Settles what a run has left that was ended from outside and whose end nobody has written down.
 * @returns the answer when there is no such job any more, or it has not ended.
 */
async function findEnded(
  { storage, watch }: RedrivePorts,
  context: InvocationContext,
  jobId: string,
): Promise<Ended | HttpResponseInit> {
  const status = await findJob(context, jobId);
  if (status && !hasEnded(status.runtimeStatus))
    return refuse(409, `Job "${jobId}" has not ended; cancel it first, or wait until it has ended.`);
  const decision = await readDecision(storage, jobId);
  const client = df.getClient(context);
  if (!decision && status && (await isForgotten(storage, client, status))) return refuseForgotten(status);
  if (!decision && !status && !(await jobOf(storage, jobId).exists())) return refuse(404, noJob(jobId));
  const input = status && (await askHost(() => inputOfJob(client, jobId)));
  const begun = decision && 'begun' in decision ? decision : undefined;
  const run = status ? (input?.run ?? 1) : (decision?.run ?? 1);
  const { plan } = publishedIn(status?.customStatus) ?? {};
  const firstBatch = Math.max(
    input?.firstBatch ?? 0,
    plan ? endOfBatches(plan) : 0,
    await endOfEarlierBatches(storage, jobId),
  );
  const ended = { jobId, run, input, firstBatch };
  if (begun && begun.run > run) return { ...ended, begun };
  if (!(decision && 'ended' in decision)) await watch.end(client, { jobId, run }, status);
  return ended;
}

/** Starts a run that was decided, unless the request that decided it does so. */
async function startBegun(
  { launcher, storage }: RedrivePorts,
  context: InvocationContext,
  id: string,
  { run, input }: Begun,
): Promise<HttpResponseInit | string> {
  const deadline = performance.now() + START_MS;
  while (performance.now() < deadline) {
    const status = await findJob(context, id);
    if (status && !hasEnded(status.runtimeStatus)) return startedElsewhere(id);
    await pause(LOOK_MS);
  }
  await shelveManifest(storage, id);
  await launcher.begin(context, input as JobInput);
  return accepted({ id, run, message: `Run ${run} of job ${id} begins.` });
}

const startedElsewhere = (id: string) => `Job "${id}" was started again by another request.`;

async function startNext(
  ports: RedrivePorts,
  context: InvocationContext,
  { jobId, run: last, input: before, firstBatch }: Ended,
  changes: Changes,
): Promise<HttpResponseInit | string> {
  const { storage, launcher } = ports;
  const run = last + 1;
  const [manifest, resolved] = await Promise.all([
    readJson<Manifest>(jobOf(storage, jobId), MANIFEST),
    findResolvedJob(storage, jobId),
  ]);
  const spec = before?.spec ?? resolved?.spec;
  if (!spec) return `Nobody knows any more what job "${jobId}" was to do; start it again with POST /api/jobs.`;
  const { fromScratch } = changes;
  const next = withChanges(spec, changes);
  const hasWork = await workOf(storage, jobId).exists();
  if (!fromScratch && manifest?.outcome === 'done') {
    const { failed } = manifest.totals;
    if (failed === 0)
      return answer(200, { id: jobId, run: last, message: `Job ${jobId} is done, so there is nothing to do.` });
    if (!hasWork) return nothingLeft(jobId, failed, next);
  }
  const bytes = await requireInputs(ports, next);
  if (resolved && !fromScratch) await requireSame(storage, resolved, next);
  const { items = 0, totals } = manifest ?? {};
  const left = fromScratch || !hasWork ? items : items - (totals?.done ?? 0);
  const place = await launcher.reserve(context, { jobId, run, spec: next, items: left, bytes });
  if (place instanceof JobError) throw place;
  const acceptedAt = before?.acceptedAt ?? (await findAccepted(storage, jobId)) ?? place.since;
  const begun: Begun & { input: JobInput } = {
    run,
    begun: new Date().toISOString(),
    input: {
      ...launcher.inputOf(context, {
        jobId,
        run,
        spec: next,
        ...(before?.startedBy && { startedBy: before.startedBy }),
        acceptedAt,
        items: 0,
        bytes,
      }),
      firstBatch,
      ...(fromScratch ? { fromScratch } : manifest && { kept: { items: manifest.items, done: manifest.totals.done } }),
    },
  };
  await launcher.keepOutputs(begun.input);
  const decided = await beginRun(storage, jobId, begun);
  if (decided === undefined)
    return `The records of job "${jobId}" were removed just now; start it again with POST /api/jobs.`;
  if (decided !== begun) return startedElsewhere(jobId);
  await shelveManifest(storage, jobId);
  await launcher.begin(context, begun.input);
  return accepted({
    id: jobId,
    run,
    message: `Run ${run} of job ${jobId} begins${whatStays({ manifest, resolved, hasWork, fromScratch })}.`,
  });
}

/** Of a job that is done but for some items, and whose records of what it scored are removed. */
function nothingLeft(jobId: string, failed: number, { input: { images, frameRate } }: JobSpec): string {
  const ways = [
    ...(images === undefined || frameRate !== undefined
      ? []
      : [`score those in a new job with "input.list": {"failedItemsOf": "${jobId}"}`]),
    'score everything again with {"fromScratch": true}',
  ];
  return `Job "${jobId}" is done but for ${counted(failed, 'item')} that failed, and what it scored was removed when it was; ${ways.join(', or ')}.`;
}

/** What is kept, as the end of a sentence. */
function whatStays({
  manifest,
  resolved,
  hasWork,
  fromScratch,
}: {
  manifest: Manifest | undefined;
  resolved: ResolvedJob | undefined;
  hasWork: boolean;
  fromScratch: boolean;
}): string {
  const { items = 0, totals } = manifest ?? {};
  if (fromScratch) return ' and scores everything again';
  if (resolved && !hasWork && (totals?.done ?? 0) > 0)
    return ' and scores everything again, because what it had scored has been removed';
  return items === 0 ? '' : `; ${totals?.done ?? 0} of ${counted(items, 'item')} are scored already`;
}

const answer = (status: number, jsonBody: RedriveAnswer): HttpResponseInit => ({ status, jsonBody });
const accepted = (jsonBody: RedriveAnswer) => answer(202, jsonBody);
