import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startHost } from '../../support/host-process.js';
import { temporaryApp } from '../../support/temporary-app.js';
import { until } from '../../support/until.js';

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
