import type { OrchestrationHandler } from 'durable-functions';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MemoryBackend } from '../../../src/backend/memory-backend.js';
import { warnOfLength } from '../../../src/engine/diagnostics.js';
import { EngineInProcess } from '../../support/engine-in-process.js';
import '../../support/everything.js';
import { until } from '../../support/until.js';

const df = await import('durable-functions');
let engine: EngineInProcess;
beforeAll(() => {
  engine = new EngineInProcess();
});
afterAll(async () => await engine.stop());

df.app.activity('give', { handler: (input) => input });
df.app.activity('giveLong', { handler: (length: number) => 'x'.repeat(length) });
df.app.activity('giveSecret', { handler: () => `https://a.blob/c?sv=1&sig=${'s'.repeat(10)}` });
df.app.activity('take', { handler: () => undefined });
df.app.orchestration('idle', function* (context) {
  yield context.df.waitForExternalEvent('go');
});

let count = 0;
/** Starts an orchestrator and resolves when it has ended or waits. */
async function run(orchestrator: OrchestrationHandler, input: unknown = null): Promise<{ id: string; name: string }> {
  const name = `diagnosed${count++}`;
  df.app.orchestration(name, orchestrator);
  const id = await engine.start(name, input);
  return { id, name };
}

/** What was said about an instance, without its name, once it says enough or has ended and said what it had to. */
async function said({ id, name }: { id: string; name: string }): Promise<string[]> {
  const about = `Instance ${id} (${name}): `;
  const warnings = () =>
    engine.warnings.filter((text) => text.startsWith(about)).map((text) => text.slice(about.length));
  await until(async () => {
    const { runtimeStatus } = await engine.status(id);
    return warnings().length > 0 || runtimeStatus === 'Completed' || runtimeStatus === 'Failed';
  });
  return warnings();
}

const soon = (ms: number) => new Date(Date.now() + ms);
const LONG = 40_000;

const CAUSES: [string, OrchestrationHandler, RegExp, unknown?][] = [
  [
    'a bare boolean, however often it is passed',
    function* (context) {
      for (let round = 0; round < 3; round += 1) yield context.df.callActivity('give', round % 2 === 0);
    },
    /input of activity 'give' is a bare boolean.*"True"/,
  ],
  [
    "a property that hides the instance's id",
    function* (context) {
      yield context.df.callActivity('give', { instanceId: 'another' });
    },
    /'give'.*'instanceId'.*triggerMetadata/,
  ],
  [
    'an input with a secret',
    function* (context) {
      yield context.df.callActivity('take', { url: `https://a.blob/c?sig=${'s'.repeat(10)}` });
      return 'done';
    },
    /The input of activity 'take' seems to hold a secret/,
  ],
  [
    'a connection string in its own input',
    function* () {
      yield* [];
      return 'done';
    },
    /Its input seems to hold a secret/,
    'AccountName=a;AccountKey=a2V5',
  ],
  [
    'a result with a secret',
    function* (context) {
      yield context.df.callActivity('giveSecret');
      return 'done';
    },
    /The result of activity 'giveSecret' seems to hold a secret/,
  ],
  [
    'long inputs, once for all lengths',
    function* (context) {
      for (const more of [0, 1, 2]) yield context.df.callActivity('take', 'x'.repeat(LONG + more));
    },
    /The input of activity 'take' is 4000\d characters long/,
  ],
  [
    'a long result',
    function* (context) {
      yield context.df.callActivity('giveLong', LONG);
      return 'done';
    },
    /The result of activity 'giveLong' is 40002 characters long/,
  ],
  [
    'a long output',
    function* () {
      yield* [];
      return 'x'.repeat(LONG);
    },
    /Its output is 40002 characters long/,
  ],
  [
    'a property that becomes a Date',
    function* () {
      yield* [];
    },
    /'Timestamp'.*Date/,
    { Timestamp: '2026-01-01T00:00:00Z' },
  ],
  [
    'a retry with a timeout',
    function* (context) {
      const options = new df.RetryOptions(1, 2);
      options.retryTimeoutInMilliseconds = 60_000;
      yield context.df.callActivityWithRetry('give', options, 1);
    },
    /retry of 'give' has a retryTimeoutInMilliseconds/,
  ],
  [
    'a wait for an event whose name is a number',
    function* (context) {
      yield context.df.Task.any([context.df.waitForExternalEvent('7'), context.df.callActivity('give', 1)]);
    },
    /waits for the event '7'/,
  ],
  [
    'a timer that nobody cancels',
    function* (context) {
      const timer = context.df.createTimer(new Date(context.df.currentUtcDateTime.getTime() + 300));
      yield context.df.Task.any([timer, context.df.callActivity('give', 1)]);
    },
    /has returned but stays Running.*the timer for .*Cancel timers/,
  ],
  [
    'an activity that nobody waits for, with the timer beside it',
    function* (context) {
      const left = ['a', 'b'].map((key) => context.df.callActivity('work', { key }));
      yield context.df.Task.any([...left, context.df.waitForExternalEvent('never')]);
    },
    /has returned but stays Running.*activity 'work'/,
  ],
  [
    'a task that is used again',
    function* (context) {
      const timer = context.df.createTimer(new Date(context.df.currentUtcDateTime.getTime() + 200));
      yield context.df.Task.any([timer, context.df.callActivity('give', 1)]);
      yield context.df.Task.any([timer, context.df.callActivity('give', 2)]);
      timer.cancel();
    },
    /Task\.any.*holds a timer that an earlier Task\.any left open/,
  ],
  [
    'another input in each replay',
    function* (context) {
      yield context.df.callActivity('give', { at: performance.now() });
      yield context.df.callActivity('give', 2);
    },
    /input of activity 'give' was another one in an earlier run.*Math\.random/,
  ],
  [
    "a timer by the machine's clock",
    function* (context) {
      yield context.df.createTimer(soon(context.df.isReplaying ? 5000 : 20));
      yield context.df.callActivity('give', 2);
    },
    /timer had another time.*currentUtcDateTime/,
  ],
  [
    'a wait for a timer that was cancelled',
    function* (context) {
      const timer = context.df.createTimer(new Date(context.df.currentUtcDateTime.getTime() + 1000));
      timer.cancel();
      yield timer;
    },
    /Nothing can move it any more.*cancelled/,
  ],
  [
    'a text for continueAsNew',
    function* (context) {
      yield context.df.callActivity('give', 1);
      const input = context.df.getInput<unknown>();
      if (input === null) context.df.continueAsNew('next');
    },
    /quotes around it.*continueAsNew/,
  ],
];

it.each(CAUSES)(
  'an instance is warned of %s, once and by its id and function',
  async (_, orchestrator, text, input) => {
    const instance = await run(orchestrator, input);
    expect(await said(instance)).toEqual([expect.stringMatching(text)]);
    const status = await engine.reaches(instance.id, 'Completed', 'Failed', 'Running');
    expect(status.name).toBe(instance.name);
  },
);

it('a history that grows too long is told of in the same words in each turn, so that they are said once', () => {
  const texts: string[] = [];
  for (const events of [2000, 2001, 3000]) warnOfLength(events, (text) => texts.push(text));
  expect(texts).toHaveLength(2);
  expect(new Set(texts)).toEqual(new Set([expect.stringMatching(/more than 2000 events.*continueAsNew/)]));
});

it('an event in other letters or of another name is told of, with what is waited for', async () => {
  const started = async () => ({ id: await engine.start('idle'), name: 'idle' });
  const [other, digits, late] = [await started(), await started(), await started()];
  await engine.raise(other.id, 'gone');
  expect(await said(other)).toEqual([expect.stringMatching(/waits for the event 'go'.*'gone'/)]);
  await engine.raise(digits.id, '0');
  expect(await said(digits)).toContainEqual(expect.stringMatching(/'0' may be taken for the result of task 0/));
  await engine.raise(late.id, 'go', `https://a/?sig=${'s'.repeat(10)}`);
  expect(await said(late)).toEqual([expect.stringMatching(/The event 'go' seems to hold a secret/)]);
});

it('events that came for nothing are told of when the execution ends', async () => {
  const instance = await run(function* (context) {
    yield context.df.waitForExternalEvent('go');
    return 'done';
  });
  await engine.raise(instance.id, 'spare');
  await engine.raise(instance.id, 'go');
  await engine.ends(instance.id);
  const texts = await said(instance);
  expect(texts.at(-1)).toMatch(/event 'spare' came, and the orchestrator ended without waiting/);
});

it('children that go on when their parent is terminated are named', async () => {
  const instance = await run(function* (context) {
    yield context.df.callSubOrchestrator('idle', null, 'left-alone');
  });
  await until(async () => (await engine.list({ idPrefix: 'left-alone', statuses: ['Running'] })).length === 1);
  await engine.terminate(instance.id, 'enough');
  await engine.reaches(instance.id, 'Terminated');
  expect(await said(instance)).toEqual([expect.stringMatching(/not its sub-orchestrations.*left-alone/)]);
});

it('a purge of all statuses is told of, one of ended instances is not', async () => {
  const purged = new EngineInProcess();
  const ended = await purged.start('everything', { seen: [] }, 'ended');
  const running = await purged.start('idle');
  await purged.terminate(ended, 'enough');
  await purged.reaches(ended, 'Terminated');
  expect(await purged.purge({ idPrefix: 'ended', statuses: ['Terminated'] })).toBe(1);
  const told = () => purged.warnings.filter((text) => text.includes('purge'));
  expect(told()).toEqual([]);
  expect(await purged.purge({ idPrefix: running })).toBe(1);
  expect(told()).toEqual([expect.stringMatching(/without runtimeStatus takes running instances/)]);
  expect(await purged.list({ idPrefix: running })).toEqual([]);
  await purged.stop();
});

it('no warning tells a secret, and an orchestration without mistakes none at all', async () => {
  expect(engine.warnings.join('\n')).not.toContain('ssss');
  const quiet = new EngineInProcess(new MemoryBackend());
  await quiet.start('everything', { seen: [] }, 'quiet');
  const { raiseEvent } = await import('../../support/everything.js');
  await raiseEvent(quiet, 'quiet');
  await quiet.ends('quiet');
  expect(quiet.warnings).toEqual([]);
  await quiet.stop();
});
