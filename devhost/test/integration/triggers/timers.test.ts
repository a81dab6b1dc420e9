import { afterEach, expect, it } from 'vitest';
import { type HostProcess, startHost } from '../../support/host-process.js';
import { until } from '../../support/until.js';
import { temporaryApp } from '../../support/temporary-app.js';

const running: HostProcess[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map(async (host) => await host.stop()));
});

const timer = (options: string) =>
  temporaryApp({ 'main.js': `import { app } from '@azure/functions';\napp.timer('tick', ${options});` });
const logged = (host: HostProcess, text: string) => until(() => host.log.includes(text));

async function start(options: string, env: NodeJS.ProcessEnv = {}): Promise<HostProcess> {
  const host = await startHost({ app: timer(options), env });
  running.push(host);
  return host;
}

const COUNT =
  'handler: (timer, context) => { globalThis.n = (globalThis.n ?? 0) + 1; context.log(`run ${globalThis.n}`); }';

it('a timer function runs on its schedule, again and again, and stops with the host', async () => {
  const host = await start(`{ schedule: '* * * * * *', ${COUNT} }`);
  await logged(host, 'tick: run 2');
  expect(await host.stop()).toBe(0);
});

it('a timer function is told its schedule as in Azure', async () => {
  const host = await start(
    `{ schedule: '* * * * * *', handler: (timer, context) => context.log('told ' + JSON.stringify(timer)) }`,
  );
  await logged(host, '"isPastDue":false');
  const told = JSON.parse(/told (\{.*\})/.exec(host.log)?.[1] ?? '{}') as {
    scheduleStatus: { last: string; next: string };
  };
  expect(Date.parse(told.scheduleStatus.next)).toBeGreaterThan(Date.parse(told.scheduleStatus.last));
});

it('a schedule may come from a setting, and runOnStartup does not wait for it', async () => {
  const host = await start(`{ schedule: '%WHEN%', runOnStartup: true, ${COUNT} }`, { WHEN: '0 0 0 1 1 *' });
  await logged(host, 'tick: run 1');
});

it('a timer function that throws runs again', async () => {
  const host = await start(
    `{ schedule: '* * * * * *', handler: () => { globalThis.n = (globalThis.n ?? 0) + 1; throw new Error('failed ' + globalThis.n); } }`,
  );
  await logged(host, 'tick: failed 2');
});
