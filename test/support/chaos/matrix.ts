import type { SettleResult } from '../../../src/activities/batches/settle-batch.js';
import type { Outcome } from '../../../src/job/failure.js';
import type { Timeouts } from '../../../src/job/attempts/watch.js';
import type { BatchResult } from '../../../src/orchestrators/score-batch.js';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Fault } from '../../../azure-emulator/src/faults.js';
import { type ResolvedJob, writeResolvedJob } from '../../../src/job-store/resolved-job.js';
import { presentIn } from '../../../src/container-contract/places.js';
import { listParts } from '../../../src/job-store/batches/scored-parts.js';
import type { Settled } from '../../../src/job-store/batches/settled.js';
import { parseSpec } from '../../../src/job/spec.js';
import { messageOfEnd } from '../../../src/job/attempts/attempt-end.js';
import type { AttemptResult } from '../../../src/container-contract/result.js';
import { containerName, jobOf, RESOLVED_JOB, resultBlob, settledBlob, workOf } from '../../../src/job-store/layout.js';
import { framesBlob, itemName } from '../../../src/container-contract/places.js';
import { readBytes, readJson } from '../../../src/storage/storage.js';
import { type Deliver, runBatch } from '../in-process.js';
import { until } from '../wait.js';
import type { Kind } from './faults.js';
import {
  containersOf,
  FRAMES,
  LARGE_VIDEO,
  MODEL,
  scoredFrames,
  SLOW_MODEL,
  useWorld,
  VIDEO,
  type World,
} from './world.js';

/**
 * What happens to one batch: one fault in one phase in which it can strike. A batch may have one charged attempt; so it ends
 * whole exactly when the fault was not charged.
 */
export interface Cell<Struck> {
  fault: string;
  faults?: Fault[];
  /** Befalls the container once its launch has been answered. */
  launched?: (struck: Struck) => Promise<void> | void;
  /** Befalls the container once the first item of the batch is stored. */
  strike?: (struck: Struck, world: World) => Promise<void> | void;
  /** Seconds that the job gives its first container to show a sign of life, or a struck one between two items. */
  patience?: number;
  /** Container runs, the last one included. */
  attempts: number;
  /** Containers that the service started in all; the same as `attempts` unless it is said otherwise. */
  started?: number;
  ends: 'whole' | 'charged' | 'stopped';
  /** What the user or the log is told. */
  sentence: RegExp;
}

export const THROTTLED = { status: 429, code: 'TooManyRequests' };
export const AWAY = { status: 503, code: 'ServerBusy' };
export const ONCE = { attempts: 1, ends: 'whole' } as const;
export const AGAIN = { attempts: 2, ends: 'whole' } as const;
export const CHARGED = { attempts: 1, ends: 'charged' } as const;

/** A job that was prepared and split, for cells to copy. */
interface Template {
  packs: { name: string; bytes: Buffer }[];
  job: ResolvedJob;
}

/** The world of a matrix, and two jobs in it. */
interface Setting<Struck> {
  kind: Kind;
  world: World;
  quick: Template;
  /** Takes long enough to be struck in its middle. */
  slow: Template;
  /** The container of an attempt, while it lives. */
  find: (world: World, name: string) => Struck | undefined;
}

/** Frames of a pack: a batch has several. */
const PACK = 2;

async function makeTemplate(world: World, kind: Kind, video: string, model: string): Promise<Template> {
  const jobId = `matrix-${kind}-${model}-${Date.now().toString(36)}`;
  const deliver = world.newHost('prepare');
  const spec = parseSpec(JSON.stringify({ input: { video }, model, compute: { kind }, batch: { pack: PACK } }));
  expect(await deliver('prepareJob', { jobId, spec })).toMatchObject({ ok: true });
  expect(await deliver('splitVideo', { jobId })).toMatchObject({ ok: true, value: { frames: FRAMES } });
  const work = workOf(world.storage, jobId);
  const names = Array.from({ length: FRAMES / PACK }, (_, k) => framesBlob(k * PACK, PACK, 'ppm'));
  const packs = await Promise.all(names.map(async (name) => ({ name, bytes: await readBytes(work, name) })));
  const job = await readJson<ResolvedJob>(jobOf(world.storage, jobId), RESOLVED_JOB);
  if (!job) throw new Error('The job was prepared.');
  return { packs: packs.map(({ name, bytes = Buffer.alloc(0) }) => ({ name, bytes })), job };
}

let cells = 0;
/** Seconds that are enough for whatever is not to be limited: other programs may keep this machine busy. */
const LIMIT = 150;
const PATIENT: Timeouts = { provisionSeconds: LIMIT, batchSeconds: 3600, stallSeconds: LIMIT };

interface Story {
  jobId: string;
  result: BatchResult;
  /** Sentences of the activities that failed, and of the container's end. */
  told: string[];
  settled: Settled | undefined;
  /** Items that had been stored when the container was struck, and were scored again. */
  scoredAgain: string[];
}

async function playOut<Struck>(setting: Setting<Struck>, cell: Cell<Struck>): Promise<Story> {
  const { kind, world, find } = setting;
  const jobId = `matrix-${kind}-${(cells += 1)}-${Date.now().toString(36)}`;
  const { patience = LIMIT } = cell;
  // What is struck has shown signs of life.
  const timeouts = { ...PATIENT, ...(!cell.strike && { provisionSeconds: patience }), stallSeconds: patience };
  const template = cell.strike ? setting.slow : setting.quick;
  await layOut(world, jobId, template, timeouts);
  for (const fault of cell.faults ?? []) world.emulator.faults.add({ ...fault, of: jobId });
  const told: string[] = [];
  const host = world.newHost(jobId.replaceAll('-', ''));
  const deliver: Deliver = async (name, input) => {
    const outcome = (await host(name, input)) as Outcome<Partial<SettleResult>>;
    const ended = outcome.ok ? outcome.value.ended : undefined;
    told.push(outcome.ok ? (ended ? messageOfEnd(ended) : '') : outcome.failure.message);
    // What comes after the container that was to run into its limit is to have all the time that a busy machine takes.
    if (ended && cell.patience !== undefined) await writeJob(world, jobId, template, PATIENT);
    const own = name === 'launchBatch' ? find(world, containerName(jobId, 0, 1)) : undefined;
    if (own) await cell.launched?.(own);
    return outcome;
  };
  const retry = { maxAttempts: 1, firstDelaySeconds: 0 };
  const batch = runBatch({ jobId, batch: 0, first: 0, count: FRAMES, retry }, deliver);
  const stored = cell.strike ? await strike(setting, jobId, cell.strike) : [];
  const result = await batch;
  const container = jobOf(world.storage, jobId);
  const settled = await readJson<Settled>(container, settledBlob(0));
  const later = await Promise.all([2, 3].map((attempt) => readJson<AttemptResult>(container, resultBlob(0, attempt))));
  const scoredAgain = later.flatMap((each) => each?.done ?? []).filter((name) => stored.includes(name));
  told.push(result.message);
  return { jobId, result, told: told.filter((sentence) => sentence !== ''), settled, scoredAgain };
}

async function layOut(world: World, jobId: string, template: Template, timeouts: Timeouts): Promise<void> {
  const { storage } = world;
  await Promise.all([workOf(storage, jobId).create(), jobOf(storage, jobId).create()]);
  await writeJob(world, jobId, template, timeouts);
  const work = workOf(storage, jobId);
  await Promise.all(template.packs.map(({ name, bytes }) => work.getBlockBlobClient(name).uploadData(bytes)));
}

const writeJob = ({ storage }: World, jobId: string, { job }: Template, timeouts: Timeouts) =>
  writeResolvedJob(storage, { ...job, jobId, spec: { ...job.spec, timeouts: { itemSeconds: LIMIT, ...timeouts } } });

/** Waits until items are stored, strikes, and returns the names of those that were. */
async function strike<Struck>(
  { world, find }: Setting<Struck>,
  jobId: string,
  how: NonNullable<Cell<Struck>['strike']>,
): Promise<string[]> {
  const look = async () => {
    const found: string[] = [];
    for await (const part of listParts(world.storage, jobId)) found.push(...[...presentIn(part)].map(itemName));
    return found.length > 0 ? found : undefined;
  };
  const stored = await until('the first stored item', look);
  const struck = find(world, containerName(jobId, 0, 1));
  if (!struck) throw new Error('The batch was over before it could be struck.');
  await how(struck, world);
  return stored;
}

/** A busy machine takes its time. */

/** Plays every fault in every phase, each with a batch of its own. */
export function playMatrix<Struck>(
  kind: Kind,
  find: Setting<Struck>['find'],
  phases: (readonly [phase: string, cells: Cell<Struck>[]])[],
): void {
  const setting = { kind, find, world: useWorld() } as Setting<Struck>;
  beforeAll(async () => {
    setting.quick = await makeTemplate(setting.world, kind, VIDEO, MODEL);
    setting.slow = await makeTemplate(setting.world, kind, LARGE_VIDEO, SLOW_MODEL);
  });
  describe.concurrent.each(phases)(`a batch on ${kind} %s`, (_, phase) => {
    test.each(phase)('survives or ends right after $fault', async (cell) => check(setting, cell));
  });
}

async function check<Struck>(setting: Setting<Struck>, cell: Cell<Struck>): Promise<void> {
  const { jobId, result, told, settled, scoredAgain } = await playOut(setting, cell);
  const { left, created, replaced } = containersOf(setting.world.emulator, jobId);
  const story = told.join('\n');
  const { attempts, started = attempts } = cell;
  expect({ left, replaced, scoredAgain }, story).toEqual({ left: [], replaced: [], scoredAgain: [] });
  expect(created, story).toHaveLength(started);
  expect(new Set(created).size, story).toBe(attempts);
  expect(settled?.attempt ?? 0, story).toBe(attempts);
  expect(result.stop !== undefined, story).toBe(cell.ends === 'stopped');
  expect(result.missing === 0, story).toBe(cell.ends === 'whole');
  if (cell.ends === 'whole') expect((await scoredFrames(jobId)).size).toBe(FRAMES);
  if (cell.ends === 'charged') expect(result.message).toContain('items are still missing after 1 of 1 attempt;');
  expect(story).toMatch(cell.sentence);
}
