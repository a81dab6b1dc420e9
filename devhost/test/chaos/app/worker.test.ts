import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MarkedHost, startMarkedHost } from '../../support/marked-host.js';
import { temporaryApp } from '../../support/temporary-app.js';
import { until } from '../../support/until.js';

/** A host of the app `crashing` with what the tests do to its worker. */
const host = new MarkedHost('crashing');
const one = async (activity: string, input: unknown) => await host.client.start('one', { activity, input });
const json = async (path: string) => (await (await fetch(`${host.url}/api/${path}`)).json()) as number;
/** A process that ended and whose parent died before it stays in the list until something collects it. */
const isGone = (pid: number) => {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.startsWith('Z') === true;
  } catch {
    return true;
  }
};

beforeAll(async () => void (await host.start()));
afterAll(async () => await host.dispose());

const COMPUTES = `
  import * as df from 'durable-functions';
  df.app.activity('compute', {
    handler: () => {
      console.error('computing');
      const end = Date.now() + 12_000;
      while (Date.now() < end);
    },
  });
  df.app.orchestration('computes', function* (context) {
    yield context.df.callActivity('compute');
  });
  df.app.orchestration('naps', function* (context) {
    yield context.df.createTimer(new Date(context.df.currentUtcDateTime.getTime() + 10));
    return 'awake';
  });`;

it('an activity that computes holds up neither the management API nor the turns of other orchestrations', async () => {
  const other = await startMarkedHost(temporaryApp({ 'main.js': COMPUTES }));
  const { client } = other;
  const busy = await client.start('computes');
  await until(() => other.log.includes('computing'));
  const began = performance.now();
  expect((await client.status(busy)).runtimeStatus).toBe('Running');
  expect((await client.call('GET', 'instances')).status).toBe(200);
  expect(performance.now() - began).toBeLessThan(5000);
  expect((await client.run('naps')).output).toBe('awake');
  expect((await client.status(busy)).runtimeStatus).toBe('Running');
  expect(other.log).toContain('In Azure orchestrations wait until it ends');
  await other.stop('SIGKILL');
});

describe('when the worker process ends', () => {
  it.each([
    ['exit', '3 (0x3)', 'exit code 3'],
    ['abort', '134 (0x86)', 'killed by SIGABRT'],
    ['throw', '1 (0x1)', 'it threw "thrown on purpose" where nobody catches'],
    ['kill', '137 (0x89)', 'killed by SIGKILL'],
  ])('by %s, its activities fail as in Azure, the log says so, and it is started again', async (how, code, said) => {
    const waiting = await one('wait', { text: `beside ${how}`, ms: 5000 });
    await until(() => host.marks(`beside ${how}`).length === 1);
    const failed = await host.client.ends(await one('end', how));
    expect(failed.output).toMatch(`Activity function 'end' failed:`);
    expect(failed.output).toMatch(`node exited with code ${code}`);
    expect((await host.client.ends(waiting)).output).toMatch(`Activity function 'wait' failed:`);
    expect(host.log).toContain(`The app's process ended (${said}) while it ran wait, end; it is started again`);
    expect((await host.client.ends(await one('wait', { text: 'after', ms: 0 }))).output).toBe('after');
  });

  it('a request under way is answered with 500 and no body, and the next one is answered', async () => {
    const pid = await json('pid');
    const late = fetch(`${host.url}/api/late`);
    await one('wait', { text: 'late', ms: 5000 });
    await until(() => host.marks('late').length === 1);
    process.kill(pid, 'SIGKILL');
    const answer = await late;
    expect([answer.status, await answer.text()]).toEqual([500, '']);
    expect(await json('pid')).not.toBe(pid);
  });

  it('so do the programs that it started', async () => {
    const [pid, child] = [await json('pid'), await json('child')];
    process.kill(pid, 'SIGKILL');
    await until(() => isGone(child));
  });

  it.each([1, 2])('in the middle of turn %i, the turn is repeated', async (turn) => {
    const id = await host.client.start('endsInTurn', { turn, times: 1 });
    expect((await host.client.ends(id)).output).toBe(id);
    expect(host.marks(id)).toEqual([id, `${id} done`]);
  });
});

it('a function that takes longer than functionTimeout is ended with its process, and fails as in Azure', async () => {
  const beside = await one('wait', { text: 'beside', ms: 30_000 });
  const { output } = await host.client.ends(await one('compute', { text: 'long', ms: 30_000 }));
  expect(output).toMatch(
    /Activity function 'compute' failed: .*Timeout value of 00:00:02 was exceeded by function: Functions\.compute/,
  );
  expect((await host.client.ends(beside)).output).toMatch(/exceeded by function: Functions\.wait/);
  expect(host.log).toMatch(/functionTimeout in host\.json allows \(00:00:02\)/);
});

it('a turn that ends the process each time fails its orchestration', async () => {
  const id = await host.client.start('endsInTurn', { turn: 1, times: 9 });
  expect((await host.client.ends(id)).output).toMatch(
    "Orchestrator function 'endsInTurn' failed: node exited with code 3 (0x3)",
  );
});

it('no process is left when the host is killed, even while a function computes', async () => {
  const other = await startMarkedHost('crashing');
  const read = async (path: string) => (await (await fetch(`${other.url}/api/${path}`)).json()) as number;
  const pids = [await read('pid'), await read('child')];
  await other.client.start('one', { activity: 'compute', input: { text: 'busy', ms: 60_000 } });
  await until(() => other.marks('busy').length === 1);
  await other.stop('SIGKILL');
  await until(() => pids.every(isGone));
});

it.each([
  [1, "Orchestrator function 'endsInTurn' failed: node exited with code 3 (0x3)"],
  [
    2,
    "Non-Deterministic workflow detected: A previous execution of this orchestration scheduled an activity task with sequence ID 0 and name 'wait'",
  ],
])('with --strict, an orchestration fails when its process ends in the middle of turn %i', async (turn, reason) => {
  const { client } = await startMarkedHost('crashing', ['--strict']);
  expect((await client.ends(await client.start('endsInTurn', { turn, times: 1 }))).output).toMatch(reason);
});
