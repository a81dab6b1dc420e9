import { beforeAll, describe, expect, test } from 'vitest';
import type { Fault } from '../../azure-emulator/src/faults.js';
import type { Group } from '../../azure-emulator/src/group.js';
import type { ResolvedJob } from '../../src/activities/resolved-job.js';
import type { Settled } from '../../src/activities/settle-batch.js';
import { parseSpec } from '../../src/job/spec.js';
import type { AttemptResult } from '../../src/job/task.js';
import { containerName, frameBlob, itemName, RESOLVED_JOB, resultBlob, settledBlob } from '../../src/storage/layout.js';
import { jobOf, readBytes, readJson, workOf, writeJson } from '../../src/storage/storage.js';
import { type Deliver, runBatch } from '../support/in-process.js';
import { until } from '../support/wait.js';
import { containersOf, FRAMES, LARGE_VIDEO, MODEL, scoredFrames, SLOW_MODEL, useWorld, VIDEO } from './world.js';

/**
 * What happens to one batch on container instances: each fault in each phase in which it can strike. A batch may have one
 * charged attempt; so it ends whole exactly when the fault was not charged.
 */
interface Cell {
  fault: string;
  faults?: Fault[];
  /** Befalls the group once the first item of the batch is stored. */
  strike?: (group: Group) => Promise<void> | void;
  /** Seconds that the job gives a container to show a sign of life, and between two items. */
  patience?: number;
  /** Container runs, the last one included. */
  attempts: number;
  /** Groups made in all; the same as `attempts` unless it is said otherwise. */
  groups?: number;
  ends: 'whole' | 'charged' | 'stopped';
  /** What the user or the log is told. */
  sentence: RegExp;
}

const CAPACITY = 'The requested resource is not available in the location at this moment.';
const QUOTA =
  "Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota 'StandardCores' exceeded in region 'r'. Limit: '10', Usage: '10' Requested: '1'.";
const throttled = { status: 429, code: 'TooManyRequests' };
const away = { status: 503, code: 'ServerBusy' };
const once = { attempts: 1, ends: 'whole' } as const;
const again = { attempts: 2, ends: 'whole' } as const;
const charged = { attempts: 1, ends: 'charged' } as const;

const LAUNCH: Cell[] = [
  {
    fault: 'no capacity',
    faults: [{ on: 'PUT', status: 409, code: 'ServiceUnavailable', message: CAPACITY }],
    ...once,
    sentence: /no room for the container now/,
  },
  {
    fault: 'a quota in use',
    faults: [{ on: 'PUT', status: 400, code: 'ContainerGroupQuotaReached', message: QUOTA }],
    ...once,
    sentence: /limit 10, in use 10, asked for 1/,
  },
  { fault: 'a 429 storm', faults: [{ on: 'PUT', ...throttled, times: 3 }], ...once, sentence: /throttling/ },
  {
    fault: 'a 429 with Retry-After',
    faults: [{ on: 'PUT', ...throttled, retryAfter: 1 }],
    ...once,
    sentence: /throttling/,
  },
  { fault: 'a failing service', faults: [{ on: 'PUT', ...away }], ...once, sentence: /status 503/ },
  { fault: 'a cut answer', faults: [{ on: 'PUT', cut: true }], ...once, sentence: /^$/ },
  { fault: 'an answer that never comes', faults: [{ on: 'PUT', cut: 'silent' }], ...once, sentence: /^$/ },
  {
    fault: 'a look before it that never comes back',
    faults: [{ on: 'GET', cut: 'silent' }],
    ...once,
    sentence: /request was given up/,
  },
  {
    fault: 'a registry that refuses for now',
    faults: [{ on: 'PUT', status: 409, code: 'RegistryErrorResponse' }],
    ...once,
    sentence: /image registry refused for now/,
  },
  {
    fault: 'an image that cannot be had',
    faults: [{ on: 'PUT', status: 400, code: 'InaccessibleImage' }],
    attempts: 0,
    ends: 'stopped',
    sentence: /correct ACI_IMAGE/,
  },
  {
    fault: 'a right that is missing',
    faults: [{ on: 'PUT', status: 403, code: 'AuthorizationFailed' }],
    attempts: 0,
    ends: 'stopped',
    sentence: /grant it Contributor/,
  },
];

const PROVISIONING: Cell[] = [
  {
    fault: 'no capacity',
    faults: [{ on: 'GROUP', fate: 'no-capacity' }],
    ...again,
    sentence: /no room for the container now/,
  },
  {
    fault: 'a pull error',
    faults: [{ on: 'GROUP', fate: 'pull-error' }],
    attempts: 1,
    ends: 'stopped',
    sentence: /correct ACI_IMAGE/,
  },
  { fault: 'a slow pull', faults: [{ on: 'GROUP', fate: 'slow-pull' }], ...once, sentence: /^$/ },
  {
    fault: 'a start that never comes',
    faults: [{ on: 'GROUP', fate: 'never-starts' }],
    patience: 6,
    ...again,
    sentence: /showed no sign of life in time/,
  },
  {
    fault: 'a lost group',
    faults: [{ on: 'GROUP', mishap: { kind: 'lose', afterMs: 0 } }],
    ...again,
    sentence: /no longer knows the container group/,
  },
  {
    fault: 'a crash at the start',
    faults: [{ on: 'GROUP', mishap: { kind: 'end', afterMs: 0, exitCode: 1 } }],
    ...charged,
    sentence: /exit code 1/,
  },
  {
    fault: 'maintenance',
    faults: [{ on: 'GROUP', mishap: { kind: 'end', afterMs: 0, exitCode: 7148 } }],
    ...again,
    sentence: /maintenance \(exit code 7148\)/,
  },
  {
    fault: 'an eviction',
    faults: [{ on: 'GROUP', mishap: { kind: 'restart', afterMs: 20 } }],
    ...once,
    sentence: /^$/,
  },
];

const SCORING: Cell[] = [
  { fault: 'a crash', strike: (group) => group.container?.kill(1), ...charged, sentence: /exit code 1/ },
  {
    fault: 'want of memory (137)',
    strike: (group) => group.container?.kill(137),
    ...charged,
    sentence: /out of memory; raise ACI_MEMORY_GB/,
  },
  {
    fault: 'maintenance (7147)',
    strike: (group) => group.container?.kill(7147),
    ...again,
    sentence: /maintenance \(exit code 7147\)/,
  },
  {
    fault: 'a hang',
    strike: (group) => group.container?.hang(),
    patience: 5,
    ...charged,
    sentence: /no item for longer than timeouts.stallSeconds/,
  },
  { fault: 'an eviction', strike: (group) => group.evict(), ...once, sentence: /^$/ },
  { fault: 'a lost group', strike: (group) => group.lose(), ...again, sentence: /no longer knows the container group/ },
  { fault: 'a 429 storm', faults: [{ on: 'GET', ...throttled, times: 4 }], ...once, sentence: /throttling/ },
  { fault: 'a cut answer', faults: [{ on: 'GET', cut: true, times: 3 }], ...once, sentence: /the connection was cut/ },
  {
    fault: 'a hang that nobody can see, since looks fail for too long',
    strike: (group) => {
      group.container?.hang();
      world.emulator.faults.add({ on: 'GET', ...away, times: 7, of: group.name });
    },
    ...again,
    sentence: /could not be looked at for too long/,
  },
  {
    fault: 'a container that its platform starts over and over',
    strike: async (group) => {
      for (let restart = 0; restart < 3; restart += 1) await group.evict();
      group.container?.hang();
    },
    ...charged,
    sentence: /the platform started the scorer 3 times again: it cannot run/,
  },
];

const SETTLING: Cell[] = [
  {
    fault: 'a log in transition',
    faults: [{ on: 'LOGS', status: 409, code: 'ContainerGroupTransitioning' }],
    strike: (group) => group.container?.kill(7147),
    ...again,
    sentence: /maintenance/,
  },
  {
    fault: 'a log that is refused',
    faults: [{ on: 'LOGS', ...away }],
    strike: (group) => group.container?.kill(7147),
    ...again,
    sentence: /status 503/,
  },
  {
    fault: 'a removal that is refused',
    faults: [{ on: 'DELETE', status: 409, code: 'ContainerGroupTransitioning' }],
    ...once,
    sentence: /still changing its state/,
  },
  {
    fault: 'a removal that is accepted and not done',
    faults: [{ on: 'DELETE', ignored: true }],
    ...once,
    sentence: /still stands 20 seconds after its deletion; it is deleted again/,
  },
  { fault: 'a throttled removal', faults: [{ on: 'DELETE', ...throttled, times: 3 }], ...once, sentence: /throttling/ },
  {
    fault: 'a removal whose answer is cut',
    faults: [{ on: 'DELETE', cut: true }],
    ...once,
    sentence: /the connection was cut/,
  },
  {
    fault: 'a removal whose answer never comes',
    faults: [{ on: 'DELETE', cut: 'silent' }],
    ...once,
    sentence: /request was given up/,
  },
];

const world = useWorld();
/** A job that was prepared and split, for cells to copy. */
interface Template {
  frames: Buffer[];
  job: ResolvedJob;
}
let quick: Template;
let slow: Template;
beforeAll(async () => {
  quick = await makeTemplate('quick', VIDEO, MODEL);
  slow = await makeTemplate('slow', LARGE_VIDEO, SLOW_MODEL);
});

async function makeTemplate(name: string, video: string, model: string): Promise<Template> {
  const jobId = `matrix-${name}-${Date.now().toString(36)}`;
  const deliver = world.newHost('prepare');
  const spec = parseSpec(JSON.stringify({ input: { video }, model, compute: { kind: 'aci' } }));
  expect(await deliver('prepareJob', { jobId, spec })).toMatchObject({ ok: true });
  expect(await deliver('splitVideo', { jobId })).toMatchObject({ ok: true, value: { frames: FRAMES } });
  const work = workOf(world.storage, jobId);
  const frames = await Promise.all(Array.from({ length: FRAMES }, (_, k) => readBytes(work, frameBlob(k, 'png'))));
  const job = await readJson<ResolvedJob>(jobOf(world.storage, jobId), RESOLVED_JOB);
  if (!job) throw new Error('The job was prepared.');
  return { frames: frames.map((bytes) => bytes ?? Buffer.alloc(0)), job };
}

let cells = 0;

interface Story {
  jobId: string;
  result: { done: number; missing: number; message: string; stop?: { message: string } };
  /** Sentences of the activities that failed, and of the container's end. */
  told: string[];
  settled: Settled | undefined;
  /** Items that had been stored when the container was struck, and were scored again. */
  scoredAgain: string[];
}

async function playOut(cell: Cell): Promise<Story> {
  const jobId = `matrix-${(cells += 1)}-${Date.now().toString(36)}`;
  await layOut(jobId, cell);
  for (const fault of cell.faults ?? []) world.emulator.faults.add({ ...fault, of: jobId });
  const told: string[] = [];
  const host = world.newHost(jobId.replaceAll('-', ''));
  const deliver: Deliver = async (name, input) => {
    const outcome = (await host(name, input)) as { ok: boolean; message: string; value?: { message?: string } };
    told.push(outcome.message ?? outcome.value?.message ?? '');
    return outcome;
  };
  const timeouts = { provisionSeconds: cell.patience ?? 50, batchSeconds: 3600, stallSeconds: cell.patience ?? 50 };
  const retry = { maxAttempts: 1, firstDelaySeconds: 0 };
  const batch = runBatch({ jobId, batch: 0, first: 0, count: FRAMES, retry, timeouts }, deliver);
  const stored = cell.strike ? await strike(jobId, cell.strike) : [];
  const result = (await batch) as Story['result'];
  const container = jobOf(world.storage, jobId);
  const settled = await readJson<Settled>(container, settledBlob(0));
  const later = await Promise.all([2, 3].map((attempt) => readJson<AttemptResult>(container, resultBlob(0, attempt))));
  const scoredAgain = later.flatMap((each) => each?.done ?? []).filter((name) => stored.includes(name));
  told.push(result.message);
  return { jobId, result, told: told.filter((sentence) => sentence !== ''), settled, scoredAgain };
}

async function layOut(jobId: string, cell: Cell): Promise<void> {
  const { storage } = world;
  await Promise.all([workOf(storage, jobId).create(), jobOf(storage, jobId).create()]);
  const { frames, job } = cell.strike ? slow : quick;
  await writeJson(jobOf(storage, jobId), RESOLVED_JOB, { ...job, jobId });
  await Promise.all(
    frames.map((bytes, k) => workOf(storage, jobId).getBlockBlobClient(frameBlob(k, 'png')).uploadData(bytes)),
  );
}

/** Waits until items are stored, strikes, and returns the names of those that were. */
async function strike(jobId: string, how: NonNullable<Cell['strike']>): Promise<string[]> {
  const stored = await until('the first stored item', async () => {
    const found = await scoredFrames(jobId);
    return found.size > 0 ? [...found.keys()].map(itemName) : undefined;
  });
  const group = world.emulator.azure.groups.get(containerName(jobId, 0, 1));
  if (!group) throw new Error('The batch was over before it could be struck.');
  await how(group);
  return stored;
}

/** A busy machine takes its time. */
const LONG = { timeout: 240_000 };

describe.concurrent.each([
  ['while it is launched', LAUNCH],
  ['while its container is provided', PROVISIONING],
  ['while it is scored', SCORING],
  ['while it is settled', SETTLING],
])('a batch %s', LONG, (_, phase) => {
  test.each(phase)('survives or ends right after $fault', async (cell) => {
    const { jobId, result, told, settled, scoredAgain } = await playOut(cell);
    const { left, created, replaced } = containersOf(world.emulator, jobId);
    const story = told.join('\n');
    expect({ left, replaced, scoredAgain }, story).toEqual({ left: [], replaced: [], scoredAgain: [] });
    expect(new Set(created).size, story).toBe(created.length);
    expect(created, story).toHaveLength(cell.groups ?? cell.attempts);
    expect(settled?.attempt ?? 0, story).toBe(cell.attempts);
    expect(result.stop !== undefined, story).toBe(cell.ends === 'stopped');
    expect(result.missing === 0, story).toBe(cell.ends === 'whole');
    if (cell.ends === 'whole') expect((await scoredFrames(jobId)).size).toBe(FRAMES);
    if (cell.ends === 'charged') expect(result.message).toContain('items are still missing after 1 of 1 attempts');
    expect(story).toMatch(cell.sentence);
  });
});
