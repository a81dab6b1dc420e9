import { expect, it } from 'vitest';
import { MemoryBackend } from '../../../src/backend/memory-backend.js';
import '../../support/app-in-process.js';
import { EngineInProcess } from '../../support/engine-in-process.js';
import { dyingBefore, losingAnswer } from '../../support/faulty-backend.js';
import { until } from '../../support/until.js';

const df = await import('durable-functions');

/** Dozens of orchestrations run at once. */
const PATIENCE = { timeout: 30_000 };

/** How often each activity ran, by its input. */
const runs = new Map<string, number>();

df.app.activity('work', {
  handler: (input: { key: string }) => {
    runs.set(input.key, (runs.get(input.key) ?? 0) + 1);
    return input.key;
  },
});
df.app.orchestration('child', function* (context) {
  const { key } = context.df.getInput<{ key: string }>();
  yield context.df.createTimer(context.df.currentUtcDateTime);
  return yield context.df.callActivity('work', { key });
});
/** Everything an engine can be doing when it dies: activities, children with and without ids, timers, events, executions. */
df.app.orchestration('everything', function* (context) {
  const { instanceId } = context.df;
  const { seen } = context.df.getInput<{ seen: string[] }>();
  const round = `${instanceId}-${seen.length}`;
  const results: unknown[] = yield context.df.Task.all([
    context.df.callActivity('work', { key: `${round}-a` }),
    context.df.callSubOrchestrator('child', { key: `${round}-b` }),
    context.df.callSubOrchestrator('child', { key: `${round}-c` }, `${round}-child`),
  ]);
  const all = [...seen, ...results.map(String)];
  if (seen.length === 0) return context.df.continueAsNew({ seen: all });
  const event: unknown = yield context.df.waitForExternalEvent('go');
  return [...all, event];
});

function expected(id: string): unknown[] {
  return [`${id}-0-a`, `${id}-0-b`, `${id}-0-c`, `${id}-3-a`, `${id}-3-b`, `${id}-3-c`, 'event'];
}

/** Sends the event when the second execution has begun: one that comes earlier is lost to ContinueAsNew, as in Azure. */
async function raiseEvent(engine: EngineInProcess, id: string): Promise<void> {
  await until(async () => ((await engine.status(id)).input as { seen: string[] }).seen.length > 0);
  await engine.raise(id, 'go', 'event');
}

/** Runs the orchestration on a backend that stays sound, and returns how many faults of this kind are possible. */
async function countFaults(faulty: typeof dyingBefore): Promise<number> {
  const { backend, count } = faulty(Number.POSITIVE_INFINITY, new MemoryBackend());
  const engine = new EngineInProcess(backend);
  const id = await engine.start('everything', { seen: [] });
  await raiseEvent(engine, id);
  expect((await engine.ends(id)).output).toEqual(expected(id));
  await engine.stop();
  expect(count()).toBeGreaterThan(10);
  return count();
}

/** Calls back at the same time with 1, 2, up to `count`. */
async function forEach(count: number, test: (nth: number) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, index) => test(index + 1)));
}

it(
  'a host that dies before any one of its writes leaves a hub with which the next host completes',
  PATIENCE,
  async () => {
    await forEach(await countFaults(dyingBefore), async (nth) => {
      const id = `dies-${nth}`;
      const storage = new MemoryBackend();
      const { backend, fault } = dyingBefore(nth, storage);
      const doomed = new EngineInProcess(backend);
      const acknowledged = { start: false, event: false };
      const life = async (): Promise<void> => {
        await doomed.start('everything', { seen: [] }, id);
        acknowledged.start = true;
        await raiseEvent(doomed, id);
        acknowledged.event = true;
        await doomed.ends(id);
      };
      await Promise.race([life(), fault]);

      const next = await new EngineInProcess(storage).recover();
      if (!acknowledged.start) await next.start('everything', { seen: [] }, id);
      if (!acknowledged.event) await raiseEvent(next, id);
      expect((await next.ends(id)).output, `after death before write ${nth}`).toEqual(expected(id));
      await next.stop();
      for (const key of expected(id).slice(0, -1))
        expect(runs.get(String(key)), `runs of ${String(key)}`).toBeLessThanOrEqual(2);
    });
  },
);

it('a checkpoint that storage takes while its answer is lost is neither repeated nor forgotten', PATIENCE, async () => {
  await forEach(await countFaults(losingAnswer), async (nth) => {
    const id = `lost-${nth}`;
    const { backend } = losingAnswer(nth, new MemoryBackend());
    const engine = new EngineInProcess(backend);
    await engine.start('everything', { seen: [] }, id);
    await raiseEvent(engine, id);
    expect((await engine.ends(id)).output, `after lost answer ${nth}`).toEqual(expected(id));
    await engine.stop();
  });
});
