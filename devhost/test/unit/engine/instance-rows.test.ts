import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { InstanceRow } from '../../../src/backend/backend.js';
import { MemoryBackend } from '../../../src/backend/memory-backend.js';
import { isTerminal } from '../../../src/protocol/history.js';
import { startMessage } from '../../support/client-messages.js';
import { EngineInProcess } from '../../support/engine-in-process.js';
import { until } from '../../support/until.js';
import '../../support/everything.js';

const df = await import('durable-functions');

df.app.orchestration('steps', function* (context) {
  for (let step = 0; step < context.df.getInput<number>(); step += 1)
    yield context.df.callActivity('work', { key: 'x' });
  context.df.setCustomStatus('waits');
  yield context.df.waitForExternalEvent('go');
  return 'done';
});

df.app.orchestration('twice', function* (context) {
  const round = context.df.getInput<number>();
  yield context.df.callActivity('work', { key: 'x' });
  return round === 1 ? context.df.continueAsNew(2) : round;
});

df.app.orchestration('waits', function* (context) {
  yield context.df.waitForExternalEvent('go');
});

/** A backend in memory, and the statuses that it was told to write for each instance. */
function watched(): { backend: MemoryBackend; written: string[] } {
  const backend = new MemoryBackend();
  const written: string[] = [];
  for (const method of ['put', 'update'] as const) {
    const write = backend.instances[method].bind(backend.instances);
    backend.instances[method] = async (row: InstanceRow) => {
      written.push(`${row.status} ${row.customStatus ?? '-'}`);
      await write(row);
    };
  }
  return { backend, written };
}

/** Has a backend wait with writing some rows until `letGo` is called. */
function holding(backend: MemoryBackend, method: 'put' | 'update', isHeld: (row: InstanceRow) => boolean): () => void {
  const write = backend.instances[method].bind(backend.instances);
  let letGo = (): void => undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  backend.instances[method] = async (row) => {
    if (isHeld(row)) await held;
    await write(row);
  };
  return letGo;
}

it('the row of an instance is not written for each of its turns, but at once for what clients wait for', async () => {
  const { backend, written } = watched();
  const engine = new EngineInProcess(backend);
  const id = await engine.start('steps', 40);
  await until(async () => (await engine.status(id)).customStatus === 'waits');
  await engine.raise(id, 'go');
  expect((await engine.ends(id)).output).toBe('done');
  expect(written.at(0)).toBe('Pending -');
  expect(written.slice(-2)).toEqual(['Running "waits"', 'Completed "waits"']);
  expect(written.length).toBeLessThan(10);
  await engine.stop();
});

it('a running instance shows what is stored of it, alone and in lists, whatever its row says', async () => {
  const { backend, written } = watched();
  const engine = new EngineInProcess(backend);
  const id = await engine.start('waits');
  await engine.reaches(id, 'Running');
  expect(written).toEqual(['Pending -']);
  expect(await engine.list({ statuses: ['Running'] })).toEqual([id]);
  await engine.stop();
});

it('an engine that stops leaves rows that tell the last turn', async () => {
  const { backend, written } = watched();
  const engine = new EngineInProcess(backend);
  await engine.reaches(await engine.start('waits'), 'Running');
  expect(written).toEqual(['Pending -']);
  await engine.stop();
  expect(written).toEqual(['Pending -', 'Running -']);
});

it('a row tells of an execution that ContinueAsNew has begun only when storage has its first turn', async () => {
  const backend = new MemoryBackend();
  const append = backend.histories.append.bind(backend.histories);
  let goOn = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    backend.histories.append = async (checkpoint) => {
      const { executionId } = await backend.histories.read(checkpoint.instanceId);
      if (executionId !== undefined && executionId !== checkpoint.executionId) {
        resolve();
        await new Promise<void>((release) => (goOn = release));
      }
      return await append(checkpoint);
    };
  });
  const engine = new EngineInProcess(backend);
  const id = await engine.start('twice', 1);
  await held;
  await engine.list({});
  expect((await backend.instances.get(id))?.input).toBe('1');
  goOn();
  expect(await engine.ends(id)).toMatchObject({ input: 2, output: 2 });
  expect((await backend.instances.get(id))?.input).toBe('2');
  await engine.stop();
});

it('who starts an instance that is being started is refused once it is there to be seen', async () => {
  const backend = new MemoryBackend();
  const engine = new EngineInProcess(backend);
  const letGo = holding(backend, 'put', () => true);
  const first = engine.start('waits', null, 'one');
  const second = engine.start('waits', null, 'one').then(
    () => 'started',
    async ({ status }: { status: number }) => [status, (await engine.status('one')).name],
  );
  // It would have been refused by then, and too early.
  await setImmediate();
  letGo();
  expect(await first).toBe('one');
  expect(await second).toEqual([409, 'waits']);
  await engine.stop();
});

describe('while the last row of an instance is being written', () => {
  const broken = new Set<string>();
  df.app.activity('breaks', {
    handler: (key: string) => {
      if (broken.has(key)) throw new Error(`${key} is broken`);
      return key;
    },
  });
  df.app.orchestration('tries', function* (context) {
    return yield context.df.callActivity('breaks', context.df.getInput());
  });
  df.app.orchestration('hands on', function* (context) {
    return yield context.df.callSubOrchestrator('tries', context.df.getInput(), 'one');
  });

  /** An instance that shows its end, and what lets its row be written. */
  async function ending(key: string): Promise<{ engine: EngineInProcess; backend: MemoryBackend; letGo: () => void }> {
    const backend = new MemoryBackend();
    const engine = new EngineInProcess(backend);
    const letGo = holding(backend, 'update', ({ instanceId, status }) => instanceId === 'one' && isTerminal(status));
    await engine.start('tries', key, 'one');
    await engine.ends('one');
    return { engine, backend, letGo };
  }

  it('it takes no more messages', async () => {
    const { engine, letGo } = await ending('fine');
    await expect(engine.raise('one', 'go')).rejects.toMatchObject({ status: 410 });
    letGo();
    await engine.stop();
  });

  it('it can be started anew, by the client or by a message', async () => {
    for (const again of ['client', 'message']) {
      const { engine, backend, letGo } = await ending('fine');
      if (again === 'message')
        backend.inbox.send(JSON.stringify(startMessage('tries', again, { instanceId: 'one', executionId: 'e2' })));
      const started = again === 'message' ? engine.takeMessages() : engine.start('tries', again, 'one');
      letGo();
      await started;
      expect((await engine.ends('one')).output).toBe(again);
      expect(engine.warnings).toEqual([]);
      await engine.stop();
    }
  });

  it('it can be made anew as a sub-orchestration', async () => {
    const { engine, letGo } = await ending('fine');
    const parent = await engine.start('hands on', 'again');
    await engine.reaches(parent, 'Running');
    // It would have been refused by then.
    await setImmediate();
    letGo();
    expect(await engine.ends(parent)).toMatchObject({ runtimeStatus: 'Completed', output: 'again' });
    await engine.stop();
  });

  it('it can be rewound', async () => {
    broken.add('weak');
    const { engine, letGo } = await ending('weak');
    broken.clear();
    const rewound = engine.rewind('one', 'mended');
    // It would have been done by then, and too early.
    await setImmediate();
    letGo();
    expect(await rewound).toBeUndefined();
    await until(async () => (await engine.status('one')).output === 'weak');
    await engine.stop();
  });
});
