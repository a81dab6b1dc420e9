import { BlobServiceClient } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { hostStorage } from '../../../src/backend/host-storage.js';
import { Keys } from '../../../src/http/keys.js';
import { HostProcess, newHub, startHost } from '../../support/host-process.js';

interface Named {
  name: string;
  value: string;
}
interface HostKeys {
  masterKey: Named;
  functionKeys: Named[];
  systemKeys: Named[];
}

let host: HostProcess;
let keys: Record<'master' | 'host' | 'durable' | 'keyed' | 'other', string>;
const hub = newHub();
const stored = async (name: string) => {
  const secrets = BlobServiceClient.fromConnectionString(inject('storage')).getContainerClient('azure-webjobs-secrets');
  const blob = secrets.getBlobClient(`${hub.toLowerCase()}/${name}.json`);
  return JSON.parse((await blob.downloadToBuffer()).toString()) as unknown;
};
const keyOf = async (name: string) => ((await stored(name)) as { keys: Named[] }).keys[0]?.value ?? '';

beforeAll(async () => {
  host = await startHost({ app: 'keyed', hub, args: ['--enforce-keys'] });
  const { masterKey, functionKeys, systemKeys } = (await stored('host')) as HostKeys;
  keys = {
    master: masterKey.value,
    host: functionKeys.find(({ name }) => name === 'default')?.value ?? '',
    durable: systemKeys.find(({ name }) => name === 'durabletask_extension')?.value ?? '',
    keyed: await keyOf('keyed'),
    other: await keyOf('other'),
  };
});
afterAll(async () => void (await host.stop()));

const status = async (path: string, headers: Record<string, string> = {}) =>
  (await fetch(host.url + path, { headers })).status;
const INSTANCES = '/runtime/webhooks/durabletask/instances';

describe('with --enforce-keys', () => {
  it.each([
    ['/api/open', ['none', 'wrong', 'master', 'host', 'durable', 'keyed', 'other']],
    ['/api/keyed', ['master', 'host', 'keyed']],
    ['/api/closed', ['master']],
    ['/admin/host/status', ['master']],
    [INSTANCES, ['master', 'durable']],
  ])('%s opens to these keys, in the header and in the query: %j', async (path, openTo) => {
    const all = { none: undefined, wrong: 'wrong', ...keys };
    const opened: string[] = [];
    for (const [name, key] of Object.entries(all)) {
      const inHeader = await status(path, key === undefined ? {} : { 'x-functions-key': key });
      expect(await status(key === undefined ? path : `${path}?code=${key}`), name).toBe(inHeader);
      if (inHeader === 200) opened.push(name);
      // Of the other keys the host tells only the administrator's door whether it knows them.
      else expect([name, inHeader]).toEqual([name, path.startsWith('/admin') && name === 'durable' ? 403 : 401]);
    }
    expect(opened.toSorted()).toEqual(openTo.toSorted());
  });

  it('a refusal is 401 without a body', async () => {
    const response = await fetch(`${host.url}/api/keyed?code=wrong`);
    expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([401, '0', '']);
    const durable = await fetch(host.url + INSTANCES);
    expect([durable.status, durable.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
  });

  it('what does not exist is 404 all the same, and the host tells whether it lives', async () => {
    expect(await status('/api/nowhere')).toBe(404);
    expect(await status('/admin/host/ping')).toBe(200);
  });

  it("the app's own client needs no key, and the URLs that it hands out carry one", async () => {
    const started = (await (await fetch(`${host.url}/api/begin`)).json()) as Record<string, string>;
    const { statusQueryGetUri = '', sendEventPostUri = '' } = started;
    expect(new URL(statusQueryGetUri).searchParams.get('code')).toBe(keys.durable);
    expect((await fetch(statusQueryGetUri)).status).toBe(202);
    const headers = { 'content-type': 'application/json' };
    const raised = await fetch(sendEventPostUri.replace('{eventName}', 'go'), { method: 'POST', body: '1', headers });
    expect(raised.status).toBe(202);
  });

  it("nobody else comes in by the client's door", async () => {
    for (const door of ['/runtime/rpc/durabletask', `/runtime/rpc/durabletask/${'x'.repeat(43)}`])
      expect(await status(`${door}/instances`)).toBe(404);
  });

  it('starts over HTTP are answered with URLs that carry the key', async () => {
    const url = `${host.url}/runtime/webhooks/durabletask/orchestrators/wait?code=${keys.master}`;
    const { statusQueryGetUri = '' } = (await (await fetch(url, { method: 'POST' })).json()) as Record<string, string>;
    expect(new URL(statusQueryGetUri).searchParams.get('code')).toBe(keys.durable);
  });

  it('no key is in the log', async () => {
    await status(`/api/broken?code=${keys.keyed}`);
    expect(await status(`/api/broken?code=${keys.host}`)).toBe(500);
    for (const key of Object.values(keys)) expect(key.length).toBeGreaterThan(40);
    for (const key of Object.values(keys)) expect(host.log + host.output).not.toContain(key);
    expect(host.log).toContain(`azure-webjobs-secrets/${hub.toLowerCase()}/host.json`);
  });
});

it.each([
  ['{broken', /host\.json is not JSON: remove it/],
  ['{"masterKey":{"name":"master","value":"k","encrypted":true},"functionKeys":[],"systemKeys":[]}', /encrypted keys/],
  ['{"masterKey":{"name":"master","value":"k"},"functionKeys":["k"],"systemKeys":[]}', /something else than keys/],
  ['{}', /something else than keys/],
  ['null', /something else than keys/],
])('keys that the host cannot use are refused, and not shown: %s', async (text, reason) => {
  const { secrets, id } = hostStorage(inject('storage'), newHub());
  await secrets.getBlockBlobClient(`${id}/host.json`).upload(text, text.length);
  await expect(Keys.open(secrets, id)).rejects.toThrow(reason);
});

it("a key that the user's own file lacks is added to it, and what it has stays", async () => {
  const { secrets, id } = hostStorage(inject('storage'), newHub());
  const text =
    '{"masterKey":{"name":"master","value":"mine"},"functionKeys":[{"name":"ci","value":"x"}],"systemKeys":[]}';
  await secrets.getBlockBlobClient(`${id}/host.json`).upload(text, text.length);
  const { durable } = await Keys.open(secrets, id);
  expect(durable.length).toBeGreaterThan(40);
  expect(await (await Keys.open(secrets, id)).show()).toEqual({
    masterKey: 'mine',
    functionKeys: { ci: 'x' },
    systemKeys: { durabletask_extension: durable },
    functions: {},
  });
});

it('the next host has the same keys, and --show-keys prints them', async () => {
  await host.stop();
  const shown = new HostProcess({ app: 'keyed', hub, args: ['--show-keys'] });
  expect(await shown.exitCode()).toBe(0);
  expect(JSON.parse(shown.output)).toEqual({
    masterKey: keys.master,
    functionKeys: { default: keys.host },
    systemKeys: { durabletask_extension: keys.durable },
    functions: expect.objectContaining({ keyed: { default: keys.keyed }, other: { default: keys.other } }) as unknown,
  });
});
