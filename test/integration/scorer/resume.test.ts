import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import type { ModelCard } from '../../../src/model-card/schema.js';
import { createSharpCodec } from '../../../src/scorer/pictures/sharp-codec.js';
import { cardOf, ScorerJob, STARRY_NIGHT, startScorer } from '../../support/scorer/harness.js';
import { storedItems } from '../../support/stored-items.js';
import { paint } from '../../support/scorer/pictures.js';

const NAMES = Array.from({ length: 16 }, (_, index) => `${String(index).padStart(3, '0')}.png`);
let card: ModelCard;
let frame: Buffer;
beforeAll(async () => {
  card = await cardOf(STARRY_NIGHT);
  frame = await createSharpCodec().encode(paint(240, 160), 'png');
});

async function newJob(): Promise<ScorerJob> {
  const job = await ScorerJob.create(inject('storage'), { model: STARRY_NIGHT, card });
  await job.addInputs(Object.fromEntries(NAMES.map((name) => [name, frame])));
  return job;
}

async function untilOutputs(job: ScorerJob, count: number): Promise<void> {
  while ((await job.outputs()).size < count) await delay(20);
}

describe('a scorer that ends half-way', () => {
  it('killed: the next one scores what is missing and nothing else', async () => {
    const job = await newJob();
    const { child, finished } = startScorer(await job.nextAttempt(NAMES));
    await untilOutputs(job, 4);
    child.kill('SIGKILL');
    expect((await finished).signal).toBe('SIGKILL');
    const before = await job.outputs();
    expect(before.size).toBeLessThan(NAMES.length);
    const { result } = await job.score(NAMES);
    expect(result).toMatchObject({ outcome: 'completed', attempt: 2, failed: [] });
    // Storage may still have finished an upload that was under way when the process died.
    const skipped = result.skipped.map((name) => `${name}.png`);
    expect(skipped).toEqual(expect.arrayContaining([...before.keys()]));
    expect([...result.skipped, ...result.done].map((name) => `${name}.png`).toSorted()).toEqual(NAMES);
    const after = await job.outputs();
    expect([...after.keys()]).toEqual(NAMES);
    for (const [name, etag] of before) expect(after.get(name)).toBe(etag);
  });

  it('told to stop: records what it did, leaves the rest and ends well', async () => {
    const job = await newJob();
    const { child, finished } = startScorer(await job.nextAttempt(NAMES));
    await untilOutputs(job, 4);
    child.kill('SIGTERM');
    expect(await finished).toMatchObject({ code: 0, signal: null, stderr: '' });
    const result = await job.result();
    expect(result).toMatchObject({ outcome: 'interrupted', failed: [], skipped: [] });
    expect(result.done.map((name) => `${name}.png`).toSorted()).toEqual([...(await job.outputs()).keys()]);
    expect(result.done.length).toBeLessThan(NAMES.length);
    expect((await job.progress()).progress).toMatchObject({ phase: 'ended', done: result.done.length });
    expect(await job.log()).toContain('interrupted');
  });

  it('told to stop within a pack: stores what it did, and the next one scores the rest of the pack', async () => {
    const job = await newJob();
    job.pack = NAMES.length;
    const { child, finished } = startScorer(await job.nextAttempt(NAMES));
    const isScoring = async () => (await job.progress().catch(() => undefined))?.progress.times.firstItem !== undefined;
    while (!(await isScoring())) await delay(20);
    expect((await job.outputs()).size).toBe(0);
    child.kill('SIGTERM');
    expect((await finished).code).toBe(0);
    const { outcome, done } = await job.result();
    expect(outcome).toBe('interrupted');
    expect(done.length).toBeGreaterThan(0);
    const stored = async () => [...(await storedItems(job.work, 'scored/')).keys()].toSorted((a, b) => a - b);
    expect(await stored()).toEqual(done.map(Number).toSorted((a, b) => a - b));
    const { result } = await job.score(NAMES);
    expect(result.skipped.toSorted()).toEqual(done.toSorted());
    expect(await stored()).toEqual(NAMES.map((_, index) => index));
  });

  it('run again by its platform: adds to the log of the first run, and to what the app has put there', async () => {
    const job = await newJob();
    const again = await job.nextAttempt([]);
    await job.finish(again);
    const first = await job.log();
    const blob = job.job.getBlockBlobClient(`log-${job.attempt}.jsonl`);
    const { finished } = await job.finish(again);
    expect(await job.log()).toBe(first + finished.stdout);
    await blob.upload(first, first.length, { metadata: { whole: 'true' } });
    const third = await job.finish(again);
    expect(await job.log()).toBe(first + third.finished.stdout);
    expect((await blob.getProperties()).metadata).toEqual({ whole: 'true' });
  });

  it('told to stop before it began: ends at once', async () => {
    const job = await newJob();
    const { child, finished } = startScorer(await job.nextAttempt(NAMES));
    child.stdout?.once('data', () => child.kill('SIGTERM'));
    expect((await finished).code).toBe(0);
    expect(await job.result()).toMatchObject({ outcome: 'interrupted' });
  });

  it('writes progress while it runs', async () => {
    const job = await newJob();
    const { child } = startScorer(await job.nextAttempt(NAMES));
    const phases = new Set<string>();
    const look = async () => void phases.add((await job.progress()).progress.phase);
    while (child.exitCode === null) {
      await look().catch(() => undefined);
      await delay(100);
    }
    await look();
    expect([...phases]).toEqual(['starting', 'scoring', 'ended']);
  });
});
