import { describe, expect, it } from 'vitest';
import { MemoryBackend } from '../../../src/backend/memory-backend.js';
import { EngineInProcess } from '../../support/engine-in-process.js';
import { expected, raiseEvent, runs } from '../../support/everything.js';
import { treeOf } from '../../support/trace-tree.js';
import { until } from '../../support/until.js';
import { dyingBefore, failingStarts, listingBreaksOff, losingAnswer, refusing } from '../../support/faulty-backend.js';

const df = await import('durable-functions');

df.app.orchestration('holdsAnId', function* (context) {
  return yield context.df.waitForExternalEvent('go');
});
df.app.orchestration('callsTaken', function* (context) {
  try {
    return yield context.df.callSubOrchestrator('holdsAnId', null, 'taken');
  } catch (error) {
    return String(error);
  }
});

/** What the client of every orchestration is doing. */
const CALLER = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true, state: '' };

/** The trace of the orchestration: what was done twice is one span. */
const traceOf = (...engines: EngineInProcess[]) =>
  treeOf(
    engines.flatMap(({ spans }) => spans.filter(({ name }) => !name.startsWith('orchestration_event:'))),
    CALLER.spanId,
  );

/** Runs the orchestration on a backend that stays sound. Returns how many faults of this kind are possible, and its trace. */
async function soundRun(faulty: typeof dyingBefore): Promise<{ faults: number; trace: unknown[] }> {
  const { backend, count } = faulty(Number.POSITIVE_INFINITY, new MemoryBackend());
  const engine = new EngineInProcess(backend);
  engine.caller = CALLER;
  const id = await engine.start('everything', { seen: [] });
  await raiseEvent(engine, id);
  expect((await engine.ends(id)).output).toEqual(expected(id));
  await engine.stop();
  expect(count()).toBeGreaterThan(10);
  return { faults: count(), trace: traceOf(engine) };
}

/** Calls back at the same time with 1, 2, up to `count`. */
async function forEach(count: number, test: (nth: number) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, index) => test(index + 1)));
}

it('a host that dies before any one of its writes leaves a hub with which the next host completes', async () => {
  const { faults, trace } = await soundRun(dyingBefore);
  await forEach(faults, async (nth) => {
    const id = `dies-${nth}`;
    const storage = new MemoryBackend();
    const { backend, fault } = dyingBefore(nth, storage);
    const doomed = new EngineInProcess(backend);
    doomed.caller = CALLER;
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
    next.caller = CALLER;
    if (!acknowledged.start) await next.start('everything', { seen: [] }, id);
    if (!acknowledged.event) await raiseEvent(next, id);
    expect((await next.ends(id)).output, `after death before write ${nth}`).toEqual(expected(id));
    await next.stop();
    expect(traceOf(doomed, next), `trace after death before write ${nth}`).toEqual(trace);
    for (const key of expected(id).slice(0, -1))
      expect(runs.get(String(key)), `runs of ${String(key)}`).toBeLessThanOrEqual(2);
  });
});

it.each([
  ['that storage takes while its answer is lost is neither repeated nor forgotten', 'lost', losingAnswer],
  ['that storage refuses is made again, and no child is forgotten', 'refused', refusing],
])('a checkpoint %s', async (_, name, faulty) => {
  const { faults, trace } = await soundRun(faulty);
  await forEach(faults, async (nth) => {
    const id = `${name}-${nth}`;
    const { backend } = faulty(nth, new MemoryBackend());
    const engine = new EngineInProcess(backend);
    engine.caller = CALLER;
    await engine.start('everything', { seen: [] }, id);
    await raiseEvent(engine, id);
    expect((await engine.ends(id)).output, `after fault ${nth}`).toEqual(expected(id));
    expect(traceOf(engine), `trace after fault ${nth}`).toEqual(trace);
    await engine.stop();
  });
});

it('a host that dies before it has refused a sub-orchestration whose id is taken leaves it to the next host', async () => {
  const writes = await run(Number.POSITIVE_INFINITY, 'calls-taken');
  await forEach(writes, async (nth) => void (await run(nth, `calls-taken-${nth}`)));

  /** One instance runs as `taken`, another calls it as its child, and the host dies before its nth write. @returns how many writes it made. */
  async function run(nth: number, id: string): Promise<number> {
    const storage = new MemoryBackend();
    const { backend, fault, count } = dyingBefore(nth, storage);
    const doomed = new EngineInProcess(backend);
    const life = async (): Promise<void> => {
      await doomed.start('holdsAnId', null, 'taken');
      await doomed.reaches('taken', 'Running');
      await doomed.start('callsTaken', null, id);
      await doomed.ends(id);
    };
    await Promise.race([life(), fault]);
    const made = count();

    const next = await new EngineInProcess(storage).recover();
    const started = new Set(await next.list({}));
    if (!started.has('taken')) await next.start('holdsAnId', null, 'taken');
    await next.reaches('taken', 'Running');
    if (!started.has(id)) await next.start('callsTaken', null, id);
    const message = "An orchestration instance with the id 'taken' is already running.";
    expect((await next.ends(id)).output, `after death before write ${nth}`).toContain(message);
    expect((await next.status('taken')).runtimeStatus).toBe('Running');
    await next.stop();
    return made;
  }
});

describe('a start whose row storage', () => {
  const start = (engine: EngineInProcess, id: string) => engine.start('child', { key: id }, id);

  it('has taken although its answer was lost is acknowledged, and the instance runs', async () => {
    const engine = new EngineInProcess(failingStarts(new MemoryBackend(), { taken: true, unreadable: 0 }));
    await start(engine, 'taken');
    expect((await engine.ends('taken')).output).toBe('taken');
    await engine.stop();
  });

  it('has taken while nobody can see it is refused, and the instance runs as soon as storage can be read', async () => {
    const engine = new EngineInProcess(failingStarts(new MemoryBackend(), { taken: true, unreadable: 2 }));
    await expect(start(engine, 'unseen')).rejects.toThrow('lost');
    await expect(engine.status('unseen')).rejects.toThrow('away');
    expect((await engine.ends('unseen')).output).toBe('unseen');
    await engine.stop();
  });

  it('has not taken is refused, and nothing of it is there', async () => {
    const engine = new EngineInProcess(failingStarts(new MemoryBackend(), { taken: false, unreadable: 0 }));
    await expect(start(engine, 'refused')).rejects.toThrow('lost');
    await expect(engine.status('refused')).rejects.toThrow('There is no instance');
    await engine.stop();
  });
});

it('a host whose list of instances breaks off does not go on with some of them only', async () => {
  const storage = new MemoryBackend();
  const first = new EngineInProcess(storage);
  await first.start('everything', { seen: [] }, 'listed');
  await first.stop();
  await expect(new EngineInProcess(listingBreaksOff(storage)).recover()).rejects.toThrow('Storage is away.');
});

it('an instance that storage has lost is given up with a warning that names it', async () => {
  const storage = new MemoryBackend();
  const engine = new EngineInProcess(storage);
  await engine.start('everything', { seen: [] }, 'gone');
  await until(async () => ((await engine.status('gone')).input as { seen: string[] }).seen.length > 0);
  await storage.histories.clear('gone');
  await storage.instances.remove('gone');
  await engine.raise('gone', 'go').catch(() => undefined);
  await until(() => engine.warnings.some((text) => text.includes('gone (everything)')));
  expect(engine.warnings.at(-1)).toBe(
    'Instance gone (everything) is not in storage any more and does not go on: storage has lost it, or somebody else removed it.',
  );
  await engine.stop();
});
