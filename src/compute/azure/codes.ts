import type { AzureFault } from './fault.js';

/** What an Azure error means for a job. */
export interface AzureVerdict {
  kind: 'user' | 'platform';
  /** One sentence with its numbers and what to change, or that it is waited out. */
  sentence: string;
  /** True when another region may do what this one refuses now. */
  elsewhere: boolean;
}

export type Rule = (fault: AzureFault) => AzureVerdict | undefined;

export const wait = (sentence: string): AzureVerdict => ({ kind: 'platform', sentence, elsewhere: false });
export const full = (sentence: string): AzureVerdict => ({ kind: 'platform', sentence, elsewhere: true });
export const change = (sentence: string): AzureVerdict => ({ kind: 'user', sentence, elsewhere: false });

export const notJson = ({ status }: AzureFault) =>
  wait(
    `Something between the app and Azure answered${status === undefined ? '' : ` with status ${status}`} in no format of Azure's.`,
  );

/** GPU on Azure Container Instances: the date of its end and the ways out, for every sentence that needs them. */
export const GPU_RETIRED =
  'Azure Container Instances retired GPU on 2025-07-14; leave "compute.gpu" out to run on CPU, or use the compute "container-apps" ' +
  'with a workload profile such as Consumption-GPU-NC8as-T4 or Consumption-GPU-NC24-A100';

const QUOTA =
  /quota '(?<what>[^']+)' exceeded(?: in region '(?<region>[^']+)')?.*?Limit: '(?<limit>\d+)'.*?Usage: '(?<usage>\d+)'.*?Requested: '(?<requested>\d+)'/s;

/** More than a region may ever hold is the user's to change; a quota that others use at the moment is waited for. */
export const quota: Rule = ({ message }) => {
  const { what = '', region = 'the region', limit, usage, requested } = QUOTA.exec(message)?.groups ?? {};
  if (limit === undefined) return undefined;
  const numbers = `limit ${limit}, in use ${usage}, asked for ${requested}`;
  if (/P100Cores|V100Cores|K80Cores/.test(what))
    return change(`No GPU cores are left in ${region} (${numbers}): ${GPU_RETIRED}.`);
  if (Number(requested) > Number(limit))
    return change(
      `The quota ${what} of ${region} can never hold one container (${numbers}); lower ACI_CPU, name another region in ACI_REGIONS or ask Azure for a higher quota.`,
    );
  return full(`The quota ${what} of ${region} is used up (${numbers}); the batch waits until other containers end.`);
};

/** What each known `error.code` means; the name of an event counts as its code. */
export const CODES: Record<string, Rule> = {
  ContainerGroupQuotaReached: (fault) => quota(fault) ?? full(`A quota of the region is used up: ${fault.message}`),
  ServiceUnavailable: ({ message }) =>
    /quota 'ContainerGroups'.*Limit: '0'/s.test(message)
      ? wait(
          'Azure allows no container group of this name for now: the same name was asked for in several regions at once.',
        )
      : full(`Azure has no room for the container now: ${message}`),
  InsufficientCapacity: ({ message }) => full(`Azure has no room for the container now: ${message}`),
  RegistryErrorResponse: ({ message }) =>
    wait(
      `The image registry refused for now, as Docker Hub does without a login; an Azure container registry does not: ${message}`,
    ),
  InaccessibleImage: ({ message }) =>
    change(
      `The image cannot be pulled; correct ACI_IMAGE, or give ACI_IDENTITY_ID the role AcrPull on its registry: ${message}`,
    ),
  ContainerGroupTransitioning: ({ message }) => wait(`The container group is still changing its state: ${message}`),
  LinkedAuthorizationFailed: ({ message }) =>
    change(
      `The app's identity may not use the subnet or identity of the container; grant it the role on that resource: ${message}`,
    ),
  InvalidImageRegistryIdentity: ({ message }) =>
    change(`The identity for the image registry is not valid; correct ACI_IDENTITY_ID: ${message}`),
  OsVersionNotSupported: ({ message }) =>
    change(`Azure does not run the operating system of the image; build ACI_IMAGE for linux/amd64: ${message}`),
  ContainerLimitGreaterThanContainerGroupTotalRequest: ({ message }) =>
    change(`The container's limits exceed what its group asks for; correct ACI_CPU and ACI_MEMORY_GB: ${message}`),
  ConfidentialContainerGroupSkuIsNotSupported: ({ message }) =>
    change(`Confidential container groups do not exist in this region; name another one in ACI_REGIONS: ${message}`),
  TooManyRequests: () => wait('Azure is throttling the app: the requests allowed in this time are used up.'),
  SubscriptionRequestsThrottled: () =>
    wait('Azure is throttling the subscription: the requests allowed in this time are used up.'),
  OperationNotAllowed: (fault) => quota(fault) ?? change(`Azure does not allow this: ${fault.message}`),
  AuthorizationFailed: ({ message }) =>
    change(
      `The app's identity may not manage container groups; grant it Contributor on the resource group ACI_RESOURCE_GROUP: ${message}`,
    ),
  SubscriptionNotFound: () => change('There is no such subscription; correct AZURE_SUBSCRIPTION_ID.'),
  InvalidSubscriptionId: () => change('There is no such subscription; correct AZURE_SUBSCRIPTION_ID.'),
  ResourceGroupNotFound: ({ message }) =>
    change(`There is no such resource group; correct ACI_RESOURCE_GROUP: ${message}`),
  MissingSubscriptionRegistration: () =>
    change(
      'The subscription has not registered Microsoft.ContainerInstance; run: az provider register --namespace Microsoft.ContainerInstance.',
    ),
  LocationNotAvailableForResourceType: ({ message }) =>
    change(`There are no container groups in this region; correct ACI_REGIONS: ${message}`),
  InvalidResourceLocation: ({ message }) =>
    wait(`A container group of this name still stands in another region: ${message}`),
  PARSE_ERROR: (fault) => notJson(fault),
};
