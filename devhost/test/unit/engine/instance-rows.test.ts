import { expect, it } from 'vitest';
import type { InstanceRow } from '../../../src/backend/backend.js';
import { MemoryBackend } from '../../../src/backend/memory-backend.js';
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
