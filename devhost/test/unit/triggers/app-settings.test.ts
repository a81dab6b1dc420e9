import { afterEach, expect, it, vi } from 'vitest';
import type { AppFunction } from '../../../src/app/function-registry.js';
import { UserFault } from '../../../src/log.js';
import { connectionOf, textOf } from '../../../src/triggers/app-settings.js';

afterEach(() => void vi.unstubAllEnvs());

const withTrigger = (options: Record<string, unknown>): AppFunction => {
  const trigger = { type: 'queueTrigger', name: 'queue', direction: 'in', ...options } as const;
  const metadata = { name: 'f', bindings: { queue: trigger } };
  return { name: 'f', metadata, triggerType: 'queueTrigger', trigger, clients: [] };
};

it('a text may take parts of itself from settings', () => {
  vi.stubEnv('STAGE', 'test');
  expect(textOf(withTrigger({ queueName: 'in-%STAGE%-%STAGE%' }), 'queueName')).toBe('in-test-test');
});

it.each([
  [{ queueName: '%NEVER_SET%' }, /'f'.*queueName.*NEVER_SET.*not set/],
  [{ queueName: '' }, /'f'.*queueTrigger without a queueName/],
  [{ queueName: 7 }, /'f'.*queueTrigger without a queueName/],
])('a text that cannot be had is refused: %j', (options, reason) => {
  expect(() => textOf(withTrigger(options), 'queueName')).toThrow(UserFault);
  expect(() => textOf(withTrigger(options), 'queueName')).toThrow(reason);
});

it('a connection is the setting of that name, or the one with the prefix of the Functions host', () => {
  vi.stubEnv('AzureWebJobsStorage', 'host');
  vi.stubEnv('MEDIA', 'plain');
  expect(connectionOf(withTrigger({ connection: 'MEDIA' }))).toBe('plain');
  vi.stubEnv('AzureWebJobsMEDIA', 'prefixed');
  expect(connectionOf(withTrigger({ connection: 'MEDIA' }))).toBe('prefixed');
  for (const connection of ['AzureWebJobsStorage', 'Storage', '', undefined])
    expect(connectionOf(withTrigger({ connection }))).toBe('host');
});

it('a connection that is not set is refused by the name of its setting', () => {
  vi.stubEnv('AzureWebJobsStorage', '');
  expect(() => connectionOf(withTrigger({ connection: 'MEDIA' }))).toThrow(/'f'.*setting MEDIA, which is not set/);
  expect(() => connectionOf(withTrigger({}))).toThrow(/'f'.*setting AzureWebJobsStorage, which is not set/);
});

it('a login with an identity is refused, and the sentence says what the host needs', () => {
  vi.stubEnv('MEDIA__queueServiceUri', 'https://x.queue.core.windows.net');
  expect(() => connectionOf(withTrigger({ connection: 'MEDIA' }))).toThrow(
    /MEDIA__queueServiceUri.*identity.*connection string in MEDIA/,
  );
});
