import { isRegistryBusy } from '../azure/image.js';
import { change, full, type Rule, type ServiceErrors, wait } from '../azure/verdict.js';

const noRoom: Rule = ({ message }) =>
  full(`The cores that the Container Apps environment may have are used up until others end: ${message}`);

const noSubscription: Rule = () => change('There is no such subscription; correct CONTAINER_APPS_ENVIRONMENT_ID.');

const noEnvironment: Rule = ({ message }) =>
  change(`There is no such Container Apps environment; correct CONTAINER_APPS_ENVIRONMENT_ID: ${message}`);

const codes: Record<string, Rule> = {
  AuthorizationFailed: ({ message }) =>
    change(
      `The app's identity may not manage Container Apps jobs; grant it Contributor on the resource group of the jobs and Reader on CONTAINER_APPS_ENVIRONMENT_ID: ${message}`,
    ),
  LinkedAuthorizationFailed: ({ message }) =>
    change(
      `The app's identity may not use the environment or the identity of the container; grant it the role on that resource: ${message}`,
    ),
  SubscriptionNotFound: noSubscription,
  InvalidSubscriptionId: noSubscription,
  ResourceGroupNotFound: ({ message }) =>
    change(
      `There is no such resource group; correct CONTAINER_APPS_ENVIRONMENT_ID or CONTAINER_APPS_RESOURCE_GROUP: ${message}`,
    ),
  ResourceNotFound: noEnvironment,
  ManagedEnvironmentNotFound: noEnvironment,
  MissingSubscriptionRegistration: () =>
    change('The subscription has not registered Microsoft.App; run: az provider register --namespace Microsoft.App.'),
  ContainerAppOperationInProgress: ({ message }) => wait(`Another change of the job resource is under way: ${message}`),
  MaxAllowedCoresExceeded: noRoom,
  // Azure reads the image's manifest when the job resource is made, so a registry that is away ends up here, too.
  InvalidParameterValueInContainerTemplate: ({ message }) =>
    isRegistryBusy(message)
      ? wait(`Azure could not look up the image for now: its registry was busy or out of reach: ${message}`)
      : change(
          `Azure cannot take the container; correct CONTAINER_APPS_IMAGE or CONTAINER_APPS_GPU_IMAGE, or give CONTAINER_APPS_IDENTITY_ID the role AcrPull on its registry: ${message}`,
        ),
};

/** What the errors of Azure Container Apps mean. */
export const CONTAINER_APPS_ERRORS: ServiceErrors = { codes };
