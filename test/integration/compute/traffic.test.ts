import { existsSync } from 'node:fs';
import path from 'node:path';
import * as oav from 'oav';
import { describe, expect, test } from 'vitest';
import type { Exchange } from '../../../azure-emulator/src/emulator.js';
import { aciCompute, FOREVER, launchOf, useEmulator } from '../../support/aci.js';
import { until } from '../../support/wait.js';

const SPEC = path.resolve(import.meta.dirname, '../../../../shared/spec');
const hasSpec = existsSync(SPEC);
if (!hasSpec) console.warn(`The traffic with Azure is not validated: there is no API description in ${SPEC}.`);

const ID = '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers';
const EVERYTHING = {
  ACI_IDENTITY_ID: `${ID}/Microsoft.ManagedIdentity/userAssignedIdentities/pull`,
  ACI_SUBNET_ID: `${ID}/Microsoft.Network/virtualNetworks/net/subnets/aci`,
  ACI_DNS_SERVERS: '10.0.0.4,10.0.0.5',
  ACI_ZONE: '2',
};
const azure = useEmulator();

/** Every kind of call and answer that the provider knows. */
async function haveTraffic(): Promise<void> {
  const { faults } = azure.emulator;
  for (const more of [{}, EVERYTHING, { ACI_SPOT: 'true' }]) {
    const aci = aciCompute(azure.emulator.url, more);
    const request = launchOf(FOREVER);
    await aci.preflight({ maxParallel: 2, gpu: 'prefer' });
    faults.add({ on: 'PUT', status: 409, code: 'ServiceUnavailable', message: 'not available in the location' });
    await aci.launch(request);
    await aci.logs(request.name);
    await until('the container', async () =>
      (await aci.observe(request.name)).state === 'running' ? true : undefined,
    );
    await until('its log', async () => ((await aci.logs(request.name)).length === 0 ? undefined : true));
    await azure.emulator.azure.groups.get(request.name)?.container?.kill(137);
    await aci.observe(request.name);
    await aci.list();
    await aci.remove(request.name);
    await aci.observe(request.name);
  }
  azure.emulator.azure.gpu = 'V100';
  const withGpu = aciCompute(azure.emulator.url, { ACI_GPU_IMAGE: 'example.azurecr.io/scorer-cuda:1' });
  const { gpu } = await withGpu.preflight({ gpu: 'require' });
  const onGpu = launchOf(FOREVER, { gpu });
  await withGpu.launch(onGpu);
  await withGpu.observe(onGpu.name);
  await withGpu.remove(onGpu.name);
  azure.emulator.azure.gpu = undefined;
  const aci = aciCompute(azure.emulator.url);
  for (const fate of ['pull-error', 'no-capacity'] as const) {
    faults.add({ on: 'GROUP', fate });
    const request = launchOf(FOREVER);
    await aci.launch(request);
    await until('its failure', async () => ((await aci.observe(request.name)).state === 'failed' ? true : undefined));
    await aci.remove(request.name);
  }
}

/** One call as the validator wants it, on Azure's own host. */
const asTraffic = ({ request, answer }: Exchange) => ({
  liveRequest: {
    method: request.method,
    url: `https://management.azure.com${request.url.pathname}${request.url.search}`,
    headers: request.headers,
    body: request.body as { [name: string]: unknown },
  },
  liveResponse: {
    statusCode: String(answer.status),
    headers: { 'content-type': 'application/json; charset=utf-8', ...answer.headers },
    body: answer.body as { [name: string]: unknown },
  },
});

async function startValidator(): Promise<oav.LiveValidator> {
  const validator = new oav.LiveValidator(
    {
      git: { url: '', shouldClone: false },
      directory: SPEC,
      swaggerPathsPattern: ['**/2023-05-01/containerInstance.json'],
      isPathCaseSensitive: false,
      loadValidatorInBackground: false,
    },
    () => undefined,
  );
  await validator.initialize();
  return validator;
}

describe.skipIf(!hasSpec)('the official API description agrees with', () => {
  test('every request that the app sends and every answer that the emulator gives', async () => {
    const validator = await startValidator();
    await haveTraffic();
    const described = azure.exchanges.filter(
      ({ request }) => !/\/operations\/|\/permissions$/.test(request.url.pathname),
    );
    const methods = new Set(described.map(({ request, answer }) => `${request.method} ${answer.status}`));
    expect([...methods].toSorted()).toEqual(['DELETE 200', 'GET 200', 'GET 404', 'GET 409', 'PUT 201', 'PUT 409']);
    const errors: unknown[] = [];
    for (const exchange of described) {
      const result = await validator.validateLiveRequestResponse(asTraffic(exchange));
      for (const half of [result.requestValidationResult, result.responseValidationResult])
        if (half.errors.length > 0 || half.isSuccessful !== true)
          errors.push({ call: `${exchange.request.method} ${exchange.request.url.pathname}`, half });
    }
    expect(errors).toEqual([]);
    console.log(`${described.length} calls validated against the official API description, ${errors.length} errors.`);
  });

  test('nothing else: the validator sees a wrong request and a wrong answer', async () => {
    const validator = await startValidator();
    const put = azure.exchanges.find(({ answer }) => answer.status === 201);
    if (!put) throw new Error('The test before has created groups.');
    const call = asTraffic(put);
    const properties = { ...(call.liveRequest.body.properties as object), restartPolicy: 'never', surprise: 1 };
    const liveRequest = { ...call.liveRequest, body: { ...call.liveRequest.body, properties } };
    const liveResponse = { ...call.liveResponse, body: { ...call.liveResponse.body, location: 7 } };
    const result = await validator.validateLiveRequestResponse({ liveRequest, liveResponse });
    expect(result.requestValidationResult.errors.length).toBeGreaterThan(0);
    expect(result.responseValidationResult.errors.length).toBeGreaterThan(0);
  });
});
