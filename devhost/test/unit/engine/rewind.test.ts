import { describe, expect, it } from 'vitest';
import type { Backend } from '../../../src/backend/backend.js';
import { MemoryBackend } from '../../../src/backend/memory-backend.js';
import '../../support/app-in-process.js';
import { EngineInProcess } from '../../support/engine-in-process.js';
import { dyingBefore } from '../../support/faulty-backend.js';
import { until } from '../../support/until.js';

const df = await import('durable-functions');

/** What fails for now, and how often everything ran. */
const broken = new Set<string>();
const runs: string[] = [];

df.app.activity('rewindable', {
  handler: (key: string) => {
    runs.push(key);
    if (broken.has(key)) throw new Error(`${key} is broken`);
    return key;
  },
});
df.app.orchestration('line', function* (context) {
  const results: unknown[] = [];
  for (const key of context.df.getInput<string[]>()) results.push(yield context.df.callActivity('rewindable', key));
  return results;
});
df.app.orchestration('fan', function* (context) {
  const keys = context.df.getInput<string[]>();
  return yield context.df.Task.all(keys.map((key) => context.df.callActivity('rewindable', key)));
});
df.app.orchestration('tree', function* (context) {
  const { lines, ids } = context.df.getInput<{ lines: string[][]; ids?: string[] }>();
  return yield context.df.Task.all(
    lines.map((line, index) => context.df.callSubOrchestrator('line', line, ids?.[index])),
  );
});
df.app.orchestration('root', function* (context) {
  return yield context.df.callSubOrchestrator('tree', context.df.getInput());
});
df.app.orchestration('rash', function* (context) {
  const key: string = yield context.df.callActivity('rewindable', context.df.getInput());
  throw new Error(`thrown after ${key}`);
});
df.app.orchestration('forgiving', function* (context) {
  try {
    yield context.df.callActivity('rewindable', 'caught');
  } catch {
    yield context.df.callActivity('rewindable', 'instead');
  }
  yield context.df.callActivity('rewindable', 'fatal');
});
df.app.orchestration('patient', function* (context) {
  return yield context.df.callSubOrchestrator('waiting', null, 'terminated-child');
});
df.app.orchestration('waiting', function* (context) {
  return yield context.df.waitForExternalEvent('go');
});

/** Runs an orchestration that fails because these keys are broken, then mends them. */
async function failing(engine: EngineInProcess, name: string, input: unknown, keys: string[]): Promise<string> {
  for (const key of keys) broken.add(key);
  const id = await engine.start(name, input);
  expect((await engine.ends(id)).runtimeStatus).toBe('Failed');
  for (const key of keys) broken.delete(key);
  return id;
}
const runsOf = (key: string) => runs.filter((each) => each === key).length;

describe('a failed instance that is rewound', () => {
  const engine = new EngineInProcess();
  const isThere = async (id: string) =>
    await until(
      async () =>
        await engine.status(id).then(
          () => true,
          () => false,
        ),
    );

  it('runs the activity that failed again and goes on from there, without what succeeded before', async () => {
    const id = await failing(engine, 'line', ['l1', 'l2', 'l3'], ['l2']);
    expect(await engine.rewind(id, 'mended')).toBeUndefined();
    expect(await engine.ends(id)).toMatchObject({ runtimeStatus: 'Completed', output: ['l1', 'l2', 'l3'] });
    expect(['l1', 'l2', 'l3'].map(runsOf)).toEqual([1, 2, 1]);
  });

  it('runs all activities again that failed side by side, and none of the others', async () => {
    const id = await failing(engine, 'fan', ['f1', 'f2', 'f3'], ['f1', 'f3']);
    await engine.rewind(id, 'mended');
    expect((await engine.ends(id)).output).toEqual(['f1', 'f2', 'f3']);
    expect(['f1', 'f2', 'f3'].map(runsOf)).toEqual([2, 1, 2]);
  });

  it('rewinds the sub-orchestrations that failed, to any depth, with ids of their own or not', async () => {
    const input = { lines: [['t1'], ['t2', 't3'], ['t4']], ids: ['', 'named-line', ''] };
    const id = await failing(engine, 'root', input, ['t1', 't3']);
    await engine.rewind(id, 'mended');
    expect((await engine.ends(id)).output).toEqual([['t1'], ['t2', 't3'], ['t4']]);
    expect(['t1', 't2', 't3', 't4'].map(runsOf)).toEqual([2, 1, 2, 1]);
  });

  it('can be rewound again when it fails again', async () => {
    const id = await failing(engine, 'line', ['again'], ['again']);
    for (const key of ['again', '']) {
      broken.add(key);
      await engine.rewind(id, 'once more');
      await engine.ends(id);
      broken.clear();
    }
    expect(await engine.status(id)).toMatchObject({ runtimeStatus: 'Completed', output: ['again'] });
    expect(runsOf('again')).toBe(3);
  });

  it('fails once more where the orchestrator itself threw', async () => {
    const id = await failing(engine, 'rash', 'r1', []);
    await engine.rewind(id, 'in vain');
    expect(await engine.ends(id)).toMatchObject({
      runtimeStatus: 'Failed',
      output: expect.stringContaining('thrown after r1') as string,
    });
    expect(runsOf('r1')).toBe(1);
  });

  it('fails its replay, as in Azure, where the orchestrator did something about a failure', async () => {
    const id = await failing(engine, 'forgiving', null, ['caught', 'fatal']);
    await engine.rewind(id, 'in vain');
    expect(await engine.ends(id)).toMatchObject({
      runtimeStatus: 'Failed',
      output: expect.stringContaining('Non-deterministic') as string,
    });
  });

  it('makes a sub-orchestration anew that was terminated', async () => {
    const id = await engine.start('patient');
    await isThere('terminated-child');
    await engine.terminate('terminated-child', 'by mistake');
    expect((await engine.ends(id)).runtimeStatus).toBe('Failed');
    await engine.rewind(id, 'mended');
    await engine.reaches('terminated-child', 'Running');
    await engine.raise('terminated-child', 'go', 'at last');
    expect((await engine.ends(id)).output).toBe('at last');
  });

  it('shows no failure while it runs again', async () => {
    const id = await failing(engine, 'line', ['s1'], ['s1']);
    await engine.rewind(id, 'mended');
    const { runtimeStatus, output } = await engine.status(id);
    expect(runtimeStatus).not.toBe('Failed');
    expect(JSON.stringify(output)).not.toContain('broken');
    await engine.ends(id);
  });
});

it('only a failed instance can be rewound', async () => {
  const engine = new EngineInProcess();
  const id = await engine.start('line', ['whole']);
  await engine.ends(id);
  expect(await engine.rewind(id, '')).toMatchObject({
    status: 412,
    message: expect.stringContaining('Completed') as string,
  });
  expect(await engine.rewind('nobody', '')).toMatchObject({ status: 404 });
});

it('a rewind that a crash cut short at any write can be repeated, and is never half done for ever', async () => {
  const lives = async (nth: number) => {
    const storage: Backend = new MemoryBackend();
    const input = { lines: [[`c${nth}`], [`d${nth}`]] };
    const id = await failing(new EngineInProcess(storage), 'root', input, [`c${nth}`]);
    const { backend, fault, count } = dyingBefore(nth, storage);
    const done = new EngineInProcess(backend).rewind(id, 'mended');
    await Promise.race([done, fault]);
    const next = await new EngineInProcess(storage).recover();
    if ((await next.status(id)).runtimeStatus === 'Failed') await next.rewind(id, 'once more');
    expect((await next.ends(id)).output, `after death before write ${nth}`).toEqual(
      [[[`c${nth}`], [`d${nth}`]]].flat(),
    );
    await next.stop();
    return count();
  };
  const writes = await lives(Number.MAX_SAFE_INTEGER);
  expect(writes).toBeGreaterThan(5);
  await Promise.all([1, 2, 3, 4, 5, 6].map(lives));
});
