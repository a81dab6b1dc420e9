import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig } from '../../../src/config.js';
import { INFRA, readSnapshot } from '../../support/azure-policies.js';
import { Bicep, type Resource, whyNoBicep } from '../../support/bicep.js';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const APP = path.join(INFRA, 'modules/function-app.bicep');

const why = whyNoBicep();
if (why !== undefined) console.warn(`The deployment to Azure is not compiled: ${why}.`);

/** Settings of the Functions host and of libraries, which the app itself does not read. */
const NOT_OURS = [
  /^AzureWebJobsStorage__(credential|queueServiceUri|tableServiceUri)$/,
  /^AzureFunctionsJobHost__extensions__durableTask__(hubName|storageProvider__(partitionCount|maxQueuePollingInterval|type|connectionStringName))$/,
  /^FUNCTIONS_(EXTENSION_VERSION|WORKER_RUNTIME)$/,
  /^WEBSITE_RUN_FROM_PACKAGE(_BLOB_MI_RESOURCE_ID)?$/,
  /^DURABLE_TASK_SCHEDULER_CONNECTION_STRING$/,
  // @azure/identity
  /^AZURE_CLIENT_ID$/,
];

/** Every setting that the app reads stands in one of these by its name. */
const SOURCES = [
  'src/config.ts',
  'src/compute/aci/settings.ts',
  'src/compute/container-apps/settings.ts',
  'src/container-contract/environment.ts',
  'src/telemetry/insights-settings.ts',
].map((file) => readFileSync(path.join(ROOT, file), 'utf8'));

const isOurs = (name: string) => {
  const [connection = '', detail] = name.split('__');
  const reads = (word: string) => SOURCES.some((source) => new RegExp(`\\b${word}\\b`).test(source));
  return detail === undefined ? reads(name) : reads(connection) && /^(blobServiceUri|clientId)$/.test(detail);
};

const GROUP = '/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers';
const CLIENT = '00000000-0000-0000-0000-00000000000c';
const SCHEDULER = 'https://x.westeurope.durabletask.io';
const USUAL = {
  location: 'westeurope',
  tags: {},
  name: 'func-x',
  plan: 'EP1',
  mostInstances: 5,
  identityId: `${GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/id-app`,
  identityClientId: CLIENT,
  mediaBlobEndpoint: 'https://stmedia.blob.core.windows.net/',
  internalBlobEndpoint: 'https://stint.blob.core.windows.net/',
  internalQueueEndpoint: 'https://stint.queue.core.windows.net/',
  internalTableEndpoint: 'https://stint.table.core.windows.net/',
  insightsConnection: `InstrumentationKey=${CLIENT};IngestionEndpoint=https://westeurope.in.applicationinsights.azure.com/`,
  workspaceId: `${GROUP}/Microsoft.OperationalInsights/workspaces/log`,
  subnetId: '',
  allowedAddresses: [],
  entraClientId: '',
  taskHub: 'BatchScoring8',
  partitionCount: 8,
  schedulerEndpoint: '',
  keepFramesDays: 3,
  keepRecordsDays: 30,
  containerIdentityId: `${GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/id-container`,
  containerRegions: ['westeurope', 'swedencentral'],
  containerGroupsSubnetId: '',
  containerAppsEnvironmentId: `${GROUP}/Microsoft.App/managedEnvironments/cae`,
  image: 'cr.azurecr.io/scorer:1',
  gpu: 'none',
  gpuImage: 'cr.azurecr.io/scorer-cuda:1',
  moreSettings: {},
};

describe.skipIf(why !== undefined)('the deployment to Azure', () => {
  let bicep: Bicep;
  beforeAll(() => {
    bicep = new Bicep();
  });
  afterAll(() => bicep.stop());

  const known = new Map<string, Promise<Resource[]>>();

  /** The settings and the rest of the app's site, for these parameters. */
  async function appWith(parameters: Partial<typeof USUAL>) {
    const key = JSON.stringify(parameters);
    const making = known.get(key) ?? bicep.predict(APP, { ...USUAL, ...parameters });
    known.set(key, making);
    const made = await making;
    const ofType = (type: string) => made.find((resource) => resource.type === type)?.properties ?? {};
    const settings = ofType('Microsoft.Web/sites/config') as Record<string, string>;
    return { settings, site: ofType('Microsoft.Web/sites') };
  }

  test('compiles, and neither compiler nor linter remarks on anything', async () => {
    expect(await bicep.remarksOn(path.join(INFRA, 'main.bicep'))).toEqual([]);
  });

  test.each(['main', 'private', 'scheduler'])(
    'makes what infra/%s.test.snapshot.json says (npm run infra:snapshots writes it anew)',
    async (set) => {
      expect(await bicep.snapshot(path.join(INFRA, `${set}.test.bicepparam`))).toEqual(readSnapshot(set));
    },
  );

  test.each<[string, Partial<typeof USUAL>]>([
    ['usual', {}],
    ['on Flex Consumption', { plan: 'FlexConsumption' }],
    ['with a GPU', { gpu: 'A100' }],
    ['in a network', { containerGroupsSubnetId: `${GROUP}/Microsoft.Network/virtualNetworks/v/subnets/c` }],
    ['with the Durable Task Scheduler', { schedulerEndpoint: SCHEDULER }],
    ['with Entra ID', { entraClientId: CLIENT }],
    ['with settings of its own', { moreSettings: { SCORER_THREADS: '2', KEEP_FRAMES_DAYS: '5' } }],
  ])('gives the app settings that it reads, and all that it needs: %s', async (_, parameters) => {
    const { settings } = await appWith(parameters);
    const unknown = Object.keys(settings).filter((name) => !isOurs(name) && !NOT_OURS.some((rule) => rule.test(name)));
    expect(unknown).toEqual([]);
    for (const [name, value] of Object.entries(settings)) expect(value, name).toMatch(/^[^[]/);
    const { mediaConnection, internalConnection, inbox, retention, computes, telemetry, callers } = readConfig({
      ...settings,
      // App Service sets it where its authentication is on.
      ...(parameters.entraClientId !== undefined && { WEBSITE_AUTH_ENABLED: 'True' }),
    });
    expect([mediaConnection, internalConnection]).toEqual([
      { blobServiceUri: USUAL.mediaBlobEndpoint, clientId: CLIENT },
      { blobServiceUri: USUAL.internalBlobEndpoint, clientId: CLIENT },
    ]);
    expect(callers.authentication).toBe(parameters.entraClientId === undefined ? 'keys' : 'entra');
    expect(inbox.connection).toBe('AzureWebJobsStorage');
    expect(retention).toEqual({ framesDays: Number(settings.KEEP_FRAMES_DAYS), recordsDays: 30 });
    expect(computes.aci).toMatchObject({
      resourceGroup: 'rg',
      regions: USUAL.containerRegions,
      identityId: USUAL.containerIdentityId,
      subnetId: parameters.containerGroupsSubnetId,
      dnsServers: parameters.containerGroupsSubnetId === undefined ? [] : ['168.63.129.16'],
    });
    expect(computes.containerApps).toMatchObject({
      image: USUAL.image,
      gpuImage: parameters.gpu === undefined ? undefined : USUAL.gpuImage,
      ...(parameters.gpu !== undefined && { gpu: parameters.gpu }),
    });
    expect(telemetry.insights?.login?.clientId).toBe(CLIENT);
    expect(settings.AZURE_CLIENT_ID).toBe(CLIENT);
  });

  test('lets the scripts of the page that the app serves, and of no other, read and upload in storage', () => {
    const made = readSnapshot('main').predictedResources;
    const { name = '' } = made.find(({ type }) => type === 'Microsoft.Web/sites') ?? {};
    const blobs = made.filter(({ type }) => type === 'Microsoft.Storage/storageAccounts/blobServices');
    expect(blobs).toHaveLength(2);
    for (const { properties } of blobs)
      expect((properties as { cors: unknown }).cors).toMatchObject({
        corsRules: [
          { allowedOrigins: [`https://${name}.azurewebsites.net`], allowedMethods: ['GET', 'HEAD', 'PUT', 'OPTIONS'] },
        ],
      });
  });

  test('chooses where Durable Functions keeps its state by host.json, and names the hub by its layout', async () => {
    const durable = 'AzureFunctionsJobHost__extensions__durableTask__';
    const { settings } = await appWith({});
    expect(settings).toMatchObject({
      [`${durable}hubName`]: 'BatchScoring8',
      [`${durable}storageProvider__partitionCount`]: '8',
    });
    const scheduled = await appWith({ schedulerEndpoint: SCHEDULER });
    expect(scheduled.settings).toMatchObject({
      [`${durable}storageProvider__type`]: 'azureManaged',
      [`${durable}storageProvider__connectionStringName`]: 'DURABLE_TASK_SCHEDULER_CONNECTION_STRING',
      DURABLE_TASK_SCHEDULER_CONNECTION_STRING: `Endpoint=${SCHEDULER};Authentication=ManagedIdentity;ClientID=${CLIENT};TaskHub=BatchScoring8`,
    });
  });

  test('runs the app from its package, with no share that needs a key, or as Flex Consumption does', async () => {
    const premium = await appWith({});
    expect(premium.settings).toMatchObject({
      WEBSITE_RUN_FROM_PACKAGE: `${USUAL.internalBlobEndpoint}app-package/app.zip`,
      WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID: USUAL.identityId,
    });
    const flex = await appWith({ plan: 'FlexConsumption' });
    expect(Object.keys(flex.settings).filter((name) => /^(WEBSITE|FUNCTIONS)_/.test(name))).toEqual([]);
    expect(flex.site.functionAppConfig).toMatchObject({
      runtime: { name: 'node', version: '22' },
      deployment: { storage: { value: `${USUAL.internalBlobEndpoint}app-package` } },
      scaleAndConcurrency: { instanceMemoryMB: 4096, alwaysReady: [{ name: 'durable', instanceCount: 1 }] },
    });
  });
});
