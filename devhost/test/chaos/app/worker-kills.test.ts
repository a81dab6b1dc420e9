import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { pick, randomOf } from '../../../../test/support/chaos/faults.js';
import { type StorageProxy, startStorageProxy } from '../../../../test/support/storage-proxy.js';
import { MarkedHost } from '../../support/marked-host.js';
import { until } from '../../support/until.js';

/** `CHAOS_ROUNDS=50` runs so many rounds, `CHAOS_FIRST=7` begins with another one. */
const ROUNDS = Number(process.env['CHAOS_ROUNDS'] ?? 2);
const FIRST = Number(process.env['CHAOS_FIRST'] ?? 1);
const FAULT_RATE = 0.03;
const KILLS = 2;

let proxy: StorageProxy;
let host: MarkedHost;
beforeAll(async () => {
  proxy = await startStorageProxy(inject('storage'), 5);
  proxy.latestMs = 200;
  const env = { AzureWebJobsStorage: proxy.connectionString };
  host = await new MarkedHost('crashing', ['--storage-patience', '30'], env).start();
  proxy.rate = FAULT_RATE;
});
afterAll(async () => {
  proxy.rate = 0;
  await host.dispose();
  await proxy.stop();
});

/** Asks again for as long as nobody answers. */
async function persistently<T>(ask: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + 30_000; ;) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const workerId = async () =>
  await persistently(async () => (await (await fetch(`${host.url}/api/pid`)).json()) as number);

const killed = {
  worker: async (pid: number) => {
    process.kill(pid, 'SIGKILL');
    await Promise.resolve();
  },
  host: async () => {
    proxy.rate = 0;
    await host.killAndRestart();
    proxy.rate = FAULT_RATE;
  },
};

it.each(Array.from({ length: ROUNDS }, (_, index) => FIRST + index))(
  'round %i: whatever is killed, and when, every orchestration ends as if nothing had been, and nothing that was acknowledged is lost',
  { timeout: 400_000 },
  async (round) => {
    const random = randomOf(`worker ${round}`);
    const victim = round % 2 === 0 ? 'host' : 'worker';
    const inputs = (kind: string, count: number) =>
      Array.from({ length: count }, (_, k) => ({ text: `${kind}-${round}-${k}.`, ms: Math.floor(random() * 300) }));
    const programs = { family: inputs('family', 5), stubborn: inputs('stubborn', 3), slowTurns: inputs('slow', 3) };
    const points = {
      'an activity has begun': () => host.marks(`family-${round}`).length > 0,
      'an activity is done': () => host.marks().includes(`stubborn-${round}-0. done`),
      'a turn is under way': () => host.marks(`turn of slowTurns-${round}`).length > 0,
      'they are started': () => true,
    };
    let pid = await workerId();
    const ids = Object.entries(programs).map(async ([name, input]) => {
      const id = `${name}-${round}`;
      await persistently(async () => {
        if ((await host.client.call('GET', `instances/${id}`)).status === 404) await host.client.start(name, input, id);
      });
    });
    await Promise.all(ids);
    for (let kill = 0; kill < KILLS; kill += 1) {
      if (random() < 0.5) await until(pick(random, Object.values(points)));
      else await new Promise((resolve) => setTimeout(resolve, random() * 500));
      await killed[victim](pid);
      if (kill + 1 < KILLS) pid = await workerId();
    }
    for (const [name, input] of Object.entries(programs)) {
      const id = `${name}-${round}`;
      const status = await persistently(async () => await host.client.ends(id));
      expect([id, status.runtimeStatus, [status.output].flat(2)]).toEqual([
        id,
        'Completed',
        input.map(({ text }) => text),
      ]);
      for (const { text } of input) expect(host.marks()).toContain(`${text} done`);
    }
  },
);
