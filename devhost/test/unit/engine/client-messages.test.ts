import { describe, expect, it } from 'vitest';
import { MemoryBackend } from '../../../src/backend/memory-backend.js';
import type { HistoryEvent } from '../../../src/protocol/history.js';
import '../../support/app-in-process.js';
import { clientMessage, startMessage } from '../../support/client-messages.js';
import { EngineInProcess } from '../../support/engine-in-process.js';
import { dyingBefore } from '../../support/faulty-backend.js';
import { until } from '../../support/until.js';

const df = await import('durable-functions');

df.app.orchestration('collects', function* (context) {
  const seen: unknown[] = [];
  for (let left = context.df.getInput<number>(); left > 0; left -= 1)
    seen.push(yield context.df.waitForExternalEvent('item'));
  return seen;
});
df.app.orchestration('returnsInput', function* (context) {
  return yield context.df.callActivity('same', context.df.getInput());
});
const broken = new Set<string>();
df.app.activity('same', {
  handler: (input: unknown) => {
    if (typeof input === 'string' && broken.has(input)) throw new Error(`${input} is broken`);
    return input;
  },
});
df.app.orchestration('hasChild', function* (context) {
  return yield context.df.callSubOrchestrator('returnsInput', context.df.getInput());
});

/** An engine on a hub in memory, and what a client of that hub can do. */
class Hub {
  readonly storage = new MemoryBackend();
  engine = new EngineInProcess(this.storage);

  async send(...messages: object[]): Promise<void> {
    for (const message of messages) this.storage.inbox.send(JSON.stringify(message));
    await this.engine.takeMessages();
  }

  /** What the client writes with, or instead of, its message. */
  async row(instanceId: string, name: string, executionId: string, more: object = {}): Promise<void> {
    const now = new Date();
    await this.storage.instances.put({
      instanceId,
      name,
      executionId,
      version: '',
      status: 'Pending',
      input: '"from the row"',
      output: null,
      customStatus: null,
      createdTime: now,
      lastUpdatedTime: now,
      completedTime: undefined,
      generation: 0,
      parentInstanceId: null,
      parentTraceContext: null,
      ...more,
    });
  }

  async isEmpty(): Promise<boolean> {
    this.storage.inbox.reappear();
    return (await this.storage.inbox.receive()).length === 0;
  }
}
const item = (instanceId: string, data: unknown) =>
  clientMessage('raised', { instanceId, event: { Name: 'item', Input: JSON.stringify(data) } });

describe('a message of another client', () => {
  it('starts an instance, once, whatever comes first: message or row', async () => {
    const hub = new Hub();
    await hub.send(startMessage('returnsInput', 'm', { instanceId: 'only-message', executionId: 'e1' }));
    await hub.row('row-first', 'returnsInput', 'e2', { input: '"m"' });
    const second = startMessage('returnsInput', 'm', { instanceId: 'row-first', executionId: 'e2' });
    await hub.send(second, second);
    for (const id of ['only-message', 'row-first']) {
      expect(await hub.engine.ends(id)).toMatchObject({ runtimeStatus: 'Completed', output: 'm', input: 'm' });
      expect(
        (await hub.storage.histories.load(id)).events.filter((e) => e.EventType === 'ExecutionStarted'),
      ).toHaveLength(1);
    }
    await hub.send(second);
    expect((await hub.engine.status('row-first')).runtimeStatus).toBe('Completed');
    expect(hub.engine.warnings).toEqual([]);
    expect(await hub.isEmpty()).toBe(true);
  });

  it('starts an ended instance anew, but never a running one, and never because it came late', async () => {
    const hub = new Hub();
    const late = startMessage('returnsInput', 'late', { instanceId: 'again', executionId: 'e0' });
    await hub.engine.start('collects', 1, 'running');
    await hub.send(startMessage('returnsInput', 'first', { instanceId: 'again', executionId: 'e1' }));
    await hub.engine.ends('again');
    await hub.send(startMessage('returnsInput', 'second', { instanceId: 'again', executionId: 'e2' }));
    expect((await hub.engine.ends('again')).output).toBe('second');
    await hub.send(late, startMessage('returnsInput', 1, { instanceId: 'running', executionId: 'e3' }));
    expect((await hub.engine.status('again')).output).toBe('second');
    expect(hub.engine.warnings).toEqual([
      'ExecutionStarted for instance again was discarded: the instance is Completed.',
      'ExecutionStarted for instance running was discarded: the instance is Running.',
    ]);
  });

  it('starts an ended instance anew whose row its client has replaced already, with a message or without', async () => {
    const hub = new Hub();
    for (const id of ['told', 'untold']) {
      await hub.engine.start('returnsInput', 'first', id);
      await hub.engine.ends(id);
      await hub.row(id, 'returnsInput', 'e2', { input: '"second"' });
    }
    await hub.send(startMessage('returnsInput', 'second', { instanceId: 'told', executionId: 'e2' }));
    expect((await hub.engine.ends('told')).output).toBe('second');
    await hub.engine.wakePending();
    await hub.engine.wakePending();
    expect((await hub.engine.ends('untold')).output).toBe('second');
  });

  it('that starts an instance later leaves it pending, suspended and resumed or not, and another can end it', async () => {
    const hub = new Hub();
    const event = { ScheduledStartTime: new Date(Date.now() + 3_600_000).toISOString() };
    for (const instanceId of ['later', 'never', 'dropped']) {
      await hub.send(startMessage('returnsInput', 1, { instanceId, executionId: 'e', event }));
      await hub.send(
        clientMessage('suspended', { instanceId, event: { Reason: 'wait' } }),
        clientMessage('resumed', { instanceId }),
      );
    }
    await hub.send(clientMessage('terminated', { instanceId: 'never', event: { Input: 'changed my mind' } }));
    expect(await hub.engine.ends('never')).toMatchObject({ runtimeStatus: 'Terminated', output: 'changed my mind' });
    await hub.engine.terminate('dropped', 'by the management API');
    expect(await hub.engine.ends('dropped')).toMatchObject({ runtimeStatus: 'Terminated' });
    const events = (await hub.storage.histories.load('never')).events.map(({ EventType }) => EventType);
    expect(events).not.toContain('TaskScheduled');
    const next = await new EngineInProcess(hub.storage).recover();
    await next.wakePending();
    expect((await next.status('later')).runtimeStatus).toBe('Pending');
  });

  it('that starts an instance later is obeyed by the next host when the time has come', async () => {
    const hub = new Hub();
    const startAt = new Date(Date.now() + 200);
    const event = { ScheduledStartTime: startAt.toISOString() };
    await hub.send(startMessage('returnsInput', 1, { instanceId: 'later', executionId: 'e', event }));
    const next = await new EngineInProcess(hub.storage).recover();
    await until(async () => {
      await next.wakePending();
      return (await next.status('later')).runtimeStatus === 'Completed';
    });
    expect(Date.now()).toBeGreaterThanOrEqual(startAt.getTime());
  });

  it('reaches its instance in the order in which it came', async () => {
    const hub = new Hub();
    await hub.engine.start('collects', 40, 'order');
    const numbers = Array.from({ length: 40 }, (_, index) => index);
    await hub.send(...numbers.map((number) => item('order', number)));
    expect((await hub.engine.ends('order')).output).toEqual(numbers);
  });

  it('suspends, resumes and terminates', async () => {
    const hub = new Hub();
    await hub.engine.start('collects', 1, 'steered');
    await hub.send(clientMessage('suspended', { instanceId: 'steered', event: { Reason: 'lunch' } }));
    expect(await hub.engine.reaches('steered', 'Suspended')).toMatchObject({ output: 'lunch' });
    await hub.send(clientMessage('resumed', { instanceId: 'steered', event: { Reason: 'back' } }));
    await hub.engine.reaches('steered', 'Running');
    await hub.send(clientMessage('terminated', { instanceId: 'steered', event: { Input: '"\\u0022enough\\u0022"' } }));
    expect(await hub.engine.ends('steered')).toMatchObject({ runtimeStatus: 'Terminated', output: '"enough"' });
  });

  it('for an instance that has ended or never was is discarded and told of', async () => {
    const hub = new Hub();
    await hub.engine.start('returnsInput', 1, 'ended');
    await hub.engine.ends('ended');
    await hub.send(item('ended', 1), clientMessage('terminated', { instanceId: 'nobody' }));
    expect(hub.engine.warnings).toEqual([
      'EventRaised for instance ended was discarded: the instance is Completed.',
      'ExecutionTerminated for instance nobody was discarded: there is no such instance.',
    ]);
    expect(await hub.isEmpty()).toBe(true);
  });

  it('that nobody can act upon is set aside and told of once, and those behind it are not held up', async () => {
    const hub = new Hub();
    await hub.engine.start('collects', 1, 'behind');
    hub.storage.inbox.send('rubbish');
    const bad = clientMessage('raised', { instanceId: 'a\u2028b', event: { Name: 'item', Input: '1' } });
    await hub.send(clientMessage('completed', { instanceId: 'behind' }), bad, item('behind', 'good'));
    expect((await hub.engine.ends('behind')).output).toEqual(['good']);
    expect(hub.storage.inbox.setAsideTexts).toHaveLength(3);
    expect(hub.engine.warnings.map((text) => text.split('. ')[0])).toEqual(
      Array.from({ length: 3 }, () => 'A message in the queue memory was set aside in memory-poison'),
    );
    await hub.engine.takeMessages();
    expect(hub.engine.warnings).toHaveLength(3);
  });
});

it('an instance that is Pending in storage without a message is started', async () => {
  const hub = new Hub();
  await hub.row('at-start', 'returnsInput', 'e1');
  await hub.engine.recover();
  expect((await hub.engine.ends('at-start')).output).toBe('from the row');
  await hub.row('meanwhile', 'returnsInput', 'e2');
  await hub.engine.wakePending();
  expect((await hub.engine.status('meanwhile')).runtimeStatus, 'its message may be on its way').toBe('Pending');
  await hub.engine.wakePending();
  expect((await hub.engine.ends('meanwhile')).output).toBe('from the row');
});

it('a family that a client has rewound in storage runs again when the client calls the one that failed', async () => {
  const hub = new Hub();
  broken.add('x');
  const id = await hub.engine.start('hasChild', 'x', 'family');
  await hub.engine.ends(id);
  broken.delete('x');
  let child = '';
  for await (const row of hub.storage.instances.all({})) if (row.instanceId !== id) child = row.instanceId;
  for (const each of [child, id]) {
    const { executionId = '', etag, events } = await hub.storage.histories.load(each);
    const failing = /^(TaskFailed|TaskScheduled|SubOrchestrationInstanceFailed|ExecutionCompleted)$/;
    const rewound = events.map((event): HistoryEvent => {
      const { EventType, EventId, Timestamp } = event;
      if (!failing.test(EventType)) return event;
      return { EventType: 'GenericEvent', Reason: `Rewound: ${EventType}`, EventId, Timestamp };
    });
    const checkpoint = {
      instanceId: each,
      executionId,
      etag,
      firstIndex: 0,
      isFresh: false,
      events: rewound,
      consumed: [],
    };
    await hub.storage.histories.append(checkpoint);
    const row = await hub.storage.instances.get(each);
    if (row) await hub.storage.instances.put({ ...row, status: 'Pending' });
  }
  await hub.send(clientMessage('generic', { instanceId: child, event: { Data: 'mended' } }));
  expect(await hub.engine.ends(id)).toMatchObject({ runtimeStatus: 'Completed', output: 'x' });
});

it('a host that dies before any of its writes takes each message exactly once and in order', async () => {
  const lives = async (nth: number, again: number) => {
    const hub = new Hub();
    const { backend, fault, count } = dyingBefore(nth, hub.storage);
    const doomed = new EngineInProcess(backend);
    for (const message of [
      startMessage('collects', 3, { instanceId: 'g', executionId: 'e' }),
      item('g', 1),
      item('g', 2),
      item('g', 3),
    ])
      hub.storage.inbox.send(JSON.stringify(message));
    const life = async (engine: EngineInProcess) => {
      await engine.takeMessages();
      await engine.ends('g');
    };
    await Promise.race([life(doomed), fault]);
    const second = dyingBefore(again, hub.storage);
    const secondLife = async () => {
      const engine = await new EngineInProcess(second.backend).recover();
      // What is parked is worked off before the same messages come again.
      await engine.stop();
      hub.storage.inbox.reappear();
      await life(await new EngineInProcess(second.backend).recover());
    };
    await Promise.race([secondLife(), second.fault]);
    const last = await new EngineInProcess(hub.storage).recover();
    hub.storage.inbox.reappear();
    await life(last);
    expect((await last.status('g')).output, `after deaths before writes ${nth} and ${again}`).toEqual([1, 2, 3]);
    expect(await hub.isEmpty()).toBe(true);
    return count();
  };
  const writes = await lives(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  expect(writes).toBeGreaterThan(10);
  const pairs = Array.from({ length: writes }, (_, index) =>
    [1, 2, 3, 5, 8].map((again) => [index + 1, again] as const),
  );
  await Promise.all(pairs.flat().map(([nth, again]) => lives(nth, again)));
});
