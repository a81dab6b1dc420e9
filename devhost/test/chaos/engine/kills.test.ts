import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../support/until.js';
import { treeOf } from '../../support/trace-tree.js';
import { MarkedHost, startMarkedHost } from '../../support/marked-host.js';

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

it('kill -9 at any moment leaves a family of orchestrations that completes, in one trace without holes', async () => {
  const host = await startMarkedHost();
  const items = Array.from({ length: 6 }, (_, index) => ({ mark: `m${index}`, ms: 40 + 60 * index }));
  const id = await host.client.start('family', items);
  for (const count of [1, 7]) {
    await until(() => host.marks().length >= count);
    await host.killAndRestart();
  }
  expect((await host.client.ends(id)).output).toEqual(items.map(({ mark }) => mark));
  const call = ['client activity:slow', ['server activity:slow']];
  const child = ['client orchestration:slowly', [['server orchestration:slowly', [call]]]];
  const family = ['server orchestration:family', ['internal orchestration:family:timer', ...items.map(() => child)]];
  expect(treeOf(host.spans(), undefined)).toEqual([['client create_orchestration:family', [family]]]);
});
