import { randomUUID } from 'node:crypto';
import { describe, expect, inject, test } from 'vitest';
import { CreateBudget, createOwnLedgers, readReport } from '../../../src/compute/aci/create-budget.js';
import { createAciCompute } from '../../../src/compute/aci/provider.js';
import { createBlobLedgers } from '../../../src/compute/aci/blob-ledgers.js';
import { openAzurite } from '../../support/storage.js';
import { aciSettings, FOREVER, launchOf, useEmulator } from '../../support/aci.js';

const MINUTE = 60_000;
const connection = inject('storage');
const open = () => openAzurite(connection);

/** Creates that get through when so many are asked for. */
async function granted(budgets: CreateBudget[], asked: number): Promise<number> {
  const takes = Array.from({ length: asked }).flatMap(
    (_, index) => budgets[index % budgets.length]?.take('westeurope') ?? [],
  );
  return (await Promise.allSettled(takes)).filter(({ status }) => status === 'fulfilled').length;
}

describe('the creates of a region', () => {
  test('stay under 100 in 5 minutes and 300 an hour, whatever is asked for', async () => {
    let now = 0;
    const budget = new CreateBudget(createOwnLedgers(), 's', () => now);
    const perRound: number[] = [];
    for (let round = 0; round < 12; round += 1) {
      perRound.push(await granted([budget], 120));
      now += 5 * MINUTE;
    }
    expect(perRound.slice(0, 4)).toEqual([90, 90, 90, 10]);
    expect(perRound.slice(4)).toEqual(Array.from({ length: 8 }, () => 0));
    expect(await granted([budget], 120)).toBe(90);
  });

  test('that are used up are refused with the time after which there is one again', async () => {
    let now = 0;
    const budget = new CreateBudget(createOwnLedgers(), 's', () => now);
    await granted([budget], 45);
    now = 2 * MINUTE;
    await granted([budget], 45);
    await expect(budget.take('westeurope')).rejects.toMatchObject({
      kind: 'platform',
      message:
        'The 90 container groups that the app creates in westeurope per 5 minutes at most are used up; the batch waits 180 seconds.',
      retryAfterSeconds: 180,
    });
    await expect(budget.take('northeurope')).resolves.toBeDefined();
    now += 180_000;
    expect(await granted([budget], 90)).toBe(45);
  });

  test('are shared by all instances of the app', async () => {
    const subscription = randomUUID();
    const creates = Array.from({ length: 80 }, () => Date.now());
    await createBlobLedgers(open()).update(`${subscription}-westeurope`, (ledger) => ({ ...ledger, creates }));
    const instances = Array.from({ length: 4 }, () => new CreateBudget(createBlobLedgers(open()), subscription));
    expect(await granted(instances, 24)).toBe(10);
  });
});

describe('what Azure says is left', () => {
  const headers = (values: Record<string, string>) => ({ get: (name: string) => values[name] });
  const left = (count: number) =>
    readReport(201, headers({ 'x-ms-ratelimit-remaining-subscription-resource-requests-pt5m': String(count) }));

  test('counts when others in the subscription create too, and some are left to them', async () => {
    let now = 0;
    const budget = new CreateBudget(createOwnLedgers(), 's', () => now);
    await budget.note('westeurope', await budget.take('westeurope'), left(8));
    now = MINUTE;
    expect(await granted([budget], 20)).toBe(3);
    await expect(budget.take('westeurope')).rejects.toMatchObject({ retryAfterSeconds: 240 });
    now = 5 * MINUTE + 1;
    expect(await granted([budget], 20)).toBe(20);
  });

  test('changes nothing when it is what the app reckons itself', async () => {
    const store = createOwnLedgers();
    const budget = new CreateBudget(store, 's', () => 0);
    const taken = await budget.take('westeurope');
    await budget.note('westeurope', taken, left(99));
    expect(await store.update('s-westeurope', (ledger) => ledger)).toBe(taken);
  });

  test('stops every instance when it throttles one', async () => {
    const subscription = randomUUID();
    const [one, other] = [0, 1].map(() => new CreateBudget(createBlobLedgers(open()), subscription));
    await one?.note('westeurope', await one.take('westeurope'), readReport(429, headers({ 'retry-after': '17' })));
    await expect(other?.take('westeurope')).rejects.toThrow(
      /^Azure throttles creates in westeurope; the batch waits 1[67] seconds\.$/,
    );
  });

  const azure = useEmulator({ quotas: { ContainerGroups: 1000, StandardCores: 1000 } });
  test('is never 429 for an app that launches as fast as it can', async () => {
    const compute = createAciCompute(aciSettings(azure.emulator.url, { ACI_REGIONS: 'westeurope', ACI_CPU: '1' }));
    azure.emulator.faults.add({ on: 'GROUP', times: 120, fate: 'never-starts' });
    const launches = await Promise.allSettled(Array.from({ length: 120 }, () => compute.launch(launchOf(FOREVER))));
    expect(launches.filter(({ status }) => status === 'fulfilled')).toHaveLength(90);
    const puts = azure.exchanges.filter(({ request }) => request.method === 'PUT');
    expect(puts.map(({ answer }) => answer.status)).toEqual(Array.from({ length: 90 }, () => 201));
  });
});
