import { BlobServiceClient } from '@azure/storage-blob';
import { afterEach, expect, inject, it } from 'vitest';
import { type HostProcess, newHub, startHost } from '../../support/host-process.js';
import { until } from '../../support/until.js';
import { temporaryApp } from '../../support/temporary-app.js';

const running: HostProcess[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map(async (host) => await host.stop()));
});

const logged = (host: HostProcess, text: string) => until(() => host.log.includes(text));

async function start(timer: string, options: { hub?: string; env?: NodeJS.ProcessEnv } = {}): Promise<HostProcess> {
  const code = `import { app } from '@azure/functions';\napp.timer('tick', ${timer});`;
  const host = await startHost({ app: temporaryApp({ 'main.js': code }), ...options });
  running.push(host);
  return host;
}

const COUNT = `handler: (timer, context) => {
  globalThis.n = (globalThis.n ?? 0) + 1;
  context.log('run ' + globalThis.n);
  throw new Error('failed ' + globalThis.n);
}`;

it('a timer function runs on its schedule, again and again although it throws, and stops with the host', async () => {
  const host = await start(`{ schedule: '* * * * * *', ${COUNT} }`);
  await logged(host, 'tick: run 2');
  expect(await host.stop()).toBe(0);
});

it('runs of a schedule from a setting that fell due while the host was down are made up for by one, and it is stored when the next is due', async () => {
  const hub = newHub();
  const hosts = BlobServiceClient.fromConnectionString(inject('storage')).getContainerClient('azure-webjobs-hosts');
  await hosts.createIfNotExists();
  const blob = hosts.getBlockBlobClient(`timers/${hub.toLowerCase()}/Host.Functions.tick/status`);
  // As the real host writes it.
  const stored =
    '{"Last":"2026-01-01T00:00:00.0041234+00:00","Next":"2026-01-02T00:00:00+00:00","LastUpdated":"2026-01-01T00:00:00.0041234+00:00"}';
  await blob.upload(stored, stored.length);
  const timer = "{ schedule: '%WHEN%', handler: (timer, context) => context.log('told ' + JSON.stringify(timer)) }";
  const host = await start(timer, { hub, env: { WHEN: '0 0 0 * * *' } });
  await logged(host, 'told');
  expect(host.log).toContain('"isPastDue":true');
  expect(host.log).toContain('"last":"2026-01-01T00:00:00.004+00:00","next":"2026-01-02T00:00:00.000+00:00"');
  await host.stop();
  const next = (JSON.parse((await blob.downloadToBuffer()).toString()) as { Next: string }).Next;
  expect(Date.parse(next)).toBeGreaterThan(Date.now());
});
