import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  INBOX,
  INBOX_QUEUE,
  jobContainer,
  MODELS,
  OUTBOX,
  QUARANTINE,
  STYLES,
  workContainer,
} from '../../../src/job-store/layout.js';
import { describeAssignment, INFRA, problemsOf, readSnapshot } from '../../support/azure-policies.js';
import type { Resource } from '../../support/bicep.js';

const made = (set: string): Resource[] => readSnapshot(set).predictedResources;
const ofType = (resources: Resource[], type: string) => resources.filter((resource) => resource.type === type);

const SETS = ['main', 'private', 'scheduler'];
const COMMON = [
  'app: Managed Identity Operator on userAssignedIdentities/id-container-',
  'app: Monitoring Metrics Publisher on components/appi-',
  'app: Storage Blob Data Contributor on storageAccounts/stmedia',
  'app: Storage Blob Data Owner on storageAccounts/stint',
  'app: Storage Queue Data Contributor on storageAccounts/stint',
  'app: Storage Queue Data Message Sender on storageAccounts/stmedia',
  'app: Storage Table Data Contributor on storageAccounts/stint',
  'container: AcrPull on registries/cr',
  'events: Storage Queue Data Message Sender on queues/inbox-events',
];

describe('what is deployed to Azure', () => {
  test('is in these snapshots, each of which has its parameters beside it', () => {
    const files = readdirSync(INFRA).filter((name) => name.includes('.test.'));
    expect(files).toEqual(SETS.flatMap((set) => [`${set}.test.bicepparam`, `${set}.test.snapshot.json`]));
  });

  test.each(SETS)('passes the review: %s', (set) => {
    expect(problemsOf(made(set))).toEqual([]);
    expect(readSnapshot(set).diagnostics).toEqual([]);
  });

  test.each([
    [
      'main',
      [
        'app: Batch scoring: run containers on the group',
        'deployer: Storage Blob Data Contributor on containers/app-package',
      ],
    ],
    [
      'private',
      [
        'app: Batch scoring: run containers on the group',
        'app: Batch scoring: join a subnet on subnets/container-groups',
      ],
    ],
    [
      'scheduler',
      [
        'app: Azure Container Instances Contributor Role on the group',
        'app: Container Apps Jobs Contributor on the group',
        'app: Network Contributor on subnets/container-groups',
        'app: Durable Task Data Contributor on schedulers/dts-',
      ],
    ],
  ])('gives these rights and no others: %s', (set, own) => {
    const resources = made(set);
    const assignments = ofType(resources, 'Microsoft.Authorization/roleAssignments');
    const lines = assignments.map((each) => describeAssignment(each, resources).line);
    expect(lines.toSorted()).toEqual([...COMMON, ...own].toSorted());
  });

  test('has the containers and queues by which the app knows them, and rules for what jobs leave there', () => {
    const resources = made('main');
    const named = (type: string) =>
      ofType(resources, `Microsoft.Storage/storageAccounts/${type}`).map(({ name }) => name.split('/').at(-1));
    expect(named('blobServices/containers')).toEqual([INBOX, STYLES, OUTBOX, QUARANTINE, MODELS, 'app-package']);
    expect(named('queueServices/queues')).toEqual([INBOX_QUEUE, `${INBOX_QUEUE}-poison`]);
    const rules = ofType(resources, 'Microsoft.Storage/storageAccounts/managementPolicies').flatMap(
      ({ properties }) =>
        (properties.policy as { rules: { definition: { filters: { prefixMatch: string[] } } }[] }).rules,
    );
    const prefixes = rules.flatMap(({ definition }) => definition.filters.prefixMatch);
    expect(prefixes).toEqual([workContainer(''), `${QUARANTINE}/`, jobContainer('')]);
    const [subscription] = ofType(resources, 'Microsoft.EventGrid/systemTopics/eventSubscriptions');
    expect(subscription?.properties.filter).toMatchObject({
      subjectBeginsWith: `/blobServices/default/containers/${INBOX}/`,
    });
  });

  test.each(SETS)('tells whoever deployed it how to reach the app: %s', (set) => {
    const { outputs } = readSnapshot(set);
    expect(outputs).toMatchObject({
      APP_URL: expect.stringContaining('https://'),
      KEY_COMMAND: expect.stringMatching(/^az functionapp keys list --name func-.* --subscription /),
    });
  });

  test.each(SETS)(
    'names both custom roles to what removes them, as an earlier choice may have made them: %s',
    (set) => {
      const { CUSTOM_ROLES } = readSnapshot(set).outputs ?? {};
      expect(new Set(String(CUSTOM_ROLES).split(' ')).size).toBe(2);
    },
  );

  test('writes a single address without its /32, which storage refuses', () => {
    const accounts = ofType(made('private'), 'Microsoft.Storage/storageAccounts');
    const allowed = accounts.map(({ properties }) => {
      const { ipRules } = properties.networkAcls as { ipRules: { value: string }[] };
      return ipRules.map(({ value }) => value);
    });
    const addresses = ['203.0.113.7', '198.51.100.0/24', '192.0.2.9'];
    expect(allowed).toEqual([addresses, addresses]);
  });

  test('is told by azd what it is to be, and tells the hooks what they read', () => {
    const parameters = JSON.parse(readFileSync(path.join(INFRA, 'main.parameters.json'), 'utf8')) as {
      parameters: Record<string, object>;
    };
    const template = readFileSync(path.join(INFRA, 'main.bicep'), 'utf8');
    const known = [...template.matchAll(/^param (\w+) /gm)].map(([, name]) => name);
    expect(known).toEqual(expect.arrayContaining(Object.keys(parameters.parameters)));
    const hooks = ['publish', 'forget-roles'].map((name) =>
      readFileSync(path.join(INFRA, `hooks/${name}.mjs`), 'utf8'),
    );
    const read = [...new Set(hooks.join('\n').match(/\b[A-Z]+(_[A-Z]+)+\b|\bREGISTRY\b/g))];
    const own = ['APP_PACKAGE', 'PUBLISH_PAUSE_SECONDS', 'PAUSE_SECONDS', 'SCORER_TAG'];
    const { outputs = {} } = readSnapshot('main');
    expect(read.filter((name) => !own.includes(name) && outputs[name] === undefined)).toEqual([]);
    expect(read).toContain('CUSTOM_ROLES');
  });

  test('lets container groups in a network reach storage by its private names, and has them all leave by one address', () => {
    const [network] = ofType(made('private'), 'Microsoft.Network/virtualNetworks');
    const subnets = network?.properties.subnets as {
      name: string;
      properties: { natGateway?: object; delegations?: { properties: { serviceName: string } }[] };
    }[];
    const delegated = subnets.map(({ name, properties }) => [
      name,
      properties.natGateway !== undefined,
      properties.delegations?.[0]?.properties.serviceName,
    ]);
    expect(delegated).toEqual([
      ['app', true, 'Microsoft.App/environments'],
      ['container-apps', true, 'Microsoft.App/environments'],
      ['container-groups', true, 'Microsoft.ContainerInstance/containerGroups'],
      ['endpoints', false, undefined],
    ]);
  });
});

type Spoiling = (resources: Resource[]) => void;

/** The first resource of a type; a spoiling that finds none would prove nothing. */
function first(resources: Resource[], type: string, name = ''): Resource {
  const found = resources.find((each) => each.type === type && each.name.startsWith(name));
  if (!found) throw new Error(`There is no ${type} ${name}.`);
  return found;
}
const set =
  (type: string, values: object, name = ''): Spoiling =>
  (resources) =>
    Object.assign(first(resources, type, name).properties, values);
const setIn =
  (type: string, key: string, values: object): Spoiling =>
  (resources) =>
    Object.assign(first(resources, type).properties[key] as object, values);
const drop =
  (suffix: RegExp): Spoiling =>
  (resources) => {
    const index = resources.findIndex(({ id }) => suffix.test(id));
    if (index < 0) throw new Error(`Nothing ends with ${String(suffix)}.`);
    resources.splice(index, 1);
  };
const GROUP = '/subscriptions/s/resourceGroups/g';
const assign =
  (role: string, scope: string, principal: string): Spoiling =>
  (resources) =>
    resources.push({
      ...first(resources, 'Microsoft.Authorization/roleAssignments'),
      id: `${scope}/providers/Microsoft.Authorization/roleAssignments/x`,
      properties: { principalId: principal, roleDefinitionId: `/x/roleDefinitions/${role}` },
    });
const allow =
  (action: string): Spoiling =>
  (resources) => {
    const { permissions } = first(resources, 'Microsoft.Authorization/roleDefinitions').properties;
    (permissions as { actions: string[] }[])[0]?.actions.push(action);
  };

const ACCOUNT = 'Microsoft.Storage/storageAccounts';
const SITE = 'Microsoft.Web/sites';
const APP = "[reference('…/userAssignedIdentities/id-app-x').principalId]";
const CONTAINER = "[reference('…/userAssignedIdentities/id-container-x').principalId]";
const OWNER = '8e3af657-a8ff-443c-a75c-2fe8c4bcb635';
const CONTRIBUTOR = 'b24988ac-6180-42a0-ab88-20f7382dd24c';
const ACCESS = '18d7d88d-d35e-4fb5-a5c3-7773c20a72d9';
const READER = 'acdd72a7-3385-48ef-bd42-f606fba81ae7';
const BLOBS = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe';

describe('the review refuses', () => {
  test.each<[string, Spoiling, RegExp]>([
    ['an account with keys', set(ACCOUNT, { allowSharedKeyAccess: true }), /allowSharedKeyAccess is true/],
    ['an account that says nothing of keys', set(ACCOUNT, { allowSharedKeyAccess: undefined }), /allowSharedKeyAccess/],
    ['the other account with keys', set(ACCOUNT, { allowSharedKeyAccess: true }, 'stint'), /allowSharedKeyAccess/],
    ['an account by http', set(ACCOUNT, { supportsHttpsTrafficOnly: false }), /supportsHttpsTrafficOnly/],
    ['an account with old TLS', set(ACCOUNT, { minimumTlsVersion: 'TLS1_0' }), /minimumTlsVersion/],
    ['an account that may have public blobs', set(ACCOUNT, { allowBlobPublicAccess: true }), /allowBlobPublicAccess/],
    ['a public container', set(`${ACCOUNT}/blobServices/containers`, { publicAccess: 'Blob' }), /publicAccess/],
    [
      'an account that is open in spite of the network',
      setIn(ACCOUNT, 'networkAcls', { defaultAction: 'Allow' }),
      /default/,
    ],
    ['an account that events cannot leave', setIn(ACCOUNT, 'networkAcls', { bypass: 'None' }), /networkAcls.bypass/],
    [
      'soft delete where everything is overwritten all the time',
      set(`${ACCOUNT}/blobServices`, { deleteRetentionPolicy: { enabled: true, days: 7 } }, 'stint'),
      /deleteRetentionPolicy.enabled/,
    ],
    ['an app by http', set(SITE, { httpsOnly: false }), /httpsOnly/],
    ['an app with old TLS', setIn(SITE, 'siteConfig', { minTlsVersion: '1.0' }), /minTlsVersion/],
    ['an app by FTP', setIn(SITE, 'siteConfig', { ftpsState: 'AllAllowed' }), /ftpsState/],
    [
      'callers without a token where they need one',
      (all) => {
        const logins = all.find(({ name }) => name.endsWith('/authsettingsV2'));
        Object.assign(logins?.properties ?? {}, { globalValidation: { requireAuthentication: false } });
      },
      /requireAuthentication/,
    ],
    ['passwords to deploy with', set(`${SITE}/basicPublishingCredentialsPolicies`, { allow: true }), /allow is true/],
    ['nothing said of these passwords', drop(/basicPublishingCredentialsPolicies\/scm$/), /with a password/],
    [
      'an app that logs in as nobody',
      (all) => Object.assign(first(all, SITE), { identity: undefined }),
      /no user-assigned/,
    ],
    [
      'a registry with a password',
      set('Microsoft.ContainerRegistry/registries', { adminUserEnabled: true }),
      /adminUser/,
    ],
    ['telemetry by key', set('Microsoft.Insights/components', { DisableLocalAuth: false }), /DisableLocalAuth/],
    [
      'logs by the key of the workspace',
      set('Microsoft.App/managedEnvironments', { appLogsConfiguration: { destination: 'log-analytics' } }),
      /appLogsConfiguration/,
    ],
    [
      'events that log in as nobody',
      set('Microsoft.EventGrid/systemTopics/eventSubscriptions', { destination: { endpointType: 'StorageQueue' } }),
      /destination/,
    ],
    [
      'a subnet without a guard',
      (all) => {
        const { subnets } = first(all, 'Microsoft.Network/virtualNetworks').properties;
        delete (subnets as { properties: { networkSecurityGroup?: object } }[])[0]?.properties.networkSecurityGroup;
      },
      /security group/,
    ],
    ['a registry without logs', drop(/registries\/\w+\/providers\/Microsoft.Insights\/.*$/), /no diagnostic/],
    ['blobs without logs', drop(/stmedia\w+\/blobServices\/default\/providers\/Microsoft.Insights\/.*$/), /no diagnos/],
    ['an app without logs', drop(/sites\/[\w-]+\/providers\/Microsoft.Insights\/.*$/), /no diagnostic/],
    [
      'logs that are off',
      (all) => {
        for (const { id, properties } of ofType(all, 'Microsoft.Insights/diagnosticSettings'))
          if (id.includes('/registries/'))
            for (const log of properties.logs as { enabled: boolean }[]) log.enabled = false;
      },
      /no diagnostic/,
    ],
    ['an owner', assign(OWNER, GROUP, APP), /"app: Owner on the group"/],
    ['a contributor', assign(CONTRIBUTOR, GROUP, APP), /"app: Contributor on the group"/],
    ['an administrator of access', assign(ACCESS, GROUP, APP), /"app: User Access Administrator on the group"/],
    ['an owner of one resource', assign(OWNER, `${GROUP}/providers/Microsoft.Web/sites/x`, APP), /"app: Owner on/],
    ['a right on the subscription', assign(READER, '/subscriptions/s', APP), /it is assigned at \/subscriptions\/s\./],
    ['a right on a management group', assign(READER, '/providers/Microsoft.Management/x', APP), /it is assigned at/],
    [
      'a container that reads storage',
      assign(BLOBS, `${GROUP}/p/storageAccounts/stmedia`, CONTAINER),
      /"container: St/,
    ],
    ['a stranger', assign(BLOBS, `${GROUP}/p/storageAccounts/stmedia`, 'e0f6…'), /"deployer: Storage Blob Data C/],
    ['a right that is too wide', assign(BLOBS, GROUP, APP), /"app: Storage Blob Data Contributor on the group"/],
    ['a custom role with a star', allow('Microsoft.App/*'), /it allows Microsoft.App\/\*/],
    ['a custom role that gives rights', allow('Microsoft.Authorization/roleAssignments/write'), /give rights away/],
    [
      'a custom role for the whole subscription',
      set('Microsoft.Authorization/roleDefinitions', { assignableScopes: ['/subscriptions/s'] }),
      /it can be assigned at/,
    ],
    ['a key in a setting', set(`${SITE}/config`, { AzureWebJobsStorage: 'AccountName=x;AccountKey=y' }), /holds a key/],
    [
      'a key that the deployment asks for',
      set(`${SITE}/config`, { X: "[listKeys('x', '2024-01-01').keys[0].value]" }),
      /holds a key/,
    ],
    [
      'what nobody has thought about',
      (all) => Object.assign(first(all, ACCOUNT), { type: 'Microsoft.KeyVault/vaults' }),
      /no rule knows/,
    ],
  ])('%s', (_, spoil, problem) => {
    const resources = made('private');
    // The settings are one expression there, which only Azure can work out.
    first(resources, `${SITE}/config`).properties = {};
    spoil(resources);
    expect(problemsOf(resources).join('\n')).toMatch(problem);
  });
});
