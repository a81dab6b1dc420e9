import { availableParallelism } from 'node:os';
import { describe, expect, it, vi } from 'vitest';
import { UserFault } from '../../src/log.js';
import { readHostSettings } from '../../src/settings.js';
import { temporaryApp } from '../support/temporary-app.js';

const read = async (host: object | string) => await readHostSettings(temporaryApp({ 'host.json': host }));
const durable = (durableTask: object) => ({ extensions: { durableTask } });

describe('host.json', () => {
  it('has defaults for everything', async () => {
    const perHost = 10 * availableParallelism();
    expect(await read({})).toEqual({
      hubName: 'TestHubName',
      routePrefix: 'api',
      maxActivities: perHost,
      maxOrchestrators: perHost,
    });
  });

  it('limits how many activities and orchestrators run at the same time', async () => {
    const limits = { maxConcurrentActivityFunctions: 3, maxConcurrentOrchestratorFunctions: 4 };
    expect(await read(durable(limits))).toMatchObject({ maxActivities: 3, maxOrchestrators: 4 });
  });

  it('may take the hub name from a setting', async () => {
    vi.stubEnv('HUB', 'FromSetting');
    expect(await read(durable({ hubName: '%HUB%' }))).toMatchObject({ hubName: 'FromSetting' });
    vi.unstubAllEnvs();
  });
});

describe('the host refuses', () => {
  const refusal = async (host: object | string) => {
    const error: unknown = await read(host).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UserFault);
    return String(error);
  };

  it('a folder that is no app', async () => {
    await expect(readHostSettings(import.meta.dirname)).rejects.toThrow(/host\.json.*folder of a Functions app/);
  });

  it('a host.json that is not JSON', async () => {
    expect(await refusal('{')).toMatch(/host\.json is not valid JSON/);
  });

  it('a bad hub name', async () => {
    expect(await refusal(durable({ hubName: '1-bad' }))).toMatch(/'1-bad'.*host\.json.*not valid/);
  });

  it('a hub name from a setting that is missing', async () => {
    expect(await refusal(durable({ hubName: '%NEVER_SET%' }))).toMatch(/NEVER_SET.*not set/);
  });

  it.each([0, -1, 1.5, 'many'])('%j as a limit', async (limit) => {
    expect(await refusal(durable({ maxConcurrentActivityFunctions: limit }))).toMatch(
      /maxConcurrentActivityFunctions.*whole number/,
    );
  });
});
