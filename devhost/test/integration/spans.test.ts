import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MarkedHost } from '../support/marked-host.js';
import { treeOf } from '../support/trace-tree.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const CALLER = { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'vendor=1' };

const INSTANCE = 'durabletask.task.instance_id';

const host = new MarkedHost();
beforeAll(async () => void (await host.start()));
afterAll(async () => await host.dispose());

const of = (traceId: string | undefined) => host.spans().filter((span) => span.traceId === traceId);
const contextFor = async (headers: Record<string, string>) => {
  const response = await fetch(`${host.url}/api/context?code=secret`, { headers });
  return (await response.json()) as { traceParent: string; traceState: string };
};
const start = async (name: string, id: string, input: unknown, headers: Record<string, string>) => {
  const init = { method: 'POST', headers, body: JSON.stringify(input) };
  expect((await fetch(`${host.url}/api/traced/${name}/${id}?code=secret`, init)).status).toBe(202);
};

/** What `family` does with two items, below the request that started it. */
const FAMILY = [
  'server traced',
  [
    [
      'client create_orchestration:family',
      [
        [
          'server orchestration:family',
          [
            'internal orchestration:family:timer',
            [
              'client orchestration:slowly',
              [['server orchestration:slowly', [['client activity:slow', ['server activity:slow']]]]],
            ],
            [
              'client orchestration:slowly',
              [['server orchestration:slowly', [['client activity:slow', ['server activity:slow']]]]],
            ],
          ],
        ],
      ],
    ],
  ],
];
const items = (mark: string, ms: number) => [0, 1].map((nth) => ({ mark: `${mark}${nth}`, ms }));

describe('a request', () => {
  it('that is part of a trace is one tree with all that it starts, to the end, without its query', async () => {
    await start('family', 'whole', items('w', 1), CALLER);
    await host.client.ends('whole');
    const spans = of(TRACE);
    expect(treeOf(spans, SPAN)).toEqual([FAMILY]);
    expect(spans.find(({ name }) => name === 'traced')).toMatchObject({
      ok: true,
      role: 'host',
      dimensions: {
        'http.request.method': 'POST',
        'http.route': 'traced/{name}/{id}',
        'http.response.status_code': '202',
      },
    });
    expect(JSON.stringify(spans)).not.toContain('secret');
  });

  it('is a span below its caller, and the function gets it, also when it is not sampled', async () => {
    const traceparent = CALLER.traceparent.replace('4bf', 'fff').replace(/01$/, '00');
    const { traceParent, traceState } = await contextFor({ ...CALLER, traceparent });
    const [span] = of(traceparent.slice(3, 35));
    expect([traceParent, traceState]).toEqual([`00-${span?.traceId}-${span?.id}-00`, 'vendor=1']);
    expect(span).toMatchObject({ name: 'context', kind: 'server', parentId: SPAN, ok: true });
  });

  it.each([
    ['says nothing of a trace', undefined],
    ['says rubbish', 'rubbish'],
    ['names no trace', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['names no span', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['shouts', CALLER.traceparent.toUpperCase()],
    ['has an invalid version', `ff-${TRACE}-${SPAN}-01`],
    ['goes on too long', `00-${TRACE}-${SPAN}-01${'-0'.repeat(4000)}`],
    ['names two', `${CALLER.traceparent}, ${CALLER.traceparent}`],
  ])('whose header %s begins a trace', async (_, traceparent) => {
    const headers: Record<string, string> = traceparent === undefined ? {} : { traceparent, tracestate: 'vendor=1' };
    const { traceParent, traceState } = await contextFor(headers);
    const [, traceId] = traceParent.split('-');
    expect(traceParent).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-01$/);
    expect(traceId).not.toBe(TRACE);
    expect(traceState).toBe('');
    expect(of(traceId)).toMatchObject([{ name: 'context', ok: true }]);
  });

  it('of a later version of the standard is part of its trace', async () => {
    const traceparent = `cc-${TRACE}-${SPAN}-01-what-the-future-brings`;
    expect((await contextFor({ traceparent })).traceParent).toContain(`00-${TRACE}-`);
  });

  it('whose function throws is not ok', async () => {
    await fetch(`${host.url}/api/broken`);
    expect(host.spans().at(-1)).toMatchObject({ name: 'broken', ok: false });
  });
});

it('instances that a host without traces has stored go on after a restart, each with a trace of its own', async () => {
  await start('gate', 'old', null, CALLER);
  await start('slowly', 'pending', items('p', 1), CALLER);
  await host.client.reaches('old', 'Running');
  await host.client.ends('pending');
  await host.stop('SIGKILL');
  await host.tables.forgetTrace('old');
  await host.tables.forgetTrace('pending');
  for (const { rowKey } of await host.tables.rows('pending')) await host.tables.history.deleteEntity('pending', rowKey);
  await host.tables.change('pending', { RuntimeStatus: 'Pending' });
  await host.start();
  await host.client.raise('old', 'go', 1);
  for (const id of ['old', 'pending']) {
    expect((await host.client.ends(id)).runtimeStatus).toBe('Completed');
    const own = host.spans().filter((span) => span.dimensions[INSTANCE] === id && span.traceId !== TRACE);
    expect(new Set(own.map(({ traceId }) => traceId)).size).toBe(1);
    expect(own.filter(({ parentId }) => parentId === undefined)).toMatchObject([{ kind: 'server', ok: true }]);
  }
});
