import { type Need, toAssign } from '../azure/rights.js';
import type { ContainerAppsSettings } from './settings.js';

const JOBS = 'Microsoft.App/jobs';
const ENVIRONMENTS = 'Microsoft.App/managedEnvironments';

/** What the app's own identity has to be allowed to do; the actions are those of Azure's list of permissions. */
export function needsOf({ environment, resourceGroup, identityId }: ContainerAppsSettings): Need[] {
  const needs: Need[] = [
    {
      scope: `/subscriptions/${environment.subscriptionId}/resourceGroups/${resourceGroup}`,
      actions: [
        `${JOBS}/read`,
        `${JOBS}/write`,
        `${JOBS}/start/action`,
        `${JOBS}/executions/read`,
        `${JOBS}/execution/read`,
        `${JOBS}/stop/execution/action`,
      ],
      remedy: 'grant it Contributor there',
    },
    {
      scope: environment.id,
      actions: [`${ENVIRONMENTS}/read`, `${ENVIRONMENTS}/join/action`],
      remedy: 'grant it Contributor there, or correct CONTAINER_APPS_ENVIRONMENT_ID',
    },
  ];
  if (identityId !== undefined) needs.push(toAssign(identityId, 'CONTAINER_APPS_IDENTITY_ID'));
  return needs;
}
