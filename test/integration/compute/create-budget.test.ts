import { randomUUID } from 'node:crypto';
import { describe, expect, inject, test } from 'vitest';
import { createBlobLedgers, CreateBudget, readReport } from '../../../src/compute/aci/create-budget.js';
import { aciCompute, FOREVER, launchOf, useEmulator } from '../../support/aci.js';
import { openAzurite } from '../../support/storage.js';

const connection = inject('storage');
/** What one instance of the app makes. */
const openLedgers = () =>
  createBlobLedgers(openAzurite(connection).internal.getContainerClient('limits'), (name) => `creates/${name}.json`);

/** Creates that get through when so many are asked for. */
async function granted(budgets: CreateBudget[], asked: number): Promise<number> {
  const takes = Array.from({ length: asked }).flatMap(
    (_, index) => budgets[index % budgets.length]?.take('westeurope') ?? [],
  );
  return (await Promise.allSettled(takes)).filter(({ status }) => status === 'fulfilled').length;
}

describe('the creates of a region', () => {
  test('are shared by all instances of the app', async () => {
    const subscription = randomUUID();
    const creates = Array.from({ length: 80 }, () => Date.now());
    await openLedgers().update(`${subscription}-westeurope`, (ledger) => ({ ...ledger, creates }));
    const instances = Array.from({ length: 4 }, () => new CreateBudget(openLedgers(), subscription));
    expect(await granted(instances, 24)).toBe(10);
  });
});

describe('what Azure says is left', () => {
  const headers = (values: Record<string, string>) => ({ get: (name: string) => values[name] });

  test('stops every instance when it throttles one', async () => {
    const subscription = randomUUID();
    const [one, other] = [0, 1].map(() => new CreateBudget(openLedgers(), subscription));
    await one?.note('westeurope', await one.take('westeurope'), readReport(429, headers({ 'retry-after': '17' })));
    await expect(other?.take('westeurope')).rejects.toThrow(
      /^Azure throttles creates in westeurope, for another 1[67] seconds\.$/,
    );
  });

  const azure = useEmulator({ quotas: { ContainerGroups: 1000, StandardCores: 1000 } });
  test('is never 429 for an app that launches as fast as it can', async () => {
    const compute = aciCompute(azure.emulator.url, { ACI_REGIONS: 'westeurope', ACI_CPU: '1' });
    azure.emulator.faults.add({ on: 'GROUP', times: 120, fate: 'never-starts' });
    const launches = await Promise.allSettled(Array.from({ length: 120 }, () => compute.launch(launchOf(FOREVER))));
    expect(launches.filter(({ status }) => status === 'fulfilled')).toHaveLength(90);
    const puts = azure.exchanges.filter(({ request }) => request.method === 'PUT');
    expect(puts.map(({ answer }) => answer.status)).toEqual(Array.from({ length: 90 }, () => 201));
  });
});
