import type { InvocationContext } from '@azure/functions';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryBackend } from '../../../src/backend/memory-backend.js';
import { parseTraceParent, traceParentOf } from '../../../src/tracing/trace-context.js';
import { EngineInProcess } from '../../support/engine-in-process.js';
import { expected, raiseEvent } from '../../support/everything.js';
import { treeOf } from '../../support/trace-tree.js';
import { until } from '../../support/until.js';
import '../../support/app-in-process.js';

const df = await import('durable-functions');

const CALLER = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true, state: 'vendor=1' };

/** The trace contexts that functions were given, by instance and function. */
const given = new Map<string, Set<string>>();
const note = (name: string, id: string, { traceContext }: Pick<InvocationContext, 'traceContext'>): void => {
  const key = `${name} of ${id}`;
  given.set(key, (given.get(key) ?? new Set()).add(`${traceContext?.traceParent} ${traceContext?.traceState}`));
};

df.app.activity('traced', {
  handler: ({ id, fail }: { id: string; fail?: boolean }, context) => {
    note('traced', id, context);
    if (fail === true) throw new Error('a secret that stays here');
  },
});
df.app.orchestration('tracedChild', function* (context) {
  note('tracedChild', 'child', context);
  yield context.df.callActivity('traced', { id: 'child' });
});
df.app.orchestration('traces', function* (context) {
  const { instanceId: id } = context.df;
  note('traces', id, context);
  yield context.df.Task.all([context.df.callActivity('traced', { id }), context.df.callSubOrchestrator('tracedChild')]);
  yield context.df.createTimer(context.df.currentUtcDateTime);
  yield context.df.waitForExternalEvent('go');
});
df.app.orchestration('tracedRounds', function* (context) {
  const left = context.df.getInput<number>();
  note('tracedRounds', context.df.instanceId, context);
  yield context.df.callActivity('traced', { id: context.df.instanceId });
  if (left > 0) context.df.continueAsNew(left - 1);
});
df.app.orchestration('tracedFailure', function* (context) {
  yield context.df.callActivity('traced', { id: 'failing', fail: true });
});
df.app.orchestration('tracedFailures', function* (context) {
  yield context.df.callSubOrchestrator('tracedFailure');
});

describe('the trace of an orchestration', () => {
  let engine: EngineInProcess;
  beforeEach(() => {
    given.clear();
    engine = new EngineInProcess();
    engine.caller = CALLER;
  });
  afterEach(async () => await engine.stop());

  const givenTo = (name: string) => {
    const [only = '', ...more] = given.get(name) ?? [];
    expect(more, `other contexts of ${name}`).toEqual([]);
    const [parent, state] = only.split(' ');
    return parseTraceParent(parent, state);
  };
  const spanOf = (kind: string, name: string) => {
    const found = engine.spans.filter((span) => span.kind === kind && span.name === name);
    expect(found, `${kind} ${name}`).toHaveLength(1);
    return found[0];
  };

  it('is one tree below what the client was doing, and functions get the spans that they belong to', async () => {
    await engine.start('traces', null, 'tree');
    await until(async () => (await engine.status('tree')).runtimeStatus === 'Running');
    await engine.raise('tree', 'go');
    await engine.ends('tree');
    expect(treeOf(engine.spans, CALLER.spanId)).toEqual([
      [
        'client create_orchestration:traces',
        [
          [
            'server orchestration:traces',
            [
              ['client activity:traced', ['server activity:traced']],
              [
                'client orchestration:tracedChild',
                [['server orchestration:tracedChild', [['client activity:traced', ['server activity:traced']]]]],
              ],
              'internal orchestration:traces:timer',
            ],
          ],
        ],
      ],
      'client orchestration_event:go',
    ]);
    for (const span of engine.spans) {
      expect(span).toMatchObject({ type: 'span', role: 'host', traceId: CALLER.traceId, ok: true });
      expect(span.start <= span.end, span.name).toBe(true);
    }
    const orchestration = spanOf('server', 'orchestration:traces');
    expect(givenTo('traces of tree')).toEqual({ ...CALLER, spanId: orchestration?.id });
    expect(givenTo('tracedChild of child')?.spanId).toBe(spanOf('server', 'orchestration:tracedChild')?.id);
    const [activity] = engine.spans.filter(
      ({ kind, name, dimensions }) =>
        kind === 'server' && name === 'activity:traced' && dimensions['durabletask.task.instance_id'] === 'tree',
    );
    expect(givenTo('traced of tree')).toEqual({ ...CALLER, spanId: activity?.id });
    expect(activity?.dimensions).toEqual({
      'durabletask.type': 'activity',
      'durabletask.task.name': 'traced',
      'durabletask.task.instance_id': 'tree',
      'durabletask.task.task_id': '0',
    });
    expect(orchestration?.dimensions).toEqual({
      'durabletask.type': 'orchestration',
      'durabletask.task.name': 'traces',
      'durabletask.task.instance_id': 'tree',
      'durabletask.task.status': 'Completed',
    });
  });

  it('that the client does not sample is passed on as such', async () => {
    engine.caller = { ...CALLER, sampled: false };
    await engine.run('tracedChild');
    expect(givenTo('tracedChild of child')).toMatchObject({ traceId: CALLER.traceId, sampled: false });
    expect(givenTo('traced of child')).toMatchObject({ traceId: CALLER.traceId, sampled: false });
  });

  it('begins with its creation when the client says nothing', async () => {
    engine.caller = undefined;
    await engine.run('tracedChild');
    expect(treeOf(engine.spans, undefined)).toMatchObject([['client create_orchestration:tracedChild', {}]]);
    expect(new Set(engine.spans.map(({ traceId }) => traceId)).size).toBe(1);
    expect(givenTo('tracedChild of child')).toMatchObject({ traceId: engine.spans[0]?.traceId, sampled: true });
  });

  it('has one span for all executions between which it continued as new', async () => {
    const id = await engine.start('tracedRounds', 2);
    await engine.ends(id);
    const orchestration = spanOf('server', 'orchestration:tracedRounds');
    expect(givenTo(`tracedRounds of ${id}`)?.spanId).toBe(orchestration?.id);
    const calls = engine.spans.filter(({ kind, name }) => kind === 'client' && name === 'activity:traced');
    expect(calls.map(({ parentId }) => parentId)).toEqual(Array.from({ length: 3 }, () => orchestration?.id));
    expect(new Set(calls.map((span) => span.id)).size).toBe(3);
    for (const { start, end } of calls)
      expect([orchestration?.start, end]).toEqual([
        start < (orchestration?.start ?? '') ? start : orchestration?.start,
        end > (orchestration?.end ?? '') ? orchestration?.end : end,
      ]);
  });

  it('shows what failed, and nothing of the error', async () => {
    await engine.run('tracedFailures');
    const failed = engine.spans.filter(({ ok }) => !ok).map(({ kind, name }) => `${kind} ${name}`);
    expect(failed.toSorted()).toEqual([
      'client activity:traced',
      'client orchestration:tracedFailure',
      'server activity:traced',
      'server orchestration:tracedFailure',
      'server orchestration:tracedFailures',
    ]);
    expect(JSON.stringify(engine.spans)).not.toContain('secret');
    expect(spanOf('server', 'orchestration:tracedFailures')?.dimensions).toMatchObject({
      'durabletask.task.status': 'Failed',
    });
  });

  it('names versions as the extension does', async () => {
    await engine.start('tracedChild', null, 'versioned', '1.5');
    await engine.ends('versioned');
    expect(spanOf('server', 'orchestration:tracedChild@(1.5)')?.dimensions).toMatchObject({
      'durabletask.task.version': '1.5',
    });
  });

  it('ends with a terminated orchestration, which is not ok', async () => {
    await engine.start('traces', null, 'terminated');
    await until(async () => (await engine.status('terminated')).runtimeStatus === 'Running');
    await engine.terminate('terminated', 'enough');
    await engine.ends('terminated');
    expect(spanOf('server', 'orchestration:traces')).toMatchObject({
      ok: false,
      dimensions: { 'durabletask.task.status': 'Terminated' },
    });
  });
});

it('an event of a client that says nothing is a trace of its own, and says who gets it', async () => {
  const engine = new EngineInProcess();
  const id = await engine.start('everything', { seen: [] });
  await raiseEvent(engine, id);
  expect((await engine.ends(id)).output).toEqual(expected(id));
  await engine.stop();
  const event = engine.spans.find(({ name }) => name === 'orchestration_event:go');
  expect(event).toMatchObject({ kind: 'client', dimensions: { 'durabletask.event.target_instance_id': id } });
  expect(event?.parentId).toBeUndefined();
  expect(event?.traceId).not.toBe(engine.spans[0]?.traceId);
});

it('an instance that a host without traces has stored has one trace, whatever becomes of it', async () => {
  given.clear();
  const backend = new MemoryBackend();
  const row = {
    instanceId: 'old',
    name: 'tracedRounds',
    version: '',
    executionId: 'e',
    status: 'Pending' as const,
    input: '1',
    output: null,
    customStatus: null,
    createdTime: new Date(),
    lastUpdatedTime: new Date(),
    completedTime: undefined,
    generation: 0,
    parentInstanceId: null,
    parentTraceContext: null,
  };
  await backend.instances.put(row);
  const engine = await new EngineInProcess(backend).recover();
  await engine.ends('old');
  await engine.stop();
  const contexts = [...(given.get('tracedRounds of old') ?? [])];
  expect(contexts).toHaveLength(1);
  const [orchestration] = engine.spans.filter(({ name }) => name === 'orchestration:tracedRounds');
  expect(orchestration?.parentId).toBeUndefined();
  expect(contexts[0]?.trim()).toBe(
    traceParentOf({
      traceId: orchestration?.traceId ?? '',
      spanId: orchestration?.id ?? '',
      sampled: true,
      state: '',
    }),
  );
  expect(treeOf(engine.spans, undefined)).toEqual([
    [
      'server orchestration:tracedRounds',
      [
        ['client activity:traced', ['server activity:traced']],
        ['client activity:traced', ['server activity:traced']],
      ],
    ],
  ]);
});
