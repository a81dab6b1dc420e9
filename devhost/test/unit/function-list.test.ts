import { expect, it } from 'vitest';
import { FunctionRegistry } from '../../src/app/function-registry.js';
import { functionList } from '../../src/function-list.js';

it('functions are listed as Core Tools do: addresses with their methods first, then timers, then durable ones by kind', () => {
  const functions = new FunctionRegistry();
  const add = (name: string, type: string, options: object = {}) =>
    functions.add({ name, bindings: { b: { type, name: 'b', direction: 'in', ...options } } });
  add('work', 'activityTrigger');
  add('nap', 'timerTrigger', { schedule: '0 0 * * * *' });
  add('job', 'orchestrationTrigger');
  add('all', 'orchestrationTrigger');
  add('start', 'httpTrigger', { methods: ['GET', 'post'], route: '/jobs/{id?}' });
  add('ping', 'httpTrigger', { methods: ['GET'] });
  expect(functionList(functions.all(), 'http://localhost:7071', 'api').trimEnd().split('\n')).toEqual([
    'Functions:',
    '',
    '    ping: [GET] http://localhost:7071/api/ping',
    '    start: [GET,POST] http://localhost:7071/api/jobs/{id?}',
    '    nap: timerTrigger',
    '    all: orchestrationTrigger',
    '    job: orchestrationTrigger',
    '    work: activityTrigger',
  ]);
  expect(functionList(functions.all(), 'http://localhost:1', '')).toContain('ping: [GET] http://localhost:1/ping\n');
});
