import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../support/host-process.js';
import { MarkedHost } from '../support/marked-host.js';

async function newHost(): Promise<MarkedHost> {
  const host = await new MarkedHost().start();
  onTestFinished(async () => await host.dispose());
  return host;
}

describe('after kill -9 a restarted host', () => {
  const host = new MarkedHost();
  const steps = ['s-a', 's-b', 's-c', 's-d'].map((mark) => ({ mark, ms: 200 }));
  const fan = Array.from({ length: 150 }, (_, index) => ({ mark: `f-${index}`, ms: index * 4 }));
  const post = async (path: string) => await host.client.call('POST', path);
  const suspend = async (id: string) => {
    await post(`instances/${id}/suspend?reason=x`);
    await host.client.reaches(id, 'Suspended');
  };

  beforeAll(async () => {
    await host.start();
    const { client } = host;
    await client.start('gate', null, 'event');
    await client.reaches('event', 'Running');
    await suspend('event');
    await client.start('slowly', [{ mark: 'r', ms: 200 }], 'result');
    await until(() => host.marks('r').length === 1);
    await suspend('result');
    await client.start('naps', 2000, 'timer');
    await client.start('slowly', steps, 'sequence');
    await client.start('slowlyAll', fan, 'fan');
    await until(() => host.marks('s-c').length === 1 && host.marks('f-').length > 40);
    await until(async () => (await host.tables.rows('result')).some(({ rowKey }) => rowKey.startsWith('parked-')));
    await client.raise('event', 'go', 'kept');
    await client.start('sequence', [1], 'started');
    await host.killAndRestart();
  });
  afterAll(async () => await host.dispose());

  it('goes on with a sequence where it was, and repeats only what was running', async () => {
    expect((await host.client.ends('sequence')).output).toEqual(['s-a', 's-b', 's-c', 's-d']);
    const marks = host.marks('s-');
    expect(new Set(marks).size).toBe(4);
    expect(marks.length).toBeLessThanOrEqual(5);
  });

  it('loses no result of a fan-out', async () => {
    expect((await host.client.ends('fan')).output).toEqual(fan.map(({ mark }) => mark));
  });

  it('fires the timers that were armed', async () => {
    expect((await host.client.ends('timer')).output).toBe('awake');
  });

  it('runs what had only been started', async () => {
    expect((await host.client.ends('started')).output).toEqual([1]);
  });

  it('delivers an event that was acknowledged while the instance was suspended', async () => {
    await post('instances/event/resume?reason=x');
    expect((await host.client.ends('event')).output).toBe('kept');
  });

  it('keeps a result that came while the instance was suspended', async () => {
    await post('instances/result/resume?reason=x');
    expect((await host.client.ends('result')).output).toEqual(['r']);
    expect(host.marks('r')).toEqual(['r']);
  });
});

it('kill -9 at any moment leaves a family of orchestrations that completes', async () => {
  const host = await newHost();
  const items = Array.from({ length: 6 }, (_, index) => ({ mark: `m${index}`, ms: 40 + 60 * index }));
  const id = await host.client.start('family', items);
  for (const count of [1, 7]) {
    await until(() => host.marks().length >= count);
    await host.killAndRestart();
  }
  expect((await host.client.ends(id)).output).toEqual(items.map(({ mark }) => mark));
});

it('a stopped host lets a running activity end and keeps its result', async () => {
  const host = await newHost();
  const id = await host.client.start('slowly', [{ mark: 'a', ms: 400 }]);
  await until(() => host.marks().length === 1);
  expect(await host.stop()).toBe(0);
  await host.start();
  expect((await host.client.ends(id)).output).toEqual(['a']);
  expect(host.marks()).toEqual(['a']);
});

describe('a host that died between two steps of a checkpoint', () => {
  const host = new MarkedHost();
  const family = async (id: string) => {
    await host.client.start('family', [{ mark: id, ms: 1 }], id);
    await host.client.ends(id);
    const created = (await host.tables.rows(id)).find((row) => row['EventType'] === 'SubOrchestrationInstanceCreated');
    return String(created?.['InstanceId']);
  };

  beforeAll(async () => {
    await host.start();
    const { client, tables } = host;
    await client.start('sequence', [1], 'stale-row');
    await client.ends('stale-row');
    await family('untold-parent');
    const missing = await family('childless-parent');
    const rowless = await family('parent-of-rowless');
    await client.start('fanOut', 150, 'half-turn');
    await client.ends('half-turn');
    await host.stop();

    await tables.change('stale-row', { RuntimeStatus: 'Running', Output: '' });
    for (const id of ['untold-parent', 'childless-parent', 'parent-of-rowless']) await tables.forgetAllButFirstTurn(id);
    await tables.forget(missing);
    await tables.forgetAllButFirstTurn(rowless);
    await tables.instances.deleteEntity(rowless, '');
    await tables.cut('half-turn', 99);
    await tables.history.updateEntity(
      { partitionKey: 'half-turn', rowKey: 'sentinel', IsCheckpointComplete: false },
      'Merge',
    );
    await tables.change('half-turn', { RuntimeStatus: 'Pending' });
    await host.start();
  });
  afterAll(async () => await host.dispose());

  it('history and row: the row is put right', async () => {
    expect(await host.client.status('stale-row')).toMatchObject({ runtimeStatus: 'Completed', output: [1] });
  });

  it("a child's end and its parent learning of it: the parent is told, and nothing runs again", async () => {
    expect((await host.client.ends('untold-parent')).output).toEqual(['untold-parent']);
    expect(host.marks('untold-parent')).toHaveLength(1);
  });

  it('a parent asking for a child and the child being made: the child is made', async () => {
    expect((await host.client.ends('childless-parent')).output).toEqual(['childless-parent']);
    expect(host.marks('childless-parent')).toHaveLength(2);
  });

  it("a child's history and its row: the child is found by its history", async () => {
    expect((await host.client.ends('parent-of-rowless')).output).toEqual(['parent-of-rowless']);
  });

  it('two batches of one turn: that turn is repeated', async () => {
    expect((await host.client.ends('half-turn')).output).toHaveLength(150);
  });
});
