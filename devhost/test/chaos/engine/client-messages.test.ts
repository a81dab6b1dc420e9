import { expect, it, onTestFinished } from 'vitest';
import { clientMessage, QueueingClient, startMessage } from '../../support/client-messages.js';
import { MarkedHost } from '../../support/marked-host.js';
import { until } from '../../support/until.js';

const ITEMS = 30;
/** How many of the messages are left in the queue when the host is killed. */
const LEFT = 20;

it('kill -9 while a host takes messages of another client loses none and repeats none', async () => {
  const host = new MarkedHost('attentive', [], { DEVHOST_QUEUE_LEASE_SECONDS: '1' });
  onTestFinished(async () => await host.dispose());
  await host.start();
  const other = new QueueingClient(host.hub, 3);
  const id = 'gathers-1';
  const items = Array.from({ length: ITEMS }, (_, index) => index);
  const event = (item: number) => ({ instanceId: id, event: { Name: 'item', Input: String(item) } });
  await other.send(id, startMessage('gathers', ITEMS, { instanceId: id, executionId: 'e1' }));
  const sending = (async () => {
    for (const item of items) await other.send(id, clientMessage('raised', event(item)));
  })();
  await Promise.all([sending, until(async () => (await host.tables.rows(id)).length > 0)]);
  await until(async () => (await other.count(id)) <= LEFT);
  await host.killAndRestart();
  // What the killed host had in hand is hidden for a while, so that later messages come before it.
  const output = (await host.client.ends(id)).output as number[];
  expect(output.toSorted((a, b) => a - b)).toEqual(items);
  expect(await other.count(id)).toBe(0);
});
