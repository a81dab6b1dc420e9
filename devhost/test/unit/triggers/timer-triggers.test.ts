import { expect, it } from 'vitest';
import { FunctionRegistry } from '../../../src/app/function-registry.js';
import { Log, UserFault } from '../../../src/log.js';
import { TimerTriggers } from '../../../src/triggers/timer-triggers.js';
import { invoker } from '../../support/app-in-process.js';

function timerWith(schedule: string): TimerTriggers {
  const functions = new FunctionRegistry();
  const timer = { type: 'timerTrigger', name: 'timer', direction: 'in', schedule } as const;
  functions.add({ name: 'tick', bindings: { timer } }, () => undefined);
  return new TimerTriggers(functions.all(), invoker, new Log(false));
}

it.each([
  ['61 * * * * *', /'61 \* \* \* \* \*'.*'tick'/],
  ['*/5 * * * *', /'\*\/5 \* \* \* \*'.*'tick'/],
  ['%NEVER_SET%', /'tick'.*NEVER_SET.*not set/],
])('the schedule %s is refused with the name of its function', (schedule, facts) => {
  expect(() => timerWith(schedule)).toThrow(UserFault);
  expect(() => timerWith(schedule)).toThrow(facts);
});
