import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startHost } from '../../support/host-process.js';
import { startMarkedHost } from '../../support/marked-host.js';
import { temporaryApp } from '../../support/temporary-app.js';
import { until } from '../../support/until.js';

it('an activity that computes holds up neither the management API nor the turns of other orchestrations', async () => {
  const host = await startMarkedHost('crashing');
  const { client } = host;
  const busy = await client.start('one', { activity: 'compute', input: { text: 'busy', ms: 1900 } });
  await until(() => host.marks('busy').length === 1);
  const began = performance.now();
  expect((await client.status(busy)).runtimeStatus).toBe('Running');
  expect((await client.call('GET', 'instances')).status).toBe(200);
  expect(performance.now() - began).toBeLessThan(600);
  expect((await client.ends(busy)).output).toBe('busy');
});

it('with --watch the app is loaded again when its files change, and goes on as it was when they cannot be used', async () => {
  const greeting = (text: string, name = 'hello') =>
    `import { app } from '@azure/functions';\napp.http('${name}', { handler: () => ({ body: '${text}' }) });`;
  const folder = temporaryApp({
    'package.json': { type: 'module', main: 'dist/main.js' },
    'dist/main.js': "import './hello.js';",
    'dist/hello.js': greeting('one'),
  });
  const write = (text: string) => writeFileSync(path.join(folder, 'dist/hello.js'), text);
  const host = await startHost({ app: folder, args: ['--watch'] });
  onTestFinished(async () => void (await host.stop()));
  const said = async (name = 'hello') => await (await fetch(`${host.url}/api/${name}`)).text();
  expect(await said()).toBe('one');

  write(`${greeting('two')}\n${greeting('three', 'other').split('\n')[1]}`);
  await until(async () => (await said()) === 'two');
  expect(await said('other')).toBe('three');

  write('this is no code');
  await until(() => /goes on as it was.*dist\/hello\.js|goes on as it was.*Unexpected/.test(host.log));
  expect(await said()).toBe('two');

  rmSync(path.join(folder, 'dist/hello.js'));
  write(greeting('four'));
  await until(async () => (await said()) === 'four');
  expect((await fetch(`${host.url}/api/other`)).status).toBe(404);
});
