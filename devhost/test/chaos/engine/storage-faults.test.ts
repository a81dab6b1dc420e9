import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { type StorageProxy, startStorageProxy } from '../../../../test/support/storage-proxy.js';
import { openTablesBackend } from '../../../src/backend/tables-backend.js';
import { EngineInProcess } from '../../support/engine-in-process.js';
import { expected, raiseEvent, runs } from '../../support/everything.js';
import { newHub } from '../../support/host-process.js';
import { until } from '../../support/until.js';

/** How many hubs run at once, each with an orchestration that does everything an engine can. */
const HUBS = Number(process.env['CHAOS_HUBS'] ?? 8);

let proxy: StorageProxy;
beforeAll(async () => {
  proxy = await startStorageProxy(inject('storage'), 3);
  proxy.latestMs = 300;
});
afterAll(() => proxy.stop());

/** Asks again for as long as storage refuses, as a client does. */
const persistently = async <T>(ask: () => Promise<T>): Promise<T> => {
  let answer: { value: T } | undefined;
  await until(async () => {
    answer = await ask().then(
      (value) => ({ value }),
      () => undefined,
    );
    return answer !== undefined;
  });
  if (!answer) throw new Error('Nobody answered in time.');
  return answer.value;
};

it(
  'while one in ten requests to storage is dropped, delayed, doubled, cut short or refused, every instance ends right and tells its parent once',
  { timeout: 400_000 },
  async () => {
    const ports = { patienceSeconds: 10, partitionCount: 4, hiddenSeconds: 30, log: () => undefined };
    const engines = await Promise.all(
      Array.from({ length: HUBS }, async () => {
        return new EngineInProcess(await openTablesBackend(proxy.connectionString, newHub(), ports));
      }),
    );
    proxy.rate = 0.1;
    await Promise.all(
      engines.map(async (engine, index) => {
        const id = `faults-${index}`;
        // A start whose answer was lost may be refused the second time: the instance is there.
        await persistently(async () => {
          await engine.start('everything', { seen: [] }, id).catch(() => undefined);
          await engine.status(id);
        });
        // An event whose answer was lost may have ended the instance already.
        await persistently(async () => {
          if ((await engine.status(id)).runtimeStatus !== 'Completed') await raiseEvent(engine, id);
        });
        let output: unknown;
        await until(async () => {
          const status = await engine.status(id).catch(() => undefined);
          output = status?.output;
          return status?.runtimeStatus === 'Completed' || status?.runtimeStatus === 'Failed';
        });
        expect(output).toEqual(expected(id));
        for (const key of expected(id).slice(0, -1))
          expect(runs.get(String(key)), `runs of ${String(key)}`).toBeLessThanOrEqual(3);
      }),
    );
    proxy.rate = 0;
    expect(Object.keys(proxy.struck).length).toBeGreaterThan(5);
    await Promise.all(engines.map((engine) => engine.stop()));
  },
);
