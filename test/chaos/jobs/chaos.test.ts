import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Fault } from '../../../azure-emulator/src/faults.js';
import { parseSpec } from '../../../src/job/spec.js';
import { jobOf, MANIFEST } from '../../../src/job-store/layout.js';
import { cancelJob } from '../../../src/job-store/stop.js';
import { readBytes, readJson } from '../../../src/storage/storage.js';
import { crashAfter, CRASHED } from '../../support/crash.js';
import { type Deliver, type Lives, runJob } from '../../support/in-process.js';
import { FATAL, faultOf, type Kind, pick, randomOf } from '../../support/chaos/faults.js';
import { checkManifest } from '../../support/manifest.js';
import { containersOf, FRAMES, MODEL, scoredFrames, useWorld, VIDEO } from '../../support/chaos/world.js';

/** `CHAOS_ROUNDS=1000` runs so many seeds, `CHAOS_FIRST=1001` others, and `CHAOS_SEEDS=17,23` those only. */
const rounds = Number(process.env.CHAOS_ROUNDS ?? 10);
const first = Number(process.env.CHAOS_FIRST ?? 1);
const seeds = process.env.CHAOS_SEEDS?.split(',').map(Number) ?? Array.from({ length: rounds }, (_, k) => first + k);

/** A busy machine takes its time. */
const world = useWorld();

/** All that befalls a run, as its seed decides. */
interface Run {
  kind: Kind;
  faults: Fault[];
  /** What the job then ends with; a part of its sentence. */
  fatal: string | undefined;
  /** Milliseconds after which it is cancelled. */
  cancelAfter: number | undefined;
  batchSize: number;
  maxParallel: number;
}

function planOf(seed: number): Run {
  const random = randomOf(`run ${seed}`);
  const kind = pick(random, ['aci', 'container-apps'] as const);
  const faults = Array.from({ length: 1 + Math.floor(random() * 3) }, () => faultOf(random, kind));
  const doom = random() < 0.08 ? pick(random, FATAL[kind]) : undefined;
  return {
    kind,
    faults: doom ? [doom.fault, ...faults] : faults,
    fatal: doom?.sentence,
    cancelAfter: random() < 0.06 ? random() * 3000 : undefined,
    batchSize: pick(random, [FRAMES / 2, FRAMES, FRAMES]),
    maxParallel: pick(random, [1, 2]),
  };
}

const has = ({ faults }: Run, part: string) => JSON.stringify(faults).includes(part);

/** Limits are short only where something has to run into them: other programs may keep this machine busy. */
const specOf = (run: Run) =>
  parseSpec(
    JSON.stringify({
      input: { video: VIDEO },
      model: MODEL,
      output: { keepFrames: true },
      compute: { kind: run.kind },
      batch: { size: run.batchSize, maxParallel: run.maxParallel },
      retry: { maxAttempts: 5, firstDelaySeconds: 0 },
      timeouts: {
        provisionSeconds: has(run, 'never-starts') || has(run, 'hang') ? 12 : 50,
        stallSeconds: has(run, 'hang') ? 12 : 50,
      },
    }),
  );

/** How often a host dies during an activity; less often with a launch, whose lease then has to run out for 30 seconds. */
const DEATH = 0.25;
let deaths = 0;

/** Delivers each activity on a host that may die in the middle of it; then the next host gets the same input. */
function unreliably(seed: number): Deliver {
  const newHost = () => world.newHost(`region${seed}`);
  let host = newHost();
  let deathsLeft = 3;
  return async (name, input) => {
    const random = randomOf(`crash ${seed} ${name} ${JSON.stringify({ ...input, launchedAt: 0 })}`);
    while (deathsLeft > 0 && random() < (name === 'launchBatch' ? DEATH / 2 : DEATH)) {
      deathsLeft -= 1;
      const dying = newHost();
      const outcome = await crashAfter(1 + Math.floor(random() * 4), () => dying(name, input));
      host = newHost();
      if (outcome === CRASHED) deaths += 1;
      // A host that outlived its work may still die before it has told the result.
      if (outcome !== CRASHED && random() < 0.5) return outcome;
      // Where only the worker died, its host fails what ran in it.
      if (random() < 0.3) throw new Error(`Activity function '${name}' failed: node exited with code 137 (0x89) \n {}`);
    }
    return host(name, input);
  };
}

/** The host fails two of the sub-orchestrations of every other job, in the middle of their work. */
function livesOf(seed: number): Lives {
  const random = randomOf(`lives ${seed}`);
  let failuresLeft = seed % 2 === 0 ? 2 : 0;
  return () => {
    if (failuresLeft === 0 || random() < 0.5) return undefined;
    failuresLeft -= 1;
    return Math.floor(random() * 8);
  };
}

async function runSeed(seed: number): Promise<{ run: Run; jobId: string; outcome: string; message: string }> {
  const run = planOf(seed);
  const jobId = `chaos-${seed}-${Date.now().toString(36)}`;
  for (const fault of run.faults) world.emulator.faults.add({ ...fault, of: jobId });
  const job = runJob({ jobId, spec: specOf(run) }, unreliably(seed), livesOf(seed)).catch(() => undefined);
  if (run.cancelAfter !== undefined) {
    await pause(run.cancelAfter);
    await cancelJob(world.storage, jobId, 'The job was cancelled.');
  }
  await job;
  const manifest = await readJson<{ outcome: string; message: string }>(jobOf(world.storage, jobId), MANIFEST);
  return { run, jobId, outcome: manifest?.outcome ?? 'none', message: manifest?.message ?? '' };
}

let reference: Map<number, string>;
beforeAll(async () => {
  const run: Run = { ...planOf(0), kind: 'aci', faults: [] };
  const jobId = `chaos-reference-${Date.now().toString(36)}`;
  await runJob({ jobId, spec: specOf(run) }, world.newHost('reference'));
  reference = await scoredFrames(jobId);
  expect(reference.size).toBe(FRAMES);
});

afterAll(() => console.log(`${seeds.length} jobs, during which ${deaths} hosts died in the middle of an activity.`));

describe.concurrent('whatever befalls Azure and the hosts, a job ends right and leaves nothing behind', () => {
  test.each(seeds)('seed %i', async (seed) => {
    const { run, jobId, outcome, message } = await runSeed(seed);
    const { left, created, replaced } = containersOf(world.emulator, jobId);
    const told = `seed ${seed}: ${JSON.stringify(run)} ended as ${outcome}: ${message}`;
    const expected = run.fatal === undefined ? ['done'] : ['failed'];
    if (run.cancelAfter !== undefined) expected.push('cancelled');
    expect(expected, told).toContain(outcome);
    if (outcome === 'failed') expect(message, told).toContain(run.fatal);
    if (outcome === 'done') expect(await scoredFrames(jobId), told).toEqual(reference);
    expect(left, told).toEqual([]);
    expect(replaced, told).toEqual([]);
    // Only the service itself starts one twice; one that it lost is made again.
    if (!has(run, 'twice') && !has(run, 'lose')) expect(new Set(created).size, told).toBe(created.length);
  });
});

/** Runs a job of two batches that may turn to another compute after a second without room. */
async function runWithFallback(
  name: string,
  { compute, faults, lives }: { compute: object; faults: Fault[]; lives?: Lives },
): Promise<{ jobId: string; message: string; ranOn: string[] }> {
  const jobId = `chaos-${name}-${Date.now().toString(36)}`;
  for (const fault of faults) world.emulator.faults.add({ times: ALWAYS, ...fault });
  const spec = parseSpec(
    JSON.stringify({
      input: { video: VIDEO },
      model: MODEL,
      output: { keepFrames: true },
      compute: { kind: 'aci', region: `${name}west`, fallbackAfterSeconds: 1, ...compute },
      batch: { size: FRAMES / 2, maxParallel: 2 },
      retry: { maxAttempts: 1, firstDelaySeconds: 0 },
    }),
  );
  await runJob({ jobId, spec }, world.newHost(`${name}west,${name}north`), lives).catch(() => undefined);
  const manifest = checkManifest((await readBytes(jobOf(world.storage, jobId), MANIFEST)) ?? '');
  const runs = manifest.batches.flatMap(({ attempts }) => attempts.slice(-1));
  const { left, created, replaced } = containersOf(world.emulator, jobId);
  expect({ left, replaced }).toEqual({ left: [], replaced: [] });
  expect(new Set(created).size).toBe(created.length);
  return {
    jobId,
    message: manifest.message,
    ranOn: runs.map(({ compute: kind, place }) => `${kind} in ${place?.region}`),
  };
}

const ALWAYS = 1_000_000;
const FULL = { on: 'PUT', status: 409, code: 'ServiceUnavailable', message: 'not available in the location' } as const;

describe.concurrent('a job with a fallback leaves nothing behind and', () => {
  test('runs in the second region when the first has no room, although its orchestrations die meanwhile', async () => {
    let lived = 0;
    const { jobId, ranOn } = await runWithFallback('dies', {
      compute: { fallback: [{ region: 'diesnorth' }] },
      faults: [{ ...FULL, of: 'dieswest' }],
      lives: (name) => (name === 'scoreBatch' && (lived += 1) <= 3 ? 2 + 2 * lived : undefined),
    });
    expect(await scoredFrames(jobId)).toEqual(reference);
    expect(ranOn).toEqual(['aci in diesnorth', 'aci in diesnorth']);
  });

  test('runs on another compute when a region takes its containers and then has no room for them', async () => {
    const { jobId, ranOn } = await runWithFallback('takes', {
      compute: { fallback: [{ kind: 'container-apps' }] },
      faults: [{ on: 'GROUP', fate: 'no-capacity', of: 'takeswest' }],
    });
    expect(await scoredFrames(jobId)).toEqual(reference);
    expect(ranOn).toEqual(['container-apps in emulated', 'container-apps in emulated']);
  });

  test('fails with the sentence of the second region when that takes no container of it', async () => {
    const { message } = await runWithFallback('image', {
      compute: { fallback: [{ region: 'imagenorth' }] },
      faults: [
        { ...FULL, of: 'imagewest' },
        { on: 'PUT', status: 400, code: 'InaccessibleImage', of: 'imagenorth' },
      ],
    });
    expect(message).toContain('correct ACI_IMAGE');
  });
});
