/**
 * Added to the recorded app: lets activities that run side by side end in the order in which they did under the real host. Which one is
 * faster would be up to the machine, and what comes of a Task.any hangs on it.
 */
const { existsSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { app } = require('@azure/functions');

/** Results in the order in which an instance got them, by its id; each begins with the id. */
const orders = require('./recorded-order.json');

const TASK_COMPLETED = 5;
/** Says that an instance has got so many results. A file, as a turn may run in another process than the activities. */
const sign = (id, results) => path.join(__dirname, `${id}.${results}`);
/** How many activities with this result have begun. */
const begun = new Map();

app.hook.preInvocation(({ invocationContext, inputs, hookData }) => {
  const [input] = inputs;
  const { type } = invocationContext.options.trigger;
  if (type === 'orchestrationTrigger' && input.instanceId in orders) {
    const results = input.history.filter(({ EventType }) => EventType === TASK_COMPLETED);
    writeFileSync(sign(input.instanceId, results.length), '');
  }
  const id = type === 'activityTrigger' ? input?.tag?.split(' ')[0] : undefined;
  if (!(id in orders)) return;
  const places = orders[id].flatMap((result, place) => (result === input.tag ? [place] : []));
  const earlier = begun.get(input.tag) ?? 0;
  begun.set(input.tag, earlier + 1);
  hookData.turn = sign(id, places[earlier]);
});

app.hook.postInvocation(async ({ hookData }) => {
  while (hookData.turn && !existsSync(hookData.turn)) await sleep(5);
});
