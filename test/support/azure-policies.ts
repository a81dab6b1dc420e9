import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Resource, Snapshot } from './bicep.js';

export const INFRA = path.resolve(import.meta.dirname, '../../infra');

/** What the template makes of a set of parameters. */
export const readSnapshot = (set: string) =>
  JSON.parse(readFileSync(path.join(INFRA, `${set}.test.snapshot.json`), 'utf8')) as Snapshot;

/** All that the app may do with containers and networks once it is deployed, by its custom roles and as Managed Identity Operator. */
export const deployedActions = (): string[] => [
  'Microsoft.ManagedIdentity/userAssignedIdentities/*/read',
  'Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action',
  ...readSnapshot('private')
    .predictedResources.filter(({ type }) => type === 'Microsoft.Authorization/roleDefinitions')
    .flatMap(({ properties }) => (properties.permissions as { actions: string[] }[]).flatMap(({ actions }) => actions)),
];

/**
 * What a security review asks of a deployment, of the resources that Bicep says it will make.
 * @returns a sentence for everything that is wrong.
 */
export function problemsOf(resources: Resource[]): string[] {
  return [
    ...resources.flatMap((resource) => {
      const rule = RULES[resource.type];
      if (rule === undefined) return [`${resource.type} is of a kind that no rule knows: ${resource.name}.`];
      return rule(resource, resources).map((problem) => `${resource.name}: ${problem}`);
    }),
    ...resources.filter(({ type }) => LOGGED.has(type)).flatMap((resource) => withoutLogs(resource, resources)),
    ...resources.filter((resource) => SECRET.test(JSON.stringify(resource))).map(({ name }) => `${name} holds a key.`),
  ];
}

type Rule = (resource: Resource, all: Resource[]) => string[];

/** A value of the properties by its names, as in `networkAcls.bypass`. */
const at = ({ properties }: Resource, names: string): unknown =>
  names.split('.').reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], properties);

/** The properties that must have just these values. */
const exactly =
  (values: Record<string, unknown>): Rule =>
  (resource) =>
    Object.entries(values).flatMap(([names, value]) => {
      const found = at(resource, names);
      return found === value ? [] : [`${names} is ${JSON.stringify(found)}, not ${JSON.stringify(value)}.`];
    });

const anything: Rule = () => [];
const all =
  (...rules: Rule[]): Rule =>
  (...about) =>
    rules.flatMap((rule) => rule(...about));

const storageAccount = exactly({
  allowSharedKeyAccess: false,
  defaultToOAuthAuthentication: true,
  allowBlobPublicAccess: false,
  allowCrossTenantReplication: false,
  supportsHttpsTrafficOnly: true,
  minimumTlsVersion: 'TLS1_2',
  'networkAcls.bypass': 'AzureServices',
});

/** A network that storage leaves open would be one for show. */
const closedInNetwork: Rule = (resource, resources) =>
  resources.some(({ type }) => type === 'Microsoft.Network/virtualNetworks')
    ? exactly({ 'networkAcls.defaultAction': 'Deny' })(resource, resources)
    : [];

/** Only what users bring and take can be brought back; what the app and the host overwrite all the time is gone. */
const softDelete: Rule = (resource, resources) => {
  const kept = resource.name.startsWith('stmedia');
  return exactly({ 'deleteRetentionPolicy.enabled': kept, 'containerDeleteRetentionPolicy.enabled': false })(
    resource,
    resources,
  );
};

const site: Rule = (resource, resources) => {
  const passwords = resources.filter(({ id, type }) => type === PASSWORDS && id.startsWith(`${resource.id}/`));
  const { identity } = resource as Resource & { identity?: { type?: string } };
  return [
    ...exactly({
      httpsOnly: true,
      'siteConfig.minTlsVersion': '1.2',
      'siteConfig.scmMinTlsVersion': '1.2',
      'siteConfig.ftpsState': 'Disabled',
      'siteConfig.remoteDebuggingEnabled': false,
    })(resource, resources),
    ...(passwords.length === 2 ? [] : ['it can be deployed to with a password.']),
    ...(identity?.type === 'UserAssigned' ? [] : ['it has no user-assigned identity.']),
  ];
};

const logins = exactly({
  'platform.enabled': true,
  'globalValidation.requireAuthentication': true,
  'globalValidation.unauthenticatedClientAction': 'Return401',
});

const guarded: Rule = (resource) =>
  (at(resource, 'subnets') as { name: string; properties: { networkSecurityGroup?: unknown } }[])
    .filter(({ properties }) => properties.networkSecurityGroup === undefined)
    .map(({ name }) => `the subnet ${name} has no security group.`);

const PASSWORDS = 'Microsoft.Web/sites/basicPublishingCredentialsPolicies';
const PROVIDER = '/providers/Microsoft.Authorization/';

/** What each kind of resource must be like; a kind that is missing here is refused. */
const RULES: Partial<Record<string, Rule>> = {
  'Microsoft.Resources/resourceGroups': anything,
  'Microsoft.ManagedIdentity/userAssignedIdentities': anything,
  'Microsoft.OperationalInsights/workspaces': exactly({ 'features.disableLocalAuth': true }),
  'Microsoft.Insights/components': exactly({ DisableLocalAuth: true }),
  'Microsoft.Insights/actionGroups': anything,
  'Microsoft.Insights/scheduledQueryRules': anything,
  'Microsoft.Insights/workbooks': anything,
  'Microsoft.Insights/diagnosticSettings': anything,
  'Microsoft.Storage/storageAccounts': all(storageAccount, closedInNetwork),
  'Microsoft.Storage/storageAccounts/blobServices': softDelete,
  'Microsoft.Storage/storageAccounts/blobServices/containers': exactly({ publicAccess: 'None' }),
  'Microsoft.Storage/storageAccounts/queueServices': anything,
  'Microsoft.Storage/storageAccounts/queueServices/queues': anything,
  'Microsoft.Storage/storageAccounts/tableServices': anything,
  'Microsoft.Storage/storageAccounts/managementPolicies': anything,
  'Microsoft.ContainerRegistry/registries': exactly({ adminUserEnabled: false }),
  'Microsoft.App/managedEnvironments': exactly({ 'appLogsConfiguration.destination': 'azure-monitor' }),
  'Microsoft.DurableTask/schedulers': anything,
  'Microsoft.DurableTask/schedulers/taskHubs': anything,
  'Microsoft.EventGrid/systemTopics': anything,
  'Microsoft.EventGrid/systemTopics/eventSubscriptions': exactly({
    destination: undefined,
    'deliveryWithResourceIdentity.destination.endpointType': 'StorageQueue',
  }),
  'Microsoft.Web/serverfarms': anything,
  'Microsoft.Web/sites': site,
  'Microsoft.Web/sites/config': (resource, resources) =>
    resource.name.endsWith('/authsettingsV2') ? logins(resource, resources) : [],
  [PASSWORDS]: exactly({ allow: false }),
  'Microsoft.Network/virtualNetworks': guarded,
  'Microsoft.Network/networkSecurityGroups': anything,
  'Microsoft.Network/natGateways': anything,
  'Microsoft.Network/publicIPAddresses': anything,
  'Microsoft.Network/privateDnsZones': anything,
  'Microsoft.Network/privateDnsZones/virtualNetworkLinks': anything,
  'Microsoft.Network/privateEndpoints': anything,
  'Microsoft.Network/privateEndpoints/privateDnsZoneGroups': anything,
  'Microsoft.Authorization/roleDefinitions': (resource) => customRole(resource),
  'Microsoft.Authorization/roleAssignments': (resource, resources) => {
    const { scope, line } = describeAssignment(resource, resources);
    return [
      ...(/^\/subscriptions\/[^/]+\/resourceGroups\/./i.test(scope) ? [] : [`it is assigned at ${scope}.`]),
      ...(ROLE_TABLE.has(line) ? [] : [`the table of roles does not have "${line}".`]),
    ];
  },
};

/** A role of our own says every action by its name, and cannot give rights away. */
function customRole(resource: Resource): string[] {
  const { permissions, assignableScopes } = resource.properties as {
    permissions: { actions: string[]; dataActions?: string[] }[];
    assignableScopes: string[];
  };
  const actions = permissions.flatMap((each) => [...each.actions, ...(each.dataActions ?? [])]);
  return [
    ...actions.filter((action) => action.includes('*')).map((action) => `it allows ${action}.`),
    ...actions
      .filter((action) => /^Microsoft\.Authorization\//i.test(action) && !action.endsWith('/read'))
      .map((action) => `it may give rights away by ${action}.`),
    ...assignableScopes
      .filter((scope) => !/\/resourceGroups\/./i.test(scope))
      .map((scope) => `it can be assigned at ${scope}.`),
  ];
}

/** Kinds of which somebody will want to know who has done what. */
const LOGGED = new Set([
  'Microsoft.OperationalInsights/workspaces',
  'Microsoft.Storage/storageAccounts',
  'Microsoft.Storage/storageAccounts/blobServices',
  'Microsoft.Storage/storageAccounts/queueServices',
  'Microsoft.Storage/storageAccounts/tableServices',
  'Microsoft.ContainerRegistry/registries',
  'Microsoft.App/managedEnvironments',
  'Microsoft.EventGrid/systemTopics',
  'Microsoft.Web/sites',
  'Microsoft.Network/virtualNetworks',
  'Microsoft.Network/networkSecurityGroups',
  'Microsoft.Network/publicIPAddresses',
]);

function withoutLogs({ id, type, name }: Resource, resources: Resource[]): string[] {
  const prefix = `${id}/providers/Microsoft.Insights/diagnosticSettings/`;
  const enabled = resources
    .filter((setting) => setting.id.startsWith(prefix) && typeof setting.properties.workspaceId === 'string')
    .flatMap(({ properties }) => [properties.logs, properties.metrics] as ({ enabled: boolean }[] | undefined)[])
    .flatMap((categories) => categories ?? [])
    .filter((category) => category.enabled);
  return enabled.length > 0 ? [] : [`${name} (${type}) has no diagnostic settings.`];
}

const SECRET = /listKeys|listAccountSas|AccountKey=|SharedAccessKey|SharedAccessSignature/i;

/** https://learn.microsoft.com/azure/role-based-access-control/built-in-roles */
const BUILT_IN: Partial<Record<string, string>> = {
  '8e3af657-a8ff-443c-a75c-2fe8c4bcb635': 'Owner',
  'b24988ac-6180-42a0-ab88-20f7382dd24c': 'Contributor',
  '18d7d88d-d35e-4fb5-a5c3-7773c20a72d9': 'User Access Administrator',
  'f58310d9-a9f6-439a-9e8d-f62e7b41a168': 'Role Based Access Control Administrator',
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b': 'Storage Blob Data Owner',
  'ba92f5b4-2d11-453d-a403-e96b0029c9fe': 'Storage Blob Data Contributor',
  '974c5e8b-45b9-4653-ba55-5f855dd0fb88': 'Storage Queue Data Contributor',
  'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a': 'Storage Queue Data Message Sender',
  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3': 'Storage Table Data Contributor',
  '3913510d-42f4-4e42-8a64-420c390055eb': 'Monitoring Metrics Publisher',
  'f1a07417-d97a-45cb-824c-7a7467783830': 'Managed Identity Operator',
  '7f951dda-4ed3-4680-a7ca-43fe172d538d': 'AcrPull',
  '0ad04412-c4d5-4796-b79c-f76d14c8d402': 'Durable Task Data Contributor',
  '5d977122-f97e-4b4d-a52f-6b43003ddb4d': 'Azure Container Instances Contributor Role',
  '4e3d2b60-56ae-4dc6-a233-09c8e5a82e68': 'Container Apps Jobs Contributor',
  '4d97b98b-1d4f-4787-a291-c67834d212e7': 'Network Contributor',
};

/** Who may do what, and where. */
const ROLE_TABLE = new Set([
  'app: Storage Blob Data Owner on storageAccounts/stint',
  'app: Storage Queue Data Contributor on storageAccounts/stint',
  'app: Storage Table Data Contributor on storageAccounts/stint',
  'app: Storage Blob Data Contributor on storageAccounts/stmedia',
  'app: Storage Queue Data Message Sender on storageAccounts/stmedia',
  'app: Monitoring Metrics Publisher on components/appi-',
  'app: Managed Identity Operator on userAssignedIdentities/id-container-',
  'app: Batch scoring: run containers on the group',
  'app: Batch scoring: join a subnet on subnets/container-groups',
  'app: Durable Task Data Contributor on schedulers/dts-',
  'container: AcrPull on registries/cr',
  'events: Storage Queue Data Message Sender on queues/inbox-events',
  'deployer: Storage Blob Data Contributor on containers/app-package',
  // Where nobody may make custom roles.
  'app: Azure Container Instances Contributor Role on the group',
  'app: Container Apps Jobs Contributor on the group',
  'app: Network Contributor on subnets/container-groups',
]);

/** An assignment as a line of the table, in which names of resources are without what makes them unique. */
export function describeAssignment(assignment: Resource, resources: Resource[]): { scope: string; line: string } {
  const { principalId, roleDefinitionId } = assignment.properties as { principalId: string; roleDefinitionId: string };
  const scope = assignment.id.slice(0, assignment.id.lastIndexOf(PROVIDER));
  const token = /(?<=log-)\w+/.exec(JSON.stringify(resources.map(({ name }) => name)))?.[0] ?? '';
  const place = /\/resourceGroups\/[^/]+$/i.test(scope)
    ? 'the group'
    : scope.split('/').slice(-2).join('/').replaceAll(token, '');
  return { scope, line: `${whoIs(principalId)}: ${roleOf(roleDefinitionId, resources)} on ${place}` };
}

function roleOf(id: string, resources: Resource[]): string {
  const name = id.split('/').at(-1) ?? '';
  const custom = resources.find(
    (each) => each.type === 'Microsoft.Authorization/roleDefinitions' && each.name === name,
  );
  return custom ? String(custom.properties.roleName).replace(/ \(\w+\)$/, '') : (BUILT_IN[name] ?? name);
}

/** The id of an identity is known only once it is there: until then, Bicep says where it will come from. */
function whoIs(principal: string): string {
  if (/userAssignedIdentities\/id-app-/.test(principal)) return 'app';
  if (/userAssignedIdentities\/id-container-/.test(principal)) return 'container';
  if (/Microsoft\.EventGrid\/systemTopics\//.test(principal)) return 'events';
  return 'deployer';
}
