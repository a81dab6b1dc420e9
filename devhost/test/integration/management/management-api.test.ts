import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DurableClient } from '../../support/durable-client.js';
import { type HostProcess, startHost } from '../../support/host-process.js';
import { until } from '../../support/until.js';

let host: HostProcess;
let client: DurableClient;
beforeAll(async () => {
  host = await startHost({ app: 'durable' });
  client = new DurableClient(host.url);
});
afterAll(async () => {
  await host.stop();
});

const post = async (path: string, body?: unknown) => await client.call('POST', path, body);

describe('starting', () => {
  it('answers 202 with the management URLs', async () => {
    const response = await post('orchestrators/gate/my-id', 1);
    const body = (await response.json()) as Record<string, string>;
    expect(response.status).toBe(202);
    expect(response.headers.get('location')).toBe(body['statusQueryGetUri']);
    expect(body).toMatchObject({
      id: 'my-id',
      terminatePostUri: expect.stringContaining('/instances/my-id/terminate?reason={text}&'),
    });
  });

  it('accepts a function that is not there, and the instance fails', async () => {
    const { runtimeStatus, output } = await client.run('nobody');
    expect(runtimeStatus).toBe('Failed');
    expect(output).toMatch(/^Orchestrator function 'nobody' failed: The function 'nobody' doesn't exist, .*'sequence'/);
  });

  it('refuses bad JSON and a bad id with 400', async () => {
    const badJson = await fetch(`${client.base}/orchestrators/gate`, { method: 'POST', body: '{' });
    expect(badJson.status).toBe(400);
    for (const id of ['a%E2%80%A8', 'a%E2%80%A9', 'a%EF%BF%BE', 'a%EF%BF%BF', 'x'.repeat(257)])
      expect((await post(`orchestrators/gate/${id}`)).status).toBe(400);
  });

  it('takes every id that a table can hold, and finds the instance by it', async () => {
    const long = 'é'.repeat(200);
    for (const id of ['@id', 'a#b', 'a?b', 'a\\b', 'a b', '100%', 'a^b', 'tab\t', "it's", 'x'.repeat(256)]) {
      const started = await post(`orchestrators/sequence/${encodeURIComponent(id)}`, [long.repeat(200)]);
      expect(started.status, id).toBe(202);
      expect((await client.ends(encodeURIComponent(id))).output, id).toEqual([long.repeat(200)]);
      expect((await client.call('DELETE', `instances/${encodeURIComponent(id)}`)).status, id).toBe(200);
    }
    expect((await post('orchestrators/sequence/a%2Fb', [1])).status, 'a slash').toBe(404);
  });

  it('refuses the id of a running instance with 409', async () => {
    await client.start('gate', null, 'twice');
    expect((await post('orchestrators/gate/twice')).status).toBe(409);
  });

  it('overwrites an ended instance', async () => {
    const id = await client.start('sequence', [1, 2, 3], 'again');
    await client.ends(id);
    await client.start('sequence', [4], id);
    expect((await client.ends(id)).output).toEqual([4]);
  });

  it('can wait for the output', async () => {
    const response = await post('orchestrators/sequence?timeout=10&pollingInterval=0.05', [7]);
    expect([response.status, await response.json()]).toEqual([200, [7]]);
    const failed = await post('orchestrators/throws?timeout=10&pollingInterval=0.05', 'x');
    expect([failed.status, await failed.json()]).toMatchObject([200, { name: 'throws', runtimeStatus: 'Failed' }]);
  });
});

describe('status', () => {
  it('of an ended instance is 200 with values, and times in whole seconds', async () => {
    const id = await client.start('sequence', [{ a: 1 }]);
    await client.ends(id);
    const response = await client.call('GET', `instances/${id}`);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string;
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      name: 'sequence',
      instanceId: id,
      runtimeStatus: 'Completed',
      input: [{ a: 1 }],
      customStatus: null,
      output: [{ a: 1 }],
      createdTime: time,
      lastUpdatedTime: time,
    });
  });

  it('of a running instance is 202 with its custom status and where to ask again', async () => {
    const id = await client.start('gate');
    await until(async () => (await client.status(id)).customStatus === 'waiting');
    const response = await client.call('GET', `instances/${id}`);
    expect([response.status, response.headers.get('retry-after')]).toEqual([202, '5']);
    expect(response.headers.get('location')).toContain(id);
  });

  it('of an unknown instance is 404', async () => {
    expect((await client.call('GET', 'instances/unknown')).status).toBe(404);
  });

  it('leaves the input out when asked to', async () => {
    const id = await client.start('sequence', [1]);
    expect((await client.status(id, 'showInput=false')).input).toBeNull();
  });

  it('of a failed instance is 500 when asked to', async () => {
    const { instanceId } = await client.run('throws', 'x');
    expect((await client.call('GET', `instances/${instanceId}?returnInternalServerErrorOnFailure=true`)).status).toBe(
      500,
    );
  });

  it('shows the history with what scheduled each task', async () => {
    const { instanceId } = await client.run('sequence', [{ a: 1 }]);
    const { historyEvents } = await client.status(instanceId, 'showHistory=true&showHistoryOutput=true');
    expect(historyEvents).toMatchObject([
      { EventType: 'ExecutionStarted', FunctionName: 'sequence', Input: '[{"a":1}]' },
      { EventType: 'TaskCompleted', FunctionName: 'echo', Result: { a: 1 }, ScheduledTime: expect.any(String) },
      { EventType: 'ExecutionCompleted', OrchestrationStatus: 'Completed', Result: [{ a: 1 }] },
    ]);
    expect(historyEvents?.[1]).not.toHaveProperty('TaskScheduledId');
  });
});

describe('the list', () => {
  it('filters by id prefix, status and time', async () => {
    const from = new Date().toISOString();
    const ended = await client.start('sequence', [1], 'list-a');
    await client.start('gate', null, 'list-b');
    await client.ends(ended);
    const ids = async (query: string) =>
      ((await (await client.call('GET', `instances?${query}`)).json()) as { instanceId: string }[]).map(
        (each) => each.instanceId,
      );
    expect(await ids('instanceIdPrefix=list-')).toEqual(['list-a', 'list-b']);
    expect(await ids('instanceIdPrefix=list-&runtimeStatus=completed,Failed')).toEqual(['list-a']);
    expect(await ids(`instanceIdPrefix=list-&createdTimeTo=${from}`)).toEqual([]);
  });

  it('comes in pages', async () => {
    for (const id of ['page-1', 'page-2', 'page-3']) await client.start('gate', null, id);
    const first = await client.call('GET', 'instances?instanceIdPrefix=page-&top=2');
    const token = first.headers.get('x-ms-continuation-token') ?? '';
    expect(await first.json()).toHaveLength(2);
    const headers = { 'x-ms-continuation-token': token };
    const second = await fetch(`${client.base}/instances?instanceIdPrefix=page-&top=2`, { headers });
    expect(await second.json()).toMatchObject([{ instanceId: 'page-3' }]);
    expect(second.headers.get('x-ms-continuation-token')).toBeNull();
  });
});

describe('an instance', () => {
  it('can be terminated with a reason, and then answers 410', async () => {
    const id = await client.start('gate');
    expect((await post(`instances/${id}/terminate?reason=no%20time`)).status).toBe(202);
    const status = await client.ends(id);
    expect([status.runtimeStatus, status.output]).toEqual(['Terminated', 'no time']);
    expect((await post(`instances/${id}/terminate?reason=again`)).status).toBe(410);
    expect(await client.raise(id, 'go')).toBe(410);
  });

  it('keeps events while it is suspended and takes them when resumed', async () => {
    const id = await client.start('gate');
    await client.reaches(id, 'Running');
    expect((await post(`instances/${id}/suspend?reason=pause`)).status).toBe(202);
    await client.reaches(id, 'Suspended');
    expect((await post(`instances/${id}/suspend?reason=pause`)).status, 'suspended twice').toBe(500);
    await client.raise(id, 'go', 'kept');
    expect((await client.status(id)).runtimeStatus).toBe('Suspended');
    expect((await post(`instances/${id}/resume?reason=on`)).status).toBe(202);
    expect((await client.ends(id)).output).toBe('kept');
  });

  it('cannot be resumed while it is running', async () => {
    const id = await client.start('gate');
    await client.reaches(id, 'Running');
    expect((await post(`instances/${id}/resume`)).status).toBe(500);
  });

  it('can be purged when it has ended, and only then', async () => {
    const id = await client.start('gate');
    await client.reaches(id, 'Running');
    const refused = await client.call('DELETE', `instances/${id}`);
    expect([refused.status, await refused.json()]).toEqual([412, expect.stringContaining('has status Running')]);
    await client.raise(id, 'go', 'lives on');
    expect((await client.ends(id)).output).toBe('lives on');
    const purged = await client.call('DELETE', `instances/${id}`);
    expect(await purged.json()).toEqual({ instancesDeleted: 1 });
    expect((await client.call('GET', `instances/${id}`)).status).toBe(404);
    expect((await client.call('DELETE', `instances/${id}`)).status).toBe(404);
  });

  it('is not found when it does not exist', async () => {
    expect(await client.raise('unknown', 'go')).toBe(404);
    expect((await post('instances/unknown/terminate')).status).toBe(404);
  });

  it('takes an event only as JSON and under a name that is no number', async () => {
    const id = await client.start('gate');
    const headers = { 'content-type': 'application/json' };
    const empty = await fetch(`${client.base}/instances/${id}/raiseEvent/go`, { method: 'POST', headers });
    expect(empty.status).toBe(400);
    const plain = await fetch(`${client.base}/instances/${id}/raiseEvent/go`, { method: 'POST', body: '1' });
    expect(plain.status).toBe(400);
    expect(await client.raise(id, '0')).toBe(400);
  });
});

describe('purging by query', () => {
  it('removes ended instances of the given statuses and counts them', async () => {
    const from = new Date(Date.now() - 60_000).toISOString();
    await client.run('throws', 'to be purged');
    const purged = await client.call('DELETE', `instances?createdTimeFrom=${from}&runtimeStatus=Failed`);
    expect(((await purged.json()) as { instancesDeleted: number }).instancesDeleted).toBeGreaterThanOrEqual(1);
    expect((await client.call('DELETE', `instances?createdTimeFrom=${from}&runtimeStatus=Failed`)).status).toBe(404);
  });

  it('is refused when it names only what has not ended, where Azure would remove everything', async () => {
    const id = await client.start('gate');
    for (const statuses of ['Running', 'Pending,Suspended', 'Nonsense']) {
      const query = `createdTimeFrom=2000-01-01&runtimeStatus=${statuses}`;
      expect((await client.call('DELETE', `instances?${query}`)).status).toBe(400);
    }
    expect((await client.call('GET', `instances/${id}`)).status).toBe(202);
  });

  it('must say from when', async () => {
    expect((await client.call('DELETE', 'instances?runtimeStatus=Failed')).status).toBe(400);
  });
});
