import { randomBytes } from 'node:crypto';
import { InvocationContext } from '@azure/functions';
import { expect, inject, test } from 'vitest';
import { parseLogLine } from '../../../src/container-contract/log-line.js';
import { containerName, jobOf, logBlob, MANIFEST, parseContainerName, STOP } from '../../../src/job-store/layout.js';
import { readJson, readText, writeJson } from '../../../src/storage/storage.js';
import { openAzurite } from '../../support/storage.js';
import { until } from '../../support/wait.js';
import { createSweep } from '../../../src/triggers/sweep.js';
import { keepRecords } from '../../support/records.js';
import { tellTo } from '../../../src/telemetry/telemetry.js';
import { aciCompute, FOREVER, launchOf, notSetUp, useEmulator } from '../../support/aci.js';
import { containerApps, liveExecutions } from '../../support/container-apps.js';

const azure = useEmulator();
const connection = inject('storage');
const storage = openAzurite(connection);
const told = keepRecords();
const TIMER = {
  isPastDue: false,
  schedule: { adjustForDST: true },
  scheduleStatus: { last: '', next: '', lastUpdated: '' },
};

/** `states`: runtime status by job; of others the app knows nothing. */
async function sweep(endpoint = azure.emulator.url, states: Record<string, string> = {}): Promise<string[]> {
  const logged: string[] = [];
  const context = new InvocationContext({ logHandler: (_, ...words: unknown[]) => logged.push(words.join(' ')) });
  const compute = {
    ...notSetUp(),
    aci: aciCompute(endpoint),
    'container-apps': containerApps(azure, {}, endpoint),
  };
  await createSweep({ storage, compute, telemetry: tellTo([told]), stateOf: (_, id) => Promise.resolve(states[id]) })(
    TIMER,
    context,
  );
  return logged;
}

async function launch(more: { jobId?: string; deadline?: number } = {}): Promise<string> {
  const jobId = more.jobId ?? `job-${randomBytes(4).toString('hex')}`;
  await jobOf(storage, jobId).createIfNotExists();
  const request = launchOf(FOREVER, { deadline: Date.now() + 3_600_000, ...more, jobId });
  await aciCompute(azure.emulator.url).launch(request);
  return request.name;
}

test('the sweeper removes what no living job owns, says so, and leaves the rest alone', async () => {
  const living = await launch();
  const late = await launch({ deadline: Date.now() - 1000 });
  const ended = await launch({ jobId: 'ended-k3v9q2xa' });
  await writeJson(jobOf(storage, 'ended-k3v9q2xa'), MANIFEST, {});
  const logged = await sweep();
  expect([...azure.emulator.azure.groups.keys()]).toEqual([living]);
  expect(logged.toSorted()).toEqual(
    [
      expect.stringMatching(`removed the aci container ${late}: its deadline .* has passed`) as string,
      expect.stringMatching(`removed the aci container ${ended}: job ended-k3v9q2xa has ended`) as string,
    ].toSorted(),
  );
  expect(await sweep()).toEqual([]);
  expect(told.records.map(({ name, dimensions }) => `${name} ${dimensions.container}`).toSorted()).toEqual([
    `container.swept ${late}`,
    `container.swept ${ended}`,
  ]);
  const { batch, attempt } = parseContainerName(ended) ?? {};
  expect(told.records.find(({ dimensions }) => dimensions.job === 'ended-k3v9q2xa')?.dimensions).toMatchObject({
    compute: 'aci',
    batch: String(batch),
    attempt: String(attempt),
    message: 'job ended-k3v9q2xa has ended',
  });
});

test('a job that was terminated keeps no container and gets no other one, and one that runs keeps its own', async () => {
  const terminated = await launch({ jobId: 'terminated-k3v9q2xa' });
  const running = await launch({ jobId: 'running-k3v9q2xa' });
  const states = { 'terminated-k3v9q2xa': 'Terminated', 'running-k3v9q2xa': 'Running' };
  expect(await sweep(undefined, states)).toEqual([
    expect.stringMatching(`removed the aci container ${terminated}: job terminated-k3v9q2xa .*Terminated`),
  ]);
  expect(azure.emulator.azure.groups.has(running)).toBe(true);
  expect(await readJson(jobOf(storage, 'terminated-k3v9q2xa'), STOP)).toMatchObject({ reason: 'cancelled' });
});

test('a container that outlives the records of its job is removed, and nothing is written of that job again', async () => {
  const jobId = 'forgotten-k3v9q2xa';
  const left = await launch({ jobId });
  await jobOf(storage, jobId).delete();
  expect(await sweep(undefined, { [jobId]: 'Terminated' })).toEqual([
    expect.stringMatching(`removed the aci container ${left}: job ${jobId} .*Terminated`),
  ]);
  expect(await jobOf(storage, jobId).exists()).toBe(false);
});

test('what a container printed that nobody settled is kept before it is removed', async () => {
  const jobId = `swept-${randomBytes(4).toString('hex')}`;
  await jobOf(storage, jobId).create();
  const program = `console.log('last words'); ${FOREVER}`;
  const name = containerName(jobId, 2, 1);
  const aci = aciCompute(azure.emulator.url);
  await aci.launch({ ...launchOf(program), name, jobId, deadline: Date.now() - 1000 });
  await until('its output', async () => ((await aci.logs(name)).length === 0 ? undefined : true));
  expect(await sweep()).toEqual([expect.stringMatching(`removed the aci container ${name}`)]);
  const [first = ''] = ((await readText(jobOf(storage, jobId), logBlob(2, 1))) ?? '').split('\n');
  expect(parseLogLine(first)).toMatchObject({
    job: jobId,
    batch: 2,
    attempt: 1,
    message: 'last words',
    stream: 'platform',
  });
});

test('a container that cannot be removed is reported and does not keep the next one', async () => {
  const stuck = await launch({ deadline: Date.now() - 1000 });
  const late = await launch({ deadline: Date.now() - 1000 });
  azure.emulator.faults.add({ on: 'DELETE', of: stuck, status: 409, code: 'ContainerGroupTransitioning' });
  const logged = await sweep();
  expect(logged).toHaveLength(2);
  expect(logged[0]).toMatch(`sweep: the aci container ${stuck} is still there: The container group is still changing`);
  expect(logged[1]).toMatch(`sweep: removed the aci container ${late}`);
  expect(await sweep()).toEqual([expect.stringMatching(`removed the aci container ${stuck}`)]);
});

test('the groups of another app in the same resource group are not touched', async () => {
  const foreign = launchOf(FOREVER, { deadline: Date.now() - 1000 });
  await aciCompute(azure.emulator.url, { ACI_HUB: 'other' }).launch(foreign);
  await sweep();
  expect(azure.emulator.azure.groups.has(foreign.name)).toBe(true);
});

test('the executions of Container Apps are swept alike, and an ended one is not mistaken for one that runs', async () => {
  const apps = containerApps(azure);
  const [living, late, ended] = [launchOf(FOREVER), launchOf(FOREVER), launchOf(FOREVER)];
  await apps.launch({ ...living, deadline: Date.now() + 3_600_000 });
  await apps.launch({ ...late, deadline: Date.now() - 1000 });
  await apps.launch({ ...ended, deadline: Date.now() - 1000 });
  await apps.remove(ended.name);
  await jobOf(storage, living.jobId).createIfNotExists();
  expect((await sweep()).filter((line) => line.includes('container-apps'))).toEqual([
    expect.stringMatching(`removed the container-apps container ${late.name}: its deadline .* has passed`),
  ]);
  expect(liveExecutions(azure)).toEqual([living.name]);
});

test('a compute that is away is reported and does not end the sweep', async () => {
  expect(await sweep('http://127.0.0.1:9')).toEqual([
    expect.stringMatching(/^sweep: aci: Azure was not reached/),
    expect.stringMatching(/^sweep: container-apps: Azure was not reached/),
  ]);
});
