import { expect, test } from 'vitest';
import { type Settled, settledMetadata, settledOf } from '../../../src/job-store/batches/settled.js';
import { batchAt, planBatches } from '../../../src/job/plan.js';
import { countProgress, type RunningCounts } from '../../../src/job/progress.js';
import { randomOf } from '../../support/chaos/faults.js';

const plan = planBatches(20, 5, 2);
const SEEDS = 60;
const STEPS = 120;

/** A batch as it really is, and what storage knows of it. */
interface Batch {
  number: number;
  count: number;
  attempt: number;
  phase: 'idle' | 'running' | 'ended' | 'settling' | 'over';
  present: number;
  failed: number;
  run: { skipped: number; done: number; failed: number; told: number };
  reports: Map<number, RunningCounts>;
  record: Settled | undefined;
}

const left = ({ count, present, failed, run }: Batch) => count - present - failed - run.failed;

function report(batch: Batch): void {
  const { number, attempt, run } = batch;
  batch.reports.set(attempt, { batch: number, attempt, done: run.done, skipped: run.skipped, failed: run.failed });
  run.told = run.failed;
}

function begin(batch: Batch): void {
  batch.run = { skipped: batch.present, done: 0, failed: 0, told: 0 };
  report(batch);
}

function record(batch: Batch, of: Pick<Settled, 'done' | 'failed' | 'state'> & Partial<Settled>): void {
  const { number, attempt } = batch;
  const usual = { message: '', observation: { state: 'lost' }, phases: [], unscored: [] } as const;
  batch.record = { ...usual, ...of, phases: [], unscored: [], batch: number, attempt };
}

/** What happens next to a batch, each as likely as the others. */
const steps: Record<Batch['phase'], ((batch: Batch, random: () => number) => void)[]> = {
  idle: [
    (batch) => {
      batch.attempt += 1;
      batch.phase = 'running';
      begin(batch);
    },
  ],
  running: [
    (batch) => {
      if (left(batch) === 0) return;
      batch.present += 1;
      batch.run.done += 1;
    },
    (batch, random) => {
      if (left(batch) > 0 && random() < 0.3) batch.run.failed += 1;
    },
    report,
    // Its scorer is killed: what it has not told of is not known.
    (batch) => {
      batch.run.failed = batch.run.told;
      batch.phase = 'ended';
    },
    (batch) => {
      report(batch);
      batch.phase = 'ended';
    },
    // Its platform starts the same container again.
    (batch) => {
      if (batch.run.failed === 0) begin(batch);
    },
  ],
  ended: [
    (batch) => {
      const before = batch.record ?? { done: 0, failed: 0, state: 'retrying' as const };
      record(batch, {
        ...before,
        state: 'retrying',
        settling: batch.record?.settling ?? { attempt: batch.attempt - 1, state: before.state },
      });
      batch.phase = 'settling';
    },
  ],
  settling: [
    // The host dies, and the activity runs again.
    (batch) => {
      batch.phase = 'ended';
    },
    (batch, random) => {
      batch.failed += batch.run.failed;
      batch.run.failed = 0;
      const isDone = left(batch) === 0;
      const isGivenUp = !isDone && random() < 0.2;
      const { present: done } = batch;
      const failed = isGivenUp ? batch.count - done : batch.failed;
      record(batch, { done, failed, state: isDone ? 'done' : isGivenUp ? 'failed' : 'retrying' });
      batch.phase = isDone || isGivenUp ? 'over' : 'idle';
    },
  ],
  over: [],
};

test('whatever is reported, killed, started again and settled, in whatever order, no number goes back', () => {
  for (let seed = 0; seed < SEEDS; seed += 1) {
    const random = randomOf(String(seed));
    const batches = Array.from({ length: plan.batches }, (_, number): Batch => {
      const run = { skipped: 0, done: 0, failed: 0, told: 0 };
      const { count = 0 } = batchAt(plan, number) ?? {};
      const begun = { number, count, attempt: 0, present: 0, failed: 0, run, record: undefined };
      return { ...begun, phase: 'idle', reports: new Map() };
    });
    let before = numbersOf(batches);
    for (let step = 0; step < STEPS; step += 1) {
      const batch = batches[Math.floor(random() * batches.length)];
      const possible = steps[batch?.phase ?? 'over'];
      if (batch) possible[Math.floor(random() * possible.length)]?.(batch, random);
      const now = numbersOf(batches);
      const fallen = Object.entries(now).filter(([name, value]) => value < (before[name] ?? 0));
      expect(fallen, `seed ${seed}, step ${step}, ${JSON.stringify(batch)}`).toEqual([]);
      before = now;
    }
    const really = batches.reduce((sum, { present }) => sum + present, 0);
    if (batches.every(({ phase }) => phase === 'over')) expect(before.done).toBe(really);
  }
});

/** What a status tells, of which nothing may fall. */
function numbersOf(batches: Batch[]): Record<string, number> {
  const settled = batches.flatMap(({ number, record: of }) => (of ? [settledOf(number, settledMetadata(of))] : []));
  const counts = countProgress(
    plan,
    settled,
    batches.flatMap(({ reports }) => [...reports.values()]),
  );
  const { done, failed } = counts.items;
  const { batches: each } = counts;
  return {
    done,
    failed,
    'batches done': each.done,
    'batches failed': each.failed,
    'batches begun': each.total - each.pending,
    attempts: settled.reduce((sum, { runs }) => sum + runs, 0),
  };
}
