import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { completeCard } from '../../../src/model-card/complete-card.js';
import { createSharpCodec } from '../../../src/scorer/pictures/sharp-codec.js';
import { until } from '../../support/wait.js';
import { ScorerJob, startProgram } from '../../support/scorer/harness.js';
import { paint } from '../../support/scorer/pictures.js';
import { tinyModel } from '../../support/scorer/tiny-model.js';

const codec = createSharpCodec();
const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** Frames that take long enough to store that a kill meets one. */
const NAMES = Array.from({ length: 120 }, (_, index) => `${String(index).padStart(3, '0')}.png`);
/** `EVICTION_KILLS=100` kills so often. */
const KILLS = Number(process.env.EVICTION_KILLS ?? 6);

/** The program that runs in containers. */
const SCORER = 'scorer/bundle/main.js';
const SLOW_MACHINE_MS = 300_000;

async function newJob(model: { operator: string; attributes?: Record<string, number[]> }): Promise<ScorerJob> {
  const shape = ['b', 3, 'h', 'w'];
  const tensor = (name: string) => ({ name, type: 'float32', shape });
  const card = completeCard({}, { inputs: [tensor('x')], outputs: [tensor('y')] });
  return ScorerJob.create(inject('storage'), { model: tinyModel({ ...model, shape }), card });
}

async function tinyJob(): Promise<ScorerJob> {
  const job = await newJob({ operator: 'Identity' });
  await job.addInputs(frames);
  return job;
}

/** The same numbers from 0 to 1 in every run. */
function randomNumbers(): () => number {
  let state = 20_261_123;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

let frames: Record<string, Buffer>;
beforeAll(async () => {
  const encoded = NAMES.map(async (name, index) => [name, await codec.encode(paint(96, 64, index), 'png')] as const);
  frames = Object.fromEntries(await Promise.all(encoded));
});

/** Kills one scorer after the other, each at a random moment after it has read its task. */
async function killAgainAndAgain(job: ScorerJob, kills: number, random: () => number): Promise<number> {
  let met = 0;
  for (let kill = 0; kill < kills; kill += 1) {
    const { child, finished } = startProgram(SCORER, [], await job.nextAttempt(NAMES));
    const said = new Promise((resolve) => child.stdout?.once('data', resolve));
    await Promise.race([said, finished]);
    await delay(Math.floor(random() * 400));
    child.kill('SIGKILL');
    if ((await finished).signal === 'SIGKILL') met += 1;
  }
  return met;
}

describe('a scorer that is killed again and again', () => {
  it(
    `${KILLS} times at random: every output is there and the same as without`,
    async () => {
      const random = randomNumbers();
      const jobs = [await tinyJob(), await tinyJob()];
      const met = await Promise.all(jobs.map((job) => killAgainAndAgain(job, KILLS / jobs.length, random)));
      expect(met[0]).toBeGreaterThan(0);
      const undisturbed = await tinyJob();
      const expected = await finish(undisturbed);
      expect(expected.size).toBe(NAMES.length);
      for (const job of jobs) expect(await finish(job)).toEqual(expected);
    },
    SLOW_MACHINE_MS,
  );
});

/** Scores what is missing and gives the hash of every output. */
async function finish(job: ScorerJob): Promise<Map<string, string>> {
  const { finished } = startProgram(SCORER, [], await job.nextAttempt(NAMES));
  await finished;
  expect(await job.result()).toMatchObject({ outcome: 'completed', failed: [] });
  const hashes = NAMES.map(async (name) => [name, sha(await job.output(name))] as const);
  return new Map(await Promise.all(hashes));
}

describe('a scorer that is told to stop while an inference hangs', () => {
  it(
    'records its result and log and is gone before the inference ends',
    async () => {
      const job = await newJob({
        operator: 'AveragePool',
        attributes: { kernel_shape: [301, 301], pads: [150, 150, 150, 150] },
      });
      await job.addInputs({ 'a.png': await codec.encode(paint(600, 450), 'png') });
      const { child, finished } = startProgram(SCORER, [], await job.nextAttempt(['a.png'], { SCORER_THREADS: '1' }));
      await until('the inference', () => (processorSeconds(child.pid) > 2 ? true : undefined));
      child.kill('SIGTERM');
      const { code, signal } = await finished;
      // Node before 22.15 cannot end well while an inference runs.
      expect(code === 0 || signal === 'SIGKILL').toBe(true);
      expect(await job.result()).toMatchObject({ outcome: 'interrupted', done: [], failed: [] });
      expect(await job.log()).toContain('interrupted');
      expect(await job.outputs()).toEqual(new Map());
    },
    SLOW_MACHINE_MS,
  );
});

/** What a process has taken of the processor (Linux: in hundredths of a second). */
function processorSeconds(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}
