import { isRefusedForGood, isRegistryBusy } from '../azure/image.js';
import { change, full, type Rule, type ServiceErrors, wait } from '../azure/verdict.js';

/** When GPU on Azure Container Instances ended and what to do instead, for every sentence that needs it. */
export const GPU_RETIRED =
  'Azure Container Instances retired GPU on 2025-07-14; leave "compute.gpu" out to run on CPU, or use the compute "container-apps" ' +
  'with a workload profile such as Consumption-GPU-NC8as-T4 or Consumption-GPU-NC24-A100';

const QUOTA =
  /quota '(?<what>[^']+)' exceeded(?: in region '(?<region>[^']+)')?.*?Limit: '(?<limit>\d+)'.*?Usage: '(?<usage>\d+)'.*?Requested: '(?<requested>\d+)'/s;

/** The user must change what a region can never hold; the app waits for a quota that others use at the moment. */
const quota: Rule = ({ message }) => {
  const { what = '', region = 'the region', limit, usage, requested } = QUOTA.exec(message)?.groups ?? {};
  if (limit === undefined) return undefined;
  const numbers = `limit ${limit}, in use ${usage}, asked for ${requested}`;
  if (/P100Cores|V100Cores|K80Cores/.test(what) && Number(requested) > Number(limit))
    return change(`No GPU cores are left in ${region} (${numbers}): ${GPU_RETIRED}.`);
  if (Number(requested) > Number(limit))
    return change(
      `The quota ${what} of ${region} can never hold one container (${numbers}); lower ACI_CPU, name another region in ACI_REGIONS or ask Azure for a higher quota.`,
    );
  return full(`The quota ${what} of ${region} is used up (${numbers}) until other containers end.`);
};

const noCapacity: Rule = ({ message }) => full(`Azure has no room for the container now: ${message}`);

const registryIsBusy: Rule = ({ message }) =>
  wait(
    `The image could not be pulled for now: its registry was busy or out of reach. An Azure container registry turns fewer pulls away than Docker Hub: ${message}`,
  );

const inaccessibleImage: Rule = (fault) =>
  isRegistryBusy(fault.message)
    ? registryIsBusy(fault)
    : change(
        `The image cannot be pulled; correct ACI_IMAGE, or give ACI_IDENTITY_ID the role AcrPull on its registry: ${fault.message}`,
      );

/** A pull that failed is the user's to mend only when the registry says that it will never hand the image out. */
const pullFailed: Rule = (fault) =>
  isRefusedForGood(fault.message) ? inaccessibleImage(fault) : registryIsBusy(fault);

const inTransition: Rule = ({ message }) => wait(`The container group is still changing its state: ${message}`);

const noSubscription: Rule = () => change('There is no such subscription; correct AZURE_SUBSCRIPTION_ID.');

const codes: Record<string, Rule> = {
  ContainerGroupQuotaReached: (fault) => quota(fault) ?? full(`A quota of the region is used up: ${fault.message}`),
  ServiceUnavailable: (fault) =>
    /quota 'ContainerGroups'.*Limit: '0'/s.test(fault.message)
      ? wait(
          'Azure allows no container group of this name for now: the same name was asked for in several regions at once.',
        )
      : noCapacity(fault),
  InsufficientCapacity: noCapacity,
  RegistryErrorResponse: registryIsBusy,
  InaccessibleImage: inaccessibleImage,
  ContainerGroupTransitioning: inTransition,
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
  OperationNotAllowed: (fault) => quota(fault) ?? change(`Azure does not allow this: ${fault.message}`),
  AuthorizationFailed: ({ message }) =>
    change(
      `The app's identity may not manage container groups; grant it Contributor on the resource group ACI_RESOURCE_GROUP: ${message}`,
    ),
  SubscriptionNotFound: noSubscription,
  InvalidSubscriptionId: noSubscription,
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
};

/** Failures without a code: those of a long-running operation, whose code SDK 9.1.0 drops, and the events of a group. */
const byMessage: Rule = (fault) => {
  const { message } = fault;
  if (/not available in the location|InsufficientCapacity/i.test(message)) return noCapacity(fault);
  if (/is not accessible|failed to pull|pull access denied|manifest unknown/i.test(message)) return pullFailed(fault);
  if (/docker registry/i.test(message)) return registryIsBusy(fault);
  if (/still transitioning/i.test(message)) return inTransition(fault);
  return quota(fault);
};

/** What the errors of Azure Container Instances mean. */
export const ACI_ERRORS: ServiceErrors = { codes, byMessage };
