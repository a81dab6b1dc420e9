import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../support/until.js';
import { MarkedHost, startMarkedHost } from '../../support/marked-host.js';

it('a stopped host lets a running activity end and keeps its result', async () => {
  const host = await startMarkedHost();
  const id = await host.client.start('slowly', [{ mark: 'a', ms: 400 }]);
  await until(() => host.marks().length === 1);
  expect(await host.stop()).toBe(0);
  await host.start();
  expect((await host.client.ends(id)).output).toEqual(['a']);
  expect(host.marks()).toEqual(['a']);
});

describe('after a host died between two steps of a checkpoint, the next one', () => {
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

  it('corrects a row that says Running when the history has ended', async () => {
    expect(await host.client.status('stale-row')).toMatchObject({ runtimeStatus: 'Completed', output: [1] });
  });

  it('tells a parent of a child that ended unnoticed, and runs nothing again', async () => {
    expect((await host.client.ends('untold-parent')).output).toEqual(['untold-parent']);
    expect(host.marks('untold-parent')).toHaveLength(1);
  });

  it("makes the child that a parent's history asks for", async () => {
    expect((await host.client.ends('childless-parent')).output).toEqual(['childless-parent']);
    expect(host.marks('childless-parent')).toHaveLength(2);
  });

  it('finds a child by its history when its row is missing', async () => {
    expect((await host.client.ends('parent-of-rowless')).output).toEqual(['parent-of-rowless']);
  });

  it('repeats a turn of which only the first batch was stored', async () => {
    expect((await host.client.ends('half-turn')).output).toHaveLength(150);
  });
});
