import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { BlobServiceClient } from '@azure/storage-blob';
import { describe, expect, inject, it, onTestFinished, type TestContext } from 'vitest';
import { HostProcess, type HostOptions, newHub, startHost } from '../support/host-process.js';
import { lateStorage } from '../support/late-storage.js';
import { temporaryApp } from '../support/temporary-app.js';

/** A host that is up, and gone when the test ends. */
async function start(options: HostOptions, test: Pick<TestContext, 'onTestFinished'> = { onTestFinished }) {
  const host = new HostProcess(options);
  test.onTestFinished(async () => void (await host.stop()));
  return await host.ready();
}

/** Starts a host that must not come up; returns its exit code and what it says. */
async function refusal(options: HostOptions): Promise<[number | null, string]> {
  const host = new HostProcess(options);
  return [await host.exitCode(), host.log.trim()];
}

const functions = (code: string) => `import { app } from '@azure/functions';\n${code}`;
const HELLO = functions("app.http('hello', { handler: () => ({ body: process.env.GREETING ?? 'hello' }) });");

describe('an app', () => {
  it('may have another file than its main loaded', async () => {
    const app = temporaryApp({ 'package.json': { main: 'no.js' }, 'packed.mjs': HELLO });
    const host = await start({ app, args: ['--main', 'packed.mjs'] });
    expect(await (await fetch(`${host.url}/api/hello`)).text()).toBe('hello');
  });

  it('is refused when there is no such file', async () => {
    const app = temporaryApp({ 'package.json': { main: 'packed.mjs' }, 'packed.mjs': HELLO });
    expect(await refusal({ app, args: ['--main', 'no.js'] })).toEqual([
      2,
      "devhost: --main names 'no.js', and no file matches: build the app first.",
    ]);
  });

  it('may be CommonJS with a glob as main, and its hooks run', async () => {
    const register = (name: string) => `
      const { app } = require('@azure/functions');
      app.http('${name}', { handler: (request, context) => { context.log('handled'); return { body: context.greeting }; } });`;
    const folder = temporaryApp({
      'package.json': { main: 'out/functions/*.js' },
      'out/functions/one.js': register('one'),
      'out/functions/two.js': register('two'),
      'out/functions/hooks.js': `
        const { app } = require('@azure/functions');
        app.hook.appStart(({ hookData }) => { console.error('hook appStart'); });
        app.hook.preInvocation((context) => { context.invocationContext.greeting = 'from the hook'; });
        app.hook.postInvocation((context) => { context.result.headers = { 'x-hook': 'yes' }; });
        app.hook.log((context) => { context.message = context.message.toUpperCase(); });
        app.hook.appTerminate(() => { console.error('hook appTerminate'); });`,
    });
    const host = await startHost({ app: folder });
    const response = await fetch(`${host.url}/api/two`);
    expect([await response.text(), response.headers.get('x-hook')]).toEqual(['from the hook', 'yes']);
    expect(await host.stop()).toBe(0);
    expect(host.log).toContain('hook appStart');
    expect(host.log).toContain('two: HANDLED');
    expect(host.log).toContain('hook appTerminate');
  });

  it('sees the values of local.settings.json, but the environment wins, as of the size above which a body is refused', async () => {
    const settings = {
      Values: { GREETING: 'from settings', HUB: 'neverUsed', FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '9' },
    };
    const env = { FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '1000' };
    const host = await start({ app: temporaryApp({ 'main.js': HELLO, 'local.settings.json': settings }), env });
    expect(await (await fetch(`${host.url}/api/hello`)).text()).toBe('from settings');
    expect(host.output).toBe(`devhost: listening on ${host.url} (1 function, hub ${host.hub})\n`);
    const send = async (length: number) =>
      (await fetch(`${host.url}/api/hello`, { method: 'POST', body: 'x'.repeat(length) })).status;
    expect([await send(1000), await send(1001)]).toEqual([200, 413]);
  });

  it('may set its own route prefix, even an empty one, and its functions are listed with their addresses', async () => {
    const extensions = { http: { routePrefix: '' } };
    const host = await start({ app: temporaryApp({ 'main.js': HELLO, 'host.json': { version: '2.0', extensions } }) });
    expect((await fetch(`${host.url}/hello`)).status).toBe(200);
    expect(host.log).toContain(`Functions:\n\n    hello: [GET,POST] ${host.url}/hello\n`);
  });

  it('runs on the hub and the storage that the command line names, and shows its debug lines with --verbose', async () => {
    const args = ['--hub', newHub(), '--storage', 'ELSEWHERE', '--verbose'];
    const env = { AzureWebJobsStorage: 'nonsense', ELSEWHERE: inject('storage') };
    const code = functions(
      "app.http('talk', { handler: (request, context) => { context.debug('quiet'); return {}; } });",
    );
    const host = await start({ app: temporaryApp({ 'main.js': code }), args, env });
    expect(host.output).toContain(`hub ${args[1]})`);
    await fetch(`${host.url}/api/talk`);
    expect(host.log).toContain('debug talk: quiet');
  });
});

it('the host waits for a storage that is still starting, as long as it is told to', async () => {
  const storage = await lateStorage(inject('storage'));
  const env = { AzureWebJobsStorage: storage.connectionString };
  const patient = start({ app: 'durable', args: ['--storage-patience', '50'], env });
  // The tries that storage clients make by themselves are over when a host without patience has given up.
  expect((await refusal({ app: 'durable', env }))[0]).toBe(2);
  await storage.listen();
  expect((await fetch(`${(await patient).url}/admin/host/status`)).status).toBe(200);
});

/** Where the host of a hub leaves its name. */
const leasesOf = (hub: string) =>
  BlobServiceClient.fromConnectionString(inject('storage')).getContainerClient(`${hub.toLowerCase()}-leases`);

it('a host takes the hub of a dead one whose process number another program has by now', async () => {
  const hub = newHub();
  const leases = leasesOf(hub);
  await leases.create();
  const dead = JSON.stringify({ host: hostname(), pid: process.pid, started: 'long ago' });
  const blob = leases.getBlockBlobClient('local-host');
  await blob.upload(dead, dead.length);
  await blob.getBlobLeaseClient().acquireLease(-1);
  expect((await start({ app: 'durable', hub })).hub).toBe(hub);
});

describe('the host refuses with one sentence', () => {
  const refused = async (code: string) => await refusal({ app: temporaryApp({ 'main.js': functions(code) }) });

  it('a trigger it does not support, by name', async () => {
    expect(await refused("app.eventGrid('tick', { handler: () => {} });")).toEqual([
      2,
      expect.stringMatching(/^devhost: .*'tick'.*'eventGridTrigger'.*not support/),
    ]);
  });

  it('a port in use, and says which', async () => {
    const server = createServer();
    onTestFinished(() => void server.close());
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
    expect(await refusal({ app: 'durable', args: ['--port', String(port)] })).toEqual([
      2,
      expect.stringMatching(new RegExp(`^devhost: Port ${port} is in use: .*--port`)),
    ]);
  });

  it('storage that does not answer', async () => {
    const env = {
      AzureWebJobsStorage:
        'DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/a;QueueEndpoint=http://127.0.0.1:9/a;TableEndpoint=http://127.0.0.1:9/a;',
    };
    const [code, log] = await refusal({ app: 'durable', env });
    expect([code, log]).toEqual([2, expect.stringMatching(/^devhost: Storage .*ECONNREFUSED.*Azurite/)]);
    expect(log.split('\n')).toHaveLength(1);
  });
});

// These mostly wait for a lease.
describe.concurrent('a host', () => {
  it('that loses its hub to another stops at once', async (test) => {
    const host = await start({ app: 'durable' }, test);
    const lease = leasesOf(host.hub).getBlobClient('local-host').getBlobLeaseClient();
    await lease.breakLease(0);
    await lease.acquireLease(15);
    expect(await host.exitCode()).toBe(2);
    expect(host.log).toContain('devhost: The hub was taken over by another host');
  });

  it('refuses a hub that another host is using with one sentence, and that other host goes on', async (test) => {
    const hub = newHub();
    const first = await start({ app: 'durable', hub }, test);
    expect(await refusal({ app: 'durable', hub })).toEqual([
      2,
      expect.stringMatching(new RegExp(`^devhost: .*${hub}.*in use.*process \\d+`)),
    ]);
    expect((await fetch(`${first.url}/admin/host/status`)).status).toBe(200);
  });
});
