import { beforeAll, describe, expect, it } from 'vitest';
import { type Backend, HistoryConflict, type InstanceRow } from '../../src/backend/backend.js';
import type { EventBody, HistoryEvent } from '../../src/protocol/history.js';

const LONGER_THAN_A_CELL = 'é'.repeat(50_000);

/** What the engine relies on, whatever the storage: the same tests for every implementation of `Backend`. */
export function backendConformance(name: string, open: () => Promise<Backend>): void {
  describe(name, () => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await open();
    });

    const append = async (
      instanceId: string,
      etag: string | undefined,
      firstIndex: number,
      events: HistoryEvent[],
      { consumed = [], executionId = 'e' }: { consumed?: string[]; executionId?: string } = {},
    ) => await backend.histories.append({ instanceId, executionId, etag, firstIndex, events, consumed });
    const names = async (id: string) => (await backend.histories.load(id)).events.map(nameOf);

    describe('a history', () => {
      it('is empty for an instance that storage does not know', async () => {
        const empty = { executionId: undefined, etag: undefined, events: [], parked: [] };
        expect(await backend.histories.load('unknown')).toEqual(empty);
      });

      it('grows by the turns that are appended, and gets another ETag each time', async () => {
        const first = await append('grows', undefined, 0, [raised('a'), raised('b')]);
        const second = await append('grows', first, 2, [raised('c')]);
        expect(second).not.toBe(first);
        expect(await backend.histories.load('grows')).toMatchObject({ etag: second, executionId: 'e' });
        expect(await names('grows')).toEqual(['a', 'b', 'c']);
      });

      it('refuses the checkpoint of a writer who has missed another one, and takes nothing of it', async () => {
        const first = await append('lock', undefined, 0, [raised('a')]);
        await append('lock', first, 1, [raised('b')]);
        await expect(append('lock', first, 1, [raised('late'), raised('too late')])).rejects.toThrow(HistoryConflict);
        expect(await names('lock')).toEqual(['a', 'b']);
      });

      it('refuses a first checkpoint when there is one already', async () => {
        await append('first', undefined, 0, [raised('a')]);
        await expect(append('first', undefined, 0, [raised('b')])).rejects.toThrow(HistoryConflict);
        expect(await names('first')).toEqual(['a']);
      });

      it('refuses a checkpoint that was stored while its answer was lost', async () => {
        const first = await append('lost answer', undefined, 0, [raised('a')]);
        await append('lost answer', first, 1, [raised('b')]);
        await expect(append('lost answer', first, 1, [raised('b')])).rejects.toThrow(HistoryConflict);
        expect(await names('lost answer')).toEqual(['a', 'b']);
      });

      it('gives every kind of event back as it was', async () => {
        const events = EVERY_EVENT.map((body, index) => at(body, index % 2 ? index : -1));
        await append('kinds', undefined, 0, events);
        expect((await backend.histories.load('kinds')).events).toEqual(events);
      });

      it('takes texts of any length', async () => {
        const body: EventBody = { EventType: 'TaskCompleted', TaskScheduledId: 0, Result: LONGER_THAN_A_CELL };
        await append('text', undefined, 0, [at(body)]);
        expect((await backend.histories.load('text')).events).toEqual([at(body)]);
      });

      it('takes texts of any characters', async () => {
        const Input = JSON.stringify('ä€😀\u2028\u2029\u0085\u0000\ud800 --changeset_1 DELETE http://a/b "}{ end');
        const raw = { ...raised('\u2028 name \u2029'), Input: '"\u2028\u2029"' };
        await append('characters', undefined, 0, [at({ ...raised('text'), Input }), at(raw)]);
        expect((await backend.histories.load('characters')).events).toEqual([
          at({ ...raised('text'), Input }),
          at(raw),
        ]);
        await backend.histories.park('characters', raw);
        expect((await backend.histories.load('characters')).parked).toMatchObject([{ body: raw }]);
      });

      it('takes turns of any size', async () => {
        const Input = 'x'.repeat(30_000);
        const events = Array.from({ length: 120 }, (_, index) => at({ ...raised(`${index}`), Input }));
        await append('large', undefined, 0, events);
        expect(await names('large')).toEqual(events.map((_, index) => String(index)));
      });

      it('takes a checkpoint that was thought to be fresh, though events stand in its place', async () => {
        const first = await append('not fresh', undefined, 0, [raised('a'), raised('b'), raised('c')]);
        const next = { instanceId: 'not fresh', executionId: 'next', isFresh: true, consumed: [] };
        const etag = await backend.histories.append({ ...next, etag: first, firstIndex: 0, events: [raised('anew')] });
        await backend.histories.append({ ...next, etag, firstIndex: 1, events: [raised('more')] });
        expect(await names('not fresh')).toEqual(['anew', 'more']);
        const stale = backend.histories.append({ ...next, etag, firstIndex: 2, events: [raised('late')] });
        await expect(stale).rejects.toThrow(HistoryConflict);
      });

      it('of an earlier execution is gone when a new execution has begun', async () => {
        const first = await append('again', undefined, 0, [raised('a'), raised('b'), raised('c')]);
        await append('again', first, 0, [raised('anew')], { executionId: 'next' });
        expect(await backend.histories.load('again')).toMatchObject({ executionId: 'next' });
        expect(await names('again')).toEqual(['anew']);
      });

      it('can be cleared, messages included, and begun afresh', async () => {
        await append('cleared', undefined, 0, [raised('a')]);
        await backend.histories.park('cleared', raised('parked'));
        await backend.histories.clear('cleared');
        expect(await backend.histories.load('cleared')).toMatchObject({ etag: undefined, events: [], parked: [] });
        await append('cleared', undefined, 0, [raised('b')]);
        expect(await names('cleared')).toEqual(['b']);
      });

      it('can be cleared together with others, and those between them stay', async () => {
        const all = ['many-a', 'many-b', 'many-c', 'many-d/e'];
        for (const id of all) await append(id, undefined, 0, [raised(id)]);
        const Result = LONGER_THAN_A_CELL;
        await append('many-f', undefined, 0, [at({ EventType: 'TaskCompleted', TaskScheduledId: 0, Result })]);
        await backend.histories.clearAll(['many-f', 'many-d/e', 'many-a', 'many-c', 'many-unknown']);
        for (const id of [...all, 'many-f'])
          expect((await backend.histories.load(id)).events.map(nameOf), id).toEqual(id === 'many-b' ? [id] : []);
      });

      it('can be cleared by several at the same moment', async () => {
        const all = ['race-a', 'race-b', 'race-c'];
        for (const id of all) await append(id, undefined, 0, [raised('a'), raised('b'), raised('c')]);
        const clears = Array.from({ length: 4 }, () => backend.histories.clearAll(all));
        await Promise.all([...clears, ...all.map((id) => backend.histories.clear(id))]);
        for (const id of all) expect((await backend.histories.load(id)).etag, id).toBeUndefined();
      });

      it('belongs to its id alone, whatever characters that has', async () => {
        const id = 'a/b#c?d\\e^f\u0007';
        await append(id, undefined, 0, [raised('a')]);
        await append('a', undefined, 0, [raised('of another')]);
        expect(await names(id)).toEqual(['a']);
      });

      it('can be read while somebody writes to it', async () => {
        await append('read', undefined, 0, [raised('a')]);
        expect((await backend.histories.read('read')).events.map(nameOf)).toEqual(['a']);
      });
    });

    describe('a parked message', () => {
      it('waits until a checkpoint takes it in, which removes it', async () => {
        const body = { EventType: 'EventRaised', Name: 'parked', Input: '1' } as const;
        const key = await backend.histories.park('parked', body);
        expect((await backend.histories.load('parked')).parked).toEqual([{ key, body, executionId: undefined }]);
        await append('parked', undefined, 0, [raised('parked')], { consumed: [key] });
        expect((await backend.histories.load('parked')).parked).toEqual([]);
      });

      it('is taken in once: a checkpoint that names it again is refused, and nothing of it is stored', async () => {
        const key = await backend.histories.park('once', raised('x'));
        const etag = await append('once', undefined, 0, [raised('a')], { consumed: [key] });
        await expect(append('once', etag, 1, [raised('b')], { consumed: [key] })).rejects.toThrow();
        expect(await names('once')).toEqual(['a']);
      });

      it('stays when the checkpoint that would take it in is refused', async () => {
        await append('kept', undefined, 0, [raised('a')]);
        const key = await backend.histories.park('kept', raised('x'));
        await expect(append('kept', 'stale', 1, [raised('x')], { consumed: [key] })).rejects.toThrow();
        expect((await backend.histories.load('kept')).parked).toMatchObject([{ key }]);
      });

      it('keeps its place among the others, its long text and the execution it is for', async () => {
        const bodies = ['one', 'two', 'three'].map((Name) => ({ ...raised(Name), Input: LONGER_THAN_A_CELL }) as const);
        for (const body of bodies) await backend.histories.park('queue', body, 'e');
        const { parked } = await backend.histories.load('queue');
        expect(parked.map(({ body }) => body)).toEqual(bodies);
        expect(parked.map(({ executionId }) => executionId)).toEqual(['e', 'e', 'e']);
      });
    });

    describe('the row of an instance', () => {
      it('comes back as it was put, texts of any length included', async () => {
        const put = row('put', {
          input: LONGER_THAN_A_CELL,
          output: LONGER_THAN_A_CELL,
          completedTime: new Date(1000),
          parentTraceContext: ParentTraceContext,
        });
        await backend.instances.put(put);
        expect(await backend.instances.get('put')).toEqual(put);
        expect(await backend.instances.get('other')).toBeUndefined();
      });

      it('keeps its input and trace context when it is updated', async () => {
        await backend.instances.put(row('updated', { input: '"kept"', parentTraceContext: ParentTraceContext }));
        await backend.instances.update(row('updated', { input: null, status: 'Completed', output: '1' }));
        expect(await backend.instances.get('updated')).toMatchObject({
          input: '"kept"',
          parentTraceContext: ParentTraceContext,
          status: 'Completed',
          output: '1',
        });
      });

      it('keeps nothing of an earlier one when it is put', async () => {
        await backend.instances.put(
          row('twice', { output: '1', completedTime: new Date(1000), parentTraceContext: ParentTraceContext }),
        );
        await backend.instances.put(row('twice'));
        expect(await backend.instances.get('twice')).toEqual(row('twice'));
      });

      it('can be removed', async () => {
        await backend.instances.put(row('removed'));
        await backend.instances.remove('removed');
        await backend.instances.remove('removed');
        expect(await backend.instances.get('removed')).toBeUndefined();
      });
    });

    describe('the rows of a hub', () => {
      beforeAll(async () => {
        for (const index of [0, 1, 2, 3, 4]) {
          const status = index < 2 ? 'Completed' : 'Running';
          await backend.instances.put(row(`list-${index}`, { status, createdTime: new Date(1000 * (index + 1)) }));
        }
      });
      const ids = (rows: InstanceRow[]) => rows.map(({ instanceId }) => instanceId);
      const all = async (query: Parameters<Backend['instances']['all']>[0]) => {
        const rows: InstanceRow[] = [];
        for await (const each of backend.instances.all({ idPrefix: 'list-', ...query })) rows.push(each);
        return ids(rows);
      };

      it('are found by prefix, status and time', async () => {
        expect(await all({})).toEqual(['list-0', 'list-1', 'list-2', 'list-3', 'list-4']);
        expect(await all({ statuses: ['Completed', 'Failed'] })).toEqual(['list-0', 'list-1']);
        expect(await all({ createdFrom: new Date(2000), createdTo: new Date(4000) })).toEqual([
          'list-1',
          'list-2',
          'list-3',
        ]);
      });

      it('come in pages, each with the token of the next', async () => {
        const query = { idPrefix: 'list-' };
        const first = await backend.instances.page(query, 3, undefined);
        expect(ids(first.rows)).toEqual(['list-0', 'list-1', 'list-2']);
        const second = await backend.instances.page(query, 3, first.next);
        expect([ids(second.rows), second.next]).toEqual([['list-3', 'list-4'], undefined]);
      });
    });
  });
}

function at(body: EventBody, EventId = -1): HistoryEvent {
  return { ...body, EventId, Timestamp: '2026-01-01T00:00:00.123Z' };
}

function raised(Name: string): HistoryEvent & { EventType: 'EventRaised' } {
  return { EventType: 'EventRaised', Name, Input: '1', EventId: -1, Timestamp: '2026-01-01T00:00:00.000Z' };
}

function nameOf(event: HistoryEvent): string {
  return 'Name' in event ? event.Name : '';
}

function row(instanceId: string, columns: Partial<InstanceRow> = {}): InstanceRow {
  return {
    instanceId,
    name: 'orchestrator',
    version: '1',
    executionId: 'e',
    status: 'Running',
    input: null,
    output: null,
    customStatus: '{"a":1}',
    createdTime: new Date(5000),
    lastUpdatedTime: new Date(6000),
    completedTime: undefined,
    generation: 2,
    parentInstanceId: null,
    parentTraceContext: null,
    ...columns,
  };
}

const ParentTraceContext = {
  TraceParent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
  TraceState: 'vendor=1,other=2',
  SpanId: 'c'.repeat(16),
  ActivityStartTime: '2026-01-01T00:00:00.123Z',
};
const OrchestrationInstance = { InstanceId: 'parent', ExecutionId: 'p' };
const FailureDetails = {
  ErrorType: 'Error',
  ErrorMessage: 'broken',
  StackTrace: null,
  IsNonRetriable: false,
  Properties: { size: 1 },
  InnerFailure: null,
};
const failed = { TaskScheduledId: 1, Reason: 'reason', Details: 'details' };

const EVERY_EVENT: EventBody[] = [
  { EventType: 'OrchestratorStarted' },
  {
    EventType: 'ExecutionStarted',
    OrchestrationInstance,
    ParentInstance: null,
    ParentTraceContext: null,
    Name: 'n',
    Version: '',
    Input: null,
    Generation: 0,
  },
  {
    EventType: 'ExecutionStarted',
    OrchestrationInstance,
    ParentInstance: { Name: 'p', OrchestrationInstance, TaskScheduleId: 4 },
    ParentTraceContext,
    Name: 'n',
    Version: '2',
    Input: '{}',
    Generation: 3,
  },
  { EventType: 'TaskScheduled', Name: 'n', Input: '[1]' },
  { EventType: 'TaskCompleted', TaskScheduledId: 1, Result: '1' },
  { EventType: 'TaskFailed', ...failed, FailureDetails: null },
  { EventType: 'GenericEvent', Data: 'why', Reason: 'Rewound: TaskFailed' },
  { EventType: 'GenericEvent' },
  { EventType: 'TaskFailed', ...failed, FailureDetails },
  { EventType: 'SubOrchestrationInstanceCreated', Name: 'n', Version: '', InstanceId: 'i', Input: null },
  { EventType: 'SubOrchestrationInstanceCompleted', TaskScheduledId: 1, Result: '' },
  { EventType: 'SubOrchestrationInstanceFailed', ...failed, FailureDetails: null },
  { EventType: 'TimerCreated', FireAt: '2026-01-01T00:00:01.500Z' },
  { EventType: 'TimerFired', TimerId: 3, FireAt: '2026-01-01T00:00:01.500Z' },
  { EventType: 'EventRaised', Name: 'e', Input: '"text"' },
  { EventType: 'ExecutionSuspended', Reason: 'pause' },
  { EventType: 'ExecutionResumed', Reason: '' },
  { EventType: 'ExecutionTerminated', Input: 'enough' },
  { EventType: 'ExecutionCompleted', OrchestrationStatus: 'Completed', Result: '1' },
  { EventType: 'OrchestratorCompleted' },
];
