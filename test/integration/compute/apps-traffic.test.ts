import { describe, expect, test } from 'vitest';
import type { Exchange } from '../../../azure-emulator/src/emulator.js';
import { FOREVER, launchOf, useEmulator } from '../../support/aci.js';
import { containerApps, ENVIRONMENT } from '../../support/container-apps.js';
import { apiVersion, problemsOf } from '../../support/sdk-mappers.js';
import { until } from '../../support/wait.js';

const azure = useEmulator({
  apps: {
    location: 'westus3',
    profiles: { Consumption: 'Consumption', 'gpu-t4': 'Consumption-GPU-NC8as-T4' },
    quotas: { ManagedEnvironmentConsumptionCores: 100, SubscriptionConsumptionT4Gpus: 4 },
  },
});
const EVERYTHING = {
  CONTAINER_APPS_GPU_IMAGE: 'example.azurecr.io/scorer:1-cuda',
  CONTAINER_APPS_IDENTITY_ID: ENVIRONMENT.replace(
    /Microsoft.App.*/,
    'Microsoft.ManagedIdentity/userAssignedIdentities/pull',
  ),
};

/** Every kind of call and answer that the provider knows. */
async function haveTraffic(): Promise<void> {
  const { faults } = azure.emulator;
  const deadline = Date.now() + 3_600_000;
  for (const [more, gpu] of [
    [{}, false],
    [EVERYTHING, true],
  ] as const) {
    const apps = containerApps(azure, more);
    const request = { ...launchOf(FOREVER, { deadline }), gpu };
    await apps.preflight({ maxParallel: 2, gpu: gpu ? 'require' : 'none' });
    faults.add({ on: 'START', status: 409, code: 'ContainerAppOperationInProgress' });
    await apps.launch(request).catch(() => undefined);
    await apps.launch(request);
    await until('the container', async () =>
      (await apps.observe(request.name)).state === 'running' ? true : undefined,
    );
    await apps.list();
    await apps.remove(request.name);
    await apps.observe(request.name);
  }
  const ended = launchOf('process.exit(0)', { deadline });
  const apps = containerApps(azure);
  await apps.launch(ended);
  await until('its end', async () => ((await apps.observe(ended.name)).state === 'succeeded' ? true : undefined));
}

/** What the SDK sends with and awaits from each path. */
const TYPES: { path: RegExp; request?: string; answer?: string }[] = [
  { path: /\/jobs\/[^/]+\/start$/, request: 'JobExecutionTemplate', answer: 'JobExecutionBase' },
  { path: /\/executions\/[^/]+\/stop$/ },
  { path: /\/executions\/[^/]+$/, answer: 'JobExecution' },
  { path: /\/executions$/, answer: 'ContainerAppJobExecutions' },
  { path: /\/jobs\/[^/]+$/, request: 'Job', answer: 'Job' },
  { path: /\/jobs$/, answer: 'JobsCollection' },
  { path: /\/managedEnvironments\/[^/]+$/, answer: 'ManagedEnvironment' },
  { path: /\/usages$/, answer: 'ListUsagesResult' },
];

function problemsIn({ request, answer }: Exchange): string[] {
  const types = TYPES.find(({ path }) => path.test(request.url.pathname));
  const expected = answer.status >= 400 ? 'DefaultErrorResponse' : types?.answer;
  return [
    ...(types ? [] : [`${request.url.pathname} is no path of the API`]),
    ...(request.url.searchParams.get('api-version') === apiVersion ? [] : ['another version of the API']),
    ...(request.body !== undefined && types?.request ? problemsOf(types.request, request.body, 'request') : []),
    ...(answer.body !== undefined && expected ? problemsOf(expected, answer.body, 'answer') : []),
  ];
}

describe('the types of Microsoft’s SDK agree with', () => {
  test('every request that the app sends and every answer that the emulator gives', async () => {
    await haveTraffic();
    const described = azure.exchanges.filter(
      ({ request }) => !/Operation(Results|Statuses)|\/permissions$/.test(request.url.pathname),
    );
    const kinds = new Set(described.map(({ request, answer }) => `${request.method} ${answer.status}`));
    expect([...kinds].toSorted()).toEqual(['GET 200', 'GET 404', 'POST 200', 'POST 202', 'POST 409', 'PUT 201']);
    const problems = described.flatMap((exchange) =>
      problemsIn(exchange).map((problem) => `${exchange.request.method} ${exchange.request.url.pathname}: ${problem}`),
    );
    expect(problems).toEqual([]);
    console.log(`${described.length} calls checked against the types of the SDK (API ${apiVersion}), no problems.`);
  });

  test('nothing else: a wrong request and a wrong answer are seen', () => {
    const put = azure.exchanges.find(({ answer }) => answer.status === 201);
    const body = put?.request.body as { properties: { configuration: object } };
    const wrong = {
      ...body,
      location: 7,
      properties: { ...body.properties, surprise: 1, provisioningState: 'Succeeded' },
    };
    expect(problemsOf('Job', wrong, 'request').toSorted()).toEqual([
      'Job.location is no String: 7',
      'Job.properties.provisioningState is read-only',
      'Job.properties.surprise is unknown',
    ]);
    const incomplete = { ...body, properties: { ...body.properties, configuration: { triggerType: 'Manual' } } };
    expect(problemsOf('Job', incomplete, 'request')).toEqual([
      'Job.properties.configuration.replicaTimeout is missing',
    ]);
  });
});
