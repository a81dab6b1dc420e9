import { afterAll, describe, expect, it } from 'vitest';
import { MemoryBackend } from '../../../src/backend/memory-backend.js';
import { EngineInProcess } from '../../support/engine-in-process.js';
import { until } from '../../support/until.js';

for (const file of ['orchestrators', 'waiting']) await import(`../../fixtures/durable/${file}.js`);
const engine = new EngineInProcess();
afterAll(async () => await engine.stop());

/** True when the host has warned of it. */
const said = (text: string) => engine.warnings.some((each) => each.includes(text));
const output = async (name: string, input?: unknown) => (await engine.run(name, input)).output;

describe('activities', () => {
  it('run one after another, and their values arrive as they were sent', async () => {
    const values = [1, 1.5, -3, 'text', '123', '', { a: [1, { b: null }] }, [1, 'two'], null];
    expect(await output('sequence', values)).toEqual(values);
  });

  it('get a bare boolean as text, as in Azure', async () => {
    expect(await output('sequence', [true, false])).toEqual(['True', 'False']);
  });

  it('return bytes as base64 text', async () => {
    expect(await output('one', { activity: 'bytes' })).toBe(Buffer.from('bytes').toString('base64'));
  });

  it('return null when they return nothing', async () => {
    expect(await output('one', { activity: 'nothing' })).toBeNull();
  });

  it('find the members of their input among the trigger metadata', async () => {
    expect(await output('one', { activity: 'metadata', input: { size: 3, list: [1] } })).toMatchObject({
      size: 3,
      data: { size: 3, list: [1] },
      instanceId: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
  });

  it('fan out and come back in the order of the calls', async () => {
    expect(await output('fanOut', 120)).toEqual(Array.from({ length: 120 }, (_, index) => index));
  });

  it('take and return texts longer than a table cell', async () => {
    const long = 'é'.repeat(100_000);
    const status = await engine.run('sequence', [long]);
    expect(status.output).toEqual([long]);
    expect(status.input).toEqual([long]);
  });

  it('fail with the text the extension makes of the error', async () => {
    expect(await output('catchFailure', 'no such blob')).toMatch(
      /^Activity function 'fail' failed: no such blob \n \{/,
    );
  });

  it('that do not exist leave the orchestration Running with nothing scheduled, and a warning says why', async () => {
    for (const name of ['unknownActivity', 'unknownChild', 'unknownRetried']) {
      const id = await engine.start(name);
      await engine.reaches(id, 'Running');
      await until(() => engine.warnings.some((text) => text.includes(id) && text.includes("'nobody'")));
      await engine.raise(id, 'anything');
      expect((await engine.status(id)).runtimeStatus).toBe('Running');
    }
  });

  it('that do not exist fail the orchestration when the host is strict', async () => {
    const strict = new EngineInProcess(new MemoryBackend(), true);
    for (const name of ['unknownActivity', 'unknownChild', 'unknownRetried']) {
      const { runtimeStatus, output: text } = await strict.run(name);
      expect([runtimeStatus, text]).toEqual(['Failed', expect.stringContaining("'nobody'")]);
    }
    await strict.stop();
  });

  it('may fail below a Task.all that the orchestrator catches', async () => {
    expect(await output('allWithFailure')).toEqual([true, 'went on']);
  });
});

describe('retries', () => {
  it('call an activity until it succeeds', async () => {
    expect(await output('retry', { key: 'third', failures: 2, attempts: 3 })).toEqual(['third after 3', 'next']);
  });

  it('give up after the last attempt', async () => {
    const status = await engine.run('retry', { key: 'never', failures: 9, attempts: 2 });
    expect(status.runtimeStatus).toBe('Failed');
    expect(status.output).toContain('try 2 of never');
  });

  it('run side by side without mixing up their results', async () => {
    const inputs = [0, 1, 2, 3].map((failures) => ({ key: `p${failures}`, failures }));
    expect(await output('retriesInParallel', inputs)).toEqual([
      'p0 after 1',
      'p1 after 2',
      'p2 after 3',
      'p3 after 4',
      'next',
    ]);
  });
});

describe('sub-orchestrations', () => {
  it('return their results to the parent', async () => {
    expect(await output('parentOfMany', [1, 2, 3])).toEqual([2, 4, 6]);
  });

  it('are named after the execution and the task that called them', async () => {
    const status = await engine.run('parent', { child: 'countDown', input: 0 });
    expect(status.output).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:0$/);
  });

  it('take the id the parent gives them', async () => {
    expect(await output('parent', { child: 'countDown', input: 0, id: 'named-child' })).toBe('named-child');
  });

  it('fail their parent with their own error', async () => {
    const status = await engine.run('parent', { child: 'throws', input: 'child broke' });
    expect(status.runtimeStatus).toBe('Failed');
    expect(status.output).toContain("Orchestrator function 'throws' failed: child broke");
  });

  it('are tried again under a fresh id', async () => {
    expect(await output('parentWithRetry', { key: 'fresh' })).toBe('fresh after 3');
  });

  it('are tried again under the id they were given', async () => {
    expect(await output('parentWithRetry', { key: 'same', id: 'same-child' })).toBe('same after 3');
    expect((await engine.status('same-child')).runtimeStatus).toBe('Completed');
  });

  it('cannot take the id of an instance that is running', async () => {
    await engine.start('gate', null, 'occupied');
    const status = await engine.run('parent', { child: 'gate', id: 'occupied' });
    expect(status.output).toContain("An orchestration instance with the id 'occupied' is already running.");
  });

  it('continue as new without their parent noticing', async () => {
    expect(await output('parent', { child: 'countDown', input: 3, id: 'counting-child' })).toBe('counting-child');
  });
});

describe('external events', () => {
  it('wake a waiting orchestrator', async () => {
    const id = await engine.start('gate');
    await until(async () => (await engine.status(id)).customStatus === 'waiting');
    await engine.raise(id, 'go', { by: 'test' });
    expect((await engine.ends(id)).output).toEqual({ by: 'test' });
  });

  it('wait for an orchestrator that asks for them later', async () => {
    const id = await engine.start('twoGates');
    await engine.raise(id, 'second', 2);
    await engine.raise(id, 'first', 1);
    expect((await engine.ends(id)).output).toEqual([1, 2]);
  });

  it('in other letters are taken by the host and missed by the SDK, which is warned of', async () => {
    const id = await engine.start('gate');
    await engine.raise(id, 'GO');
    await until(() => said("The event 'GO' was taken by a wait for 'go'"));
    expect((await engine.status(id)).runtimeStatus).toBe('Running');
  });

  it('win against a timer that is cancelled', async () => {
    const id = await engine.start('race', { ms: 60_000, cancel: true });
    await engine.raise(id, 'go');
    expect((await engine.ends(id)).output).toBe('event');
  });

  it('lose against a timer that fires first', async () => {
    expect(await output('race', { ms: 30 })).toBe('timer');
  });

  it('leave an instance Running until a forgotten timer has fired', async () => {
    const id = await engine.start('race', { ms: 1000 });
    await engine.raise(id, 'go');
    await until(() => said(`Instance ${id} (race): The orchestrator has returned but stays Running`));
    expect((await engine.status(id)).runtimeStatus).toBe('Running');
    expect((await engine.ends(id)).output).toBe('event');
  });
});

describe('ContinueAsNew', () => {
  it('starts over with a number', async () => {
    const id = await engine.start('countDown', 5);
    expect((await engine.ends(id)).output).toBe(id);
  });

  it('encodes a string twice, as in Azure', async () => {
    expect(await output('quoting', 'plain')).toBe('"again"');
  });

  it('keeps events that come between executions', async () => {
    const id = await engine.start('collect', { seen: [], wanted: 4 });
    for (const item of [1, 2, 3, 4]) {
      await engine.raise(id, 'item', item);
      await until(async () => {
        const { input, runtimeStatus } = await engine.status(id);
        return runtimeStatus === 'Completed' || (input as { seen: number[] }).seen.length === item;
      });
    }
    expect((await engine.ends(id)).output).toEqual([1, 2, 3, 4]);
  });

  it('in an endless loop can be terminated', async () => {
    const id = await engine.start('forever', 1);
    await engine.terminate(id, 'enough');
    expect((await engine.ends(id)).output).toBe('enough');
  });
});

describe('an orchestrator that', () => {
  it('throws is Failed with its message as plain text', async () => {
    const status = await engine.run('throws', 'on purpose');
    expect(status.runtimeStatus).toBe('Failed');
    expect(status.output).toBe("Orchestrator function 'throws' failed: on purpose");
  });

  it('throws an empty error is Failed too', async () => {
    expect((await engine.run('throws', '')).runtimeStatus).toBe('Failed');
  });

  it('yields something else than a task is Failed with the reason', async () => {
    expect(await output('yieldsNumber')).toContain('Only Task types can be yielded');
  });

  it('calls over HTTP is refused by name', async () => {
    expect(await output('callsHttp')).toContain('The action callHttp is not supported by this local host.');
  });

  it('calls an entity is refused by name', async () => {
    expect(await output('callsEntity')).toContain('The action callEntity is not supported by this local host.');
  });

  it('sets too large a custom status is Failed', async () => {
    expect(await output('bigStatus')).toContain('The custom status is 9002 characters long');
  });
});
