import { describe, expect, test } from 'vitest';
import { Apps } from '../../../azure-emulator/src/container-apps/apps.js';
import { jobRoutes } from '../../../azure-emulator/src/container-apps/routes.js';
import { groupRoutes } from '../../../azure-emulator/src/container-instances/routes.js';
import { Subscription } from '../../../azure-emulator/src/container-instances/subscription.js';
import { Faults } from '../../../azure-emulator/src/faults.js';
import { routerOf } from '../../../azure-emulator/src/http.js';

const nothingRuns = {
  delays: { waitMs: 0, pullMs: 0 },
  start: () => {
    throw new Error('Nothing is started here.');
  },
};
const profiles = { Consumption: 'Consumption' };
const quotas = { ManagedEnvironmentConsumptionCores: 1, SubscriptionConsumptionT4Gpus: 0 };
const apps = new Apps(nothingRuns, new Faults(), { location: 'emulated', profiles, quotas });
const azure = new Subscription(nothingRuns, new Faults(), { ContainerGroups: 1, StandardCores: 1 });
const route = routerOf({ ...groupRoutes(azure), ...jobRoutes(apps) });
const find = (method: string, path: string, body?: unknown) =>
  route({ method, url: new URL(path, 'http://127.0.0.1'), body });

const GROUPS = '/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerInstance/containerGroups';
const JOBS = '/subscriptions/s/resourceGroups/rg/providers/Microsoft.App/jobs';

describe('the emulator', () => {
  test.each([
    ['GET', GROUPS, 'GET'],
    ['PUT', `${GROUPS}/a`, 'PUT'],
    ['DELETE', `${GROUPS}/a`, 'DELETE'],
    ['GET', `${GROUPS}/a/containers/scorer/logs?tail=10`, 'LOGS'],
    ['GET', '/subscriptions/s/providers/Microsoft.ContainerInstance/locations/westeurope/usages', 'USAGE'],
    ['GET', '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Authorization/permissions', 'RIGHTS'],
    ['GET', JOBS, 'JOB'],
    ['PUT', `${JOBS}/a`, 'CREATE'],
    ['POST', `${JOBS}/a/start`, 'START'],
    ['GET', `${JOBS}/a/executions/b`, 'LOOK'],
    ['POST', `${JOBS}/a/executions/b/stop`, 'STOP'],
  ])('takes %s %s for what the fault %s can spoil', (method, path, fault) => {
    expect(find(method, path)?.fault).toBe(fault);
  });

  test('takes a path in any case, as Azure does, and keeps the case of names', async () => {
    const found = find('GET', `${GROUPS.toLowerCase()}/Coast-A1`);
    expect(found?.subject).toBe('Coast-A1');
    expect(await found?.run()).toMatchObject({ status: 404, body: { error: { code: 'ResourceNotFound' } } });
  });

  test.each([
    ['GET', '/subscriptions/s/somethingElse'],
    ['POST', GROUPS],
    ['PATCH', `${JOBS}/a`],
    ['GET', '/'],
  ])('knows no %s %s', (method, path) => {
    expect(find(method, path)).toBeUndefined();
  });

  test('refuses a group without containers as Azure does', async () => {
    expect(await find('PUT', `${GROUPS}/a`, { location: 'x', properties: { containers: [] } })?.run()).toMatchObject({
      status: 400,
      body: { error: { code: 'InvalidRequestContent' } },
    });
  });
});
