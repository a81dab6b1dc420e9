import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import http, { type IncomingMessage } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { startEmulator } from '../../../azure-emulator/src/emulator.js';
import { aciCompute, FOREVER, launchOf, standIn, useEmulator } from '../../support/aci.js';
import { containerApps } from '../../support/container-apps.js';
import { until } from '../../support/wait.js';

test('an emulator that stops ends also a container that nothing leads to any more', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'emulator-'));
  const file = path.join(folder, 'pid');
  const emulator = await startEmulator({ port: 0, ...standIn(), delays: { waitMs: 0, pullMs: 0 } });
  const tell = `require('fs').writeFileSync(${JSON.stringify(file)}, String(process.pid)); ${FOREVER}`;
  await containerApps({ emulator, exchanges: [] }).launch(launchOf(tell, { deadline: Date.now() + 3_500_000 }));
  const pid = await until('the container to run', () =>
    readFile(file, 'utf8').then(
      (text) => Number(text) || undefined,
      () => undefined,
    ),
  );
  emulator.apps.jobs.clear();
  await emulator.stop();
  await rm(folder, { recursive: true });
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

const azure = useEmulator();

test('a page in a browser cannot have it run anything, not under a name of its own either', async () => {
  const { url } = azure.emulator;
  const statusOf = async (headers: Record<string, string>) => {
    const sent = http.request(new URL('/emulator/groups', url), { headers }).end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    answer.resume();
    return answer.statusCode;
  };
  expect(await statusOf({})).toBe(200);
  expect(await statusOf({ host: 'rebound.example.com' })).toBe(403);
  expect(await statusOf({ origin: 'https://example.com' })).toBe(403);
  expect(await statusOf({ 'sec-fetch-site': 'same-origin' })).toBe(403);
});

test('a container that uses more memory than its request asks for is killed', async () => {
  const aci = aciCompute(azure.emulator.url, { ACI_MEMORY_GB: '0.5' });
  const request = launchOf('const all = []; setInterval(() => all.push(Buffer.alloc(25e6, 1)), 5)');
  await aci.launch(request);
  const seen = await until('its end', async () => {
    const now = await aci.observe(request.name);
    return now.state === 'failed' ? now : undefined;
  });
  expect(seen).toMatchObject({ exitCode: 137, reason: expect.stringContaining('ACI_MEMORY_GB') as string });
});

test('a command in the request takes the place of the image’s entry point', async () => {
  const name = launchOf('').name;
  const group = `/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerInstance/containerGroups/${name}`;
  const command = [process.execPath, '-e', 'console.log("my " + process.env.WORD)'];
  const resources = { requests: { cpu: 1, memoryInGB: 1 } };
  const environmentVariables = [{ name: 'WORD', value: 'own' }];
  const container = { name: 'any', properties: { image: 'any', command, resources, environmentVariables } };
  const body = JSON.stringify({ location: 'westeurope', properties: { osType: 'Linux', containers: [container] } });
  expect((await fetch(azure.emulator.url + group, { method: 'PUT', body })).status).toBe(201);
  await until('its output', () =>
    azure.emulator.azure.groups.get(name)?.container?.log(undefined) === 'my own\n' ? true : undefined,
  );
});
