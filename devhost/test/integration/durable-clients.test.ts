import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientMessage, QueueingClient, startMessage } from '../support/client-messages.js';
import { MarkedHost } from '../support/marked-host.js';
import { until } from '../support/until.js';

const host = new MarkedHost('attentive');
const other = new QueueingClient(host.hub, 3);
beforeAll(async () => await host.start());
afterAll(async () => await host.dispose());

const post = async (path: string) => {
  const response = await host.client.call('POST', path);
  return [response.status, JSON.parse((await response.text()) || 'null')] as [number, unknown];
};

describe('rewind', () => {
  it('runs again what failed in a failed instance', async () => {
    const id = await host.client.start('parentOfFlaky', { key: 'rewound', failures: 1 });
    expect((await host.client.ends(id)).runtimeStatus).toBe('Failed');
    expect(await post(`instances/${id}/rewind?reason=mended`)).toEqual([202, null]);
    expect((await host.client.ends(id)).output).toBe('rewound after 2');
  });

  it('refuses any other instance with a sentence, as the real host does', async () => {
    const { instanceId } = await host.client.run('sequence', [1]);
    expect(await post(`instances/${instanceId}/rewind?reason=x`)).toEqual([
      412,
      'This orchestration has status Completed, but only orchestrations in the "Failed" state can be rewound.',
    ]);
    expect(await post('instances/nobody/rewind?reason=x')).toEqual([
      404,
      'No orchestration with instance ID "$nobody" found.',
    ]);
  });
});

describe('restart', () => {
  it('starts a new instance with the name and input of another, or that one anew', async () => {
    const { instanceId } = await host.client.run('sequence', [{ a: 1 }]);
    const [status, body] = await post(`instances/${instanceId}/restart`);
    const { id } = body as { id: string };
    expect([status, id === instanceId]).toEqual([202, false]);
    expect(await host.client.ends(id)).toMatchObject({ name: 'sequence', output: [{ a: 1 }] });
    const [, same] = await post(`instances/${instanceId}/restart?restartWithNewInstanceId=false`);
    expect(same).toMatchObject({ id: instanceId });
    expect((await host.client.ends(instanceId)).output).toEqual([{ a: 1 }]);
  });

  it('answers 400 for an instance that nobody has started', async () => {
    expect(await post('instances/nobody/restart')).toMatchObject([
      400,
      { ExceptionMessage: "No instance with ID 'nobody' was found. (Parameter 'instanceId')" },
    ]);
  });
});

describe('a client that knows only the storage', () => {
  const event = (instanceId: string, data: unknown) =>
    clientMessage('raised', { instanceId, event: { Name: 'go', Input: JSON.stringify(data) } });

  it('finds the queues and the parameters of a hub', async () => {
    expect(await other.queues()).toEqual(['control-00', 'control-01', 'control-02', 'workitems']);
    const partitions: unknown[] = [];
    for await (const { rowKey } of host.tables.open('Partitions').listEntities()) partitions.push(rowKey);
    expect(partitions).toHaveLength(3);
  });

  it('starts an instance, suspends it, resumes it, raises an event for it', async () => {
    const row = { Name: 'gate', Version: '', RuntimeStatus: 'Pending', Input: '{"a":1}', TaskHubName: host.hub };
    const times = { CreatedTime: new Date(), LastUpdatedTime: new Date() };
    const key = { partitionKey: 'from-outside', rowKey: '' };
    await other.send('from-outside', startMessage('gate', { a: 1 }, { instanceId: 'from-outside', executionId: 'e1' }));
    await host.tables.instances.createEntity({ ...key, ...row, ...times, ExecutionId: 'e1' }).catch(() => undefined);
    await until(
      async () => (await host.client.status('from-outside').catch(() => undefined))?.customStatus === 'waiting',
    );
    await other.send(
      'from-outside',
      clientMessage('suspended', { instanceId: 'from-outside', event: { Reason: 'a' } }),
    );
    await host.client.reaches('from-outside', 'Suspended');
    await other.send('from-outside', clientMessage('resumed', { instanceId: 'from-outside', event: { Reason: 'b' } }));
    await host.client.reaches('from-outside', 'Running');
    const base64 = Buffer.from(JSON.stringify(event('from-outside', { yes: 'ä€😀' }))).toString('base64');
    await other.send('from-outside', base64);
    expect(await host.client.ends('from-outside')).toMatchObject({
      name: 'gate',
      input: { a: 1 },
      output: { yes: 'ä€😀' },
    });
  });

  it('sends inputs and events of any length', async () => {
    const long = 'é'.repeat(60_000);
    const start = startMessage('gate', long, { instanceId: 'long', executionId: 'e1' });
    const Input = other.longUrl('long', 'ExecutionStarted').replace('127.0.0.1', 'storage.example');
    const row = { Name: 'gate', RuntimeStatus: 'Pending', ExecutionId: 'e1', CreatedTime: new Date() };
    await host.tables.instances.createEntity({ partitionKey: 'long', rowKey: '', ...row, Input });
    await other.sendLong('long', start, 'ExecutionStarted');
    await until(async () => (await host.client.status('long').catch(() => undefined))?.customStatus === 'waiting');
    await other.sendLong('long', event('long', long), 'EventRaised');
    expect(await host.client.ends('long')).toMatchObject({ input: long, output: long });
  });

  it('terminates, and hears in the log of what came too late or cannot be read', async () => {
    await host.client.start('gate', null, 'x-slow');
    const terminate = clientMessage('terminated', {
      instanceId: 'x-slow',
      event: { Input: '"\\u0022from outside\\u0022"' },
    });
    await other.send('x-slow', terminate);
    expect(await host.client.ends('x-slow')).toMatchObject({ runtimeStatus: 'Terminated', output: '"from outside"' });
    await other.send('x-slow', terminate);
    await other.send('x-slow', '<rubbish>');
    await until(() => host.log.includes('set aside'));
    expect(host.log).toContain('ExecutionTerminated for instance x-slow was discarded: the instance is Terminated.');
    const queue = other.queueOf('x-slow').slice(host.hub.length + 1);
    expect(await other.waiting(`${queue}-poison`)).toEqual(['<rubbish>']);
    expect(await other.waiting(queue)).toEqual([]);
  });

  it('rewinds instances in the tables and wakes the one that failed', async () => {
    const id = await host.client.start('parentOfFlaky', { key: 'by table', failures: 1 });
    await host.client.ends(id);
    const child = String((await host.tables.rows(id)).find((row) => row['InstanceId'] !== undefined)?.['InstanceId']);
    const failing = new Set(['TaskScheduled', 'TaskFailed', 'SubOrchestrationInstanceFailed', 'ExecutionCompleted']);
    for (const each of [child, id]) {
      for (const row of await host.tables.rows(each)) {
        const EventType = String(row['EventType']);
        if (!failing.has(EventType)) continue;
        const undone = { ...row, EventType: 'GenericEvent', Reason: `Rewound: ${EventType}` };
        await host.tables.history.updateEntity(undone, 'Replace');
      }
      await host.tables.change(each, { RuntimeStatus: 'Pending' });
    }
    await other.send(child, clientMessage('generic', { instanceId: child, event: { Data: 'mended' } }));
    expect(await host.client.ends(id)).toMatchObject({ runtimeStatus: 'Completed', output: 'by table after 2' });
  });

  it('leaves an instance Pending in the table without a message, and it is started', async () => {
    const row = { Name: 'sequence', RuntimeStatus: 'Pending', ExecutionId: 'e', Input: '[1]', CreatedTime: new Date() };
    await host.tables.instances.createEntity({ partitionKey: 'unannounced', rowKey: '', ...row });
    expect((await host.client.ends('unannounced')).output).toEqual([1]);
  });
});
