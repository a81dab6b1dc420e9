import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DurableClient } from '../../support/durable-client.js';
import { type HostProcess, startHost } from '../../support/host-process.js';

let host: HostProcess;
let api: string;
beforeAll(async () => {
  host = await startHost({ app: 'durable' });
  api = `${host.url}/api`;
});
afterAll(async () => {
  await host.stop();
});

const text = async (path: string) => await (await fetch(`${api}/${path}`)).text();

describe('HTTP functions', () => {
  it('get route and query parameters', async () => {
    expect(JSON.parse(await text('ping/Bob?q=a%20b'))).toEqual({ name: 'Bob', query: 'a b' });
  });

  it('do without an optional route parameter', async () => {
    expect(JSON.parse(await text('ping'))).toEqual({ name: null, query: null });
  });

  it('are found whatever the case of the path', async () => {
    expect(JSON.parse(await text('PING/Bob'))).toMatchObject({ name: 'Bob' });
  });

  it('are chosen by the constraint of a route parameter', async () => {
    expect(await text('numbers/42')).toBe('42');
    expect((await fetch(`${api}/numbers/x1`)).status).toBe(404);
  });

  it('with a literal route come before those with a parameter', async () => {
    expect(await text('numbers/all')).toBe('literal');
  });

  it('can take the rest of the path', async () => {
    expect(await text('files/a/b%20c.txt')).toBe('a/b c.txt');
  });

  it('answer with status, headers, cookies and bytes', async () => {
    const body = new Uint8Array([0, 255, 1]);
    const response = await fetch(`${api}/echoBody`, { method: 'POST', body });
    expect(response.status).toBe(201);
    expect(response.headers.get('x-method')).toBe('POST');
    expect(response.headers.get('set-cookie')).toBe('crumb=a%20b; path=/; samesite=lax; httponly');
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(body);
  });

  it('answer 204 when they return nothing', async () => {
    const response = await fetch(`${api}/silent`);
    expect([response.status, await response.text()]).toEqual([204, '']);
  });

  it('answer 500 with an empty body when they throw, and the log names the error', async () => {
    const response = await fetch(`${api}/broken`);
    expect([response.status, await response.text()]).toEqual([500, '']);
    expect(host.log).toContain('error broken: broken on purpose');
  });

  it('are not there for other methods and paths', async () => {
    expect((await fetch(`${api}/echoBody`)).status).toBe(404);
    expect((await fetch(`${api}/nowhere`)).status).toBe(404);
  });

  it('log with their name, but not at debug level', async () => {
    await fetch(`${api}/logs`);
    expect(host.log).toContain('info  logs: said aloud');
    expect(host.log).not.toContain('said quietly');
  });
});

describe('the host', () => {
  it('says that it is running', async () => {
    const home = await fetch(host.url);
    expect([home.status, home.headers.get('content-type')]).toEqual([200, 'text/html']);
    expect((await fetch(`${host.url}/admin/host/ping`)).status).toBe(200);
    expect(await (await fetch(`${host.url}/admin/host/status`)).json()).toMatchObject({ state: 'Running' });
  });
});

describe('the durable client of the app', () => {
  const call = async (method: string, id: string, ...args: unknown[]) => {
    const response = await fetch(`${api}/client/${method}/${id}`, { method: 'POST', body: JSON.stringify(args) });
    return (await response.json()) as { result?: unknown; error?: string };
  };
  const start = async (name: string, input?: unknown) => {
    const body = input === undefined ? {} : { body: JSON.stringify(input) };
    const response = await fetch(`${api}/start/${name}`, { method: 'POST', ...body });
    return (await response.json()) as Record<string, string> & { id: string };
  };

  it('hands out management URLs that work', async () => {
    const { id, sendEventPostUri, statusQueryGetUri } = await start('gate');
    const raised = await fetch((sendEventPostUri ?? '').replace('{eventName}', 'go'), {
      method: 'POST',
      body: '"yes"',
      headers: { 'content-type': 'application/json' },
    });
    expect(raised.status).toBe(202);
    await new DurableClient(host.url).ends(id);
    expect(await (await fetch(statusQueryGetUri ?? '')).json()).toMatchObject({ output: 'yes' });
  });

  it('starts an orchestration without input with an empty string', async () => {
    const { id } = await start('input');
    expect((await new DurableClient(host.url).ends(id)).output).toEqual({ input: '' });
  });

  it('raises events, reads status, terminates and purges', async () => {
    const { id } = await start('gate');
    expect((await call('getStatus', id)).result).toMatchObject({ instanceId: id, name: 'gate' });
    expect(await call('terminate', id, 'enough')).toEqual({});
    await new DurableClient(host.url).ends(id);
    expect(await call('raiseEvent', id, 'go', 1), 'an ended instance takes events in silence').toEqual({});
    expect((await call('purgeInstanceHistory', id)).result).toEqual({ instancesDeleted: 1 });
    expect((await call('getStatus', id)).error).toContain('HTTP 404');
  });

  it('lists instances', async () => {
    const { id } = await start('gate');
    const { result } = await call('getStatusAll', 'any');
    expect(result).toContainEqual(expect.objectContaining({ instanceId: id }));
  });

  it('is told which instances cannot be rewound', async () => {
    expect((await call('rewind', 'nobody', 'why')).error).toContain('No orchestration with instance ID');
  });
});
