import { describe, expect, it } from 'vitest';
import { FunctionRegistry } from '../../../src/app/function-registry.js';

const registered = (name: string, ...types: string[]) => {
  const registry = new FunctionRegistry();
  const bindings = types.map((type) => [
    type,
    { type, name: type, direction: type.endsWith('Trigger') ? 'in' : 'out' } as const,
  ]);
  registry.add({ name, bindings: Object.fromEntries(bindings) }, () => undefined);
  return registry;
};

describe('a function is refused by name', () => {
  it.each(['blobTrigger', 'queueTrigger', 'entityTrigger'])('for its %s', (trigger) => {
    expect(() => registered('f', trigger)).toThrow(new RegExp(`'f'.*trigger '${trigger}'.*not support`));
  });

  it('for a binding other than a durable client', () => {
    expect(() => registered('f', 'httpTrigger', 'http', 'blob')).toThrow(/'f'.*binding 'blob'.*not support/);
  });

  it('for having no trigger', () => {
    expect(() => registered('f', 'http')).toThrow(/'f'.*no trigger/);
  });
});

it('a function is found by trigger type and by its name in any case', () => {
  const registry = registered('Hello', 'activityTrigger');
  expect(registry.find('activityTrigger', 'hELLO')?.name).toBe('Hello');
  expect(registry.find('orchestrationTrigger', 'Hello')).toBeUndefined();
});
